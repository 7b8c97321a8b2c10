# Provides hwy::hwy, and LACUNA_HIGHWAY_DEFINITIONS for everything that includes lacuna.

include("${CMAKE_CURRENT_LIST_DIR}/highway_definitions.cmake")

if(NOT TARGET hwy::hwy AND NOT TARGET hwy)
  find_package(hwy 1.0.3 QUIET)
endif()

if(NOT TARGET hwy::hwy AND NOT TARGET hwy)
  message(STATUS "lacuna: Highway 1.0.3 or newer is not installed, fetching it")
  include(FetchContent)
  set(HWY_ENABLE_CONTRIB OFF CACHE BOOL "Highway's contrib is not needed by lacuna")
  set(HWY_ENABLE_EXAMPLES OFF CACHE BOOL "Highway's examples are not needed by lacuna")
  set(HWY_ENABLE_TESTS OFF CACHE BOOL "Highway's tests are not needed by lacuna")
  set(HWY_ENABLE_INSTALL ON CACHE BOOL "Highway 1.0.3 does not configure without it")
  # The release whose interface lacuna is tested with; find_package above takes any newer one.
  FetchContent_Declare(highway GIT_REPOSITORY https://github.com/google/highway.git GIT_TAG 1.0.3 GIT_SHALLOW ON)
  FetchContent_MakeAvailable(highway)
endif()

# Highway as a subdirectory has the plain name only in older releases.
if(NOT TARGET hwy::hwy)
  add_library(hwy::hwy ALIAS hwy)
endif()
