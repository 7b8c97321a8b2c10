# Each header compiles alone and twice, one generated translation unit per header.
file(GLOB_RECURSE lacuna_headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include"
     "${PROJECT_SOURCE_DIR}/include/lacuna/*.h")
# Needs a flag or a library that not every build has.
set(lacuna_optional_headers "")
if(NOT TARGET OpenMP::OpenMP_CXX)
  list(APPEND lacuna_optional_headers lacuna/core/executor_openmp.h)
endif()
if(NOT TARGET TBB::tbb)
  list(APPEND lacuna_optional_headers lacuna/core/executor_tbb.h)
endif()
if(NOT LACUNA_PTHREADPOOL_LIBRARY)
  list(APPEND lacuna_optional_headers lacuna/core/executor_pthreadpool.h)
endif()
if(NOT LACUNA_LIBXSMM_INCLUDE_DIR)
  list(APPEND lacuna_optional_headers lacuna/kernel/product_libxsmm.h)
endif()
list(REMOVE_ITEM lacuna_headers ${lacuna_optional_headers})

set(lacuna_header_units "")
foreach(header IN LISTS lacuna_headers)
  string(REGEX REPLACE "[/.]" "_" unit "${header}")
  set(unit "${CMAKE_CURRENT_BINARY_DIR}/headers/${unit}.cc")
  file(CONFIGURE OUTPUT "${unit}" CONTENT "#include <${header}>\n#include <${header}>\n")
  list(APPEND lacuna_header_units "${unit}")
endforeach()
option(LACUNA_TEST_HEADERS "Compile each header alone" ON)
if(LACUNA_TEST_HEADERS)
  add_library(header_test OBJECT ${lacuna_header_units})
  target_link_libraries(header_test PRIVATE lacuna::lacuna)
  if(TARGET OpenMP::OpenMP_CXX)
    target_link_libraries(header_test PRIVATE OpenMP::OpenMP_CXX)
  endif()
endif()

# A header includes only from its own folder or one above it.
add_test(NAME include_order_test
         COMMAND "${CMAKE_COMMAND}" "-DINCLUDE_DIR=${PROJECT_SOURCE_DIR}/include" -P
                 "${CMAKE_CURRENT_SOURCE_DIR}/include_order_test.cmake")
