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
if(NOT Eigen3_FOUND)
  list(APPEND lacuna_optional_headers lacuna/prune/obs.h lacuna/prune/reconstruct.h)
endif()
list(REMOVE_ITEM lacuna_headers ${lacuna_optional_headers})

# units(OUT HEADER...): the generated translation units.
function(lacuna_header_units out way)
  set(units "")
  foreach(header IN LISTS ARGN)
    string(REGEX REPLACE "[/.]" "_" unit "${header}")
    set(unit "${CMAKE_CURRENT_BINARY_DIR}/headers/${way}/${unit}.cc")
    file(CONFIGURE OUTPUT "${unit}" CONTENT "#include <${header}>\n#include <${header}>\n")
    list(APPEND units "${unit}")
  endforeach()
  set(${out} "${units}" PARENT_SCOPE)
endfunction()

option(LACUNA_TEST_HEADERS "Compile each header alone" ON)
if(LACUNA_TEST_HEADERS)
  lacuna_header_units(lacuna_units compiled ${lacuna_headers})
  add_library(header_test OBJECT ${lacuna_units})
  target_link_libraries(header_test PRIVATE lacuna::compiled)
  # Header-only, those that users include; they bring all others.
  set(lacuna_public_headers ${lacuna_headers})
  list(FILTER lacuna_public_headers INCLUDE REGEX "^lacuna/[a-z_]+\\.h$")
  lacuna_header_units(lacuna_units header_only ${lacuna_public_headers})
  add_library(header_only_test OBJECT ${lacuna_units})
  target_link_libraries(header_only_test PRIVATE lacuna::lacuna)
  foreach(target IN ITEMS header_test header_only_test)
    set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
    target_compile_options(${target} PRIVATE -O0 -g0)  # to be compiled, not to be run
    if(TARGET OpenMP::OpenMP_CXX)
      target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
    endif()
    if(Eigen3_FOUND)
      target_link_libraries(${target} PRIVATE Eigen3::Eigen)
    endif()
  endforeach()
endif()

# A header includes only from its own folder or one above it.
add_test(NAME include_order_test
         COMMAND "${CMAKE_COMMAND}" "-DINCLUDE_DIR=${PROJECT_SOURCE_DIR}/include" -P
                 "${CMAKE_CURRENT_SOURCE_DIR}/include_order_test.cmake")
