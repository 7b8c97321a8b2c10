# DenseProducts: each is tested where its library is installed for the target architecture.
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  return()  # libxsmm 1.17 is for x86-64 alone, and lies where cross builds look too
endif()
find_path(LACUNA_LIBXSMM_INCLUDE_DIR libxsmm.h)
find_library(LACUNA_LIBXSMM_LIBRARY xsmm)
# What stands for the BLAS that libxsmm calls where it has no kernel.
find_library(LACUNA_LIBXSMM_NOBLAS_LIBRARY xsmmnoblas)
mark_as_advanced(LACUNA_LIBXSMM_INCLUDE_DIR LACUNA_LIBXSMM_LIBRARY LACUNA_LIBXSMM_NOBLAS_LIBRARY)
if(LACUNA_LIBXSMM_INCLUDE_DIR AND LACUNA_LIBXSMM_LIBRARY AND LACUNA_LIBXSMM_NOBLAS_LIBRARY)
  target_include_directories(winograd_product_test SYSTEM PRIVATE "${LACUNA_LIBXSMM_INCLUDE_DIR}")
  target_link_libraries(winograd_product_test PRIVATE "${LACUNA_LIBXSMM_LIBRARY}" "${LACUNA_LIBXSMM_NOBLAS_LIBRARY}"
                                                      "${CMAKE_DL_LIBS}" rt m)
  target_compile_definitions(winograd_product_test PRIVATE LACUNA_TEST_LIBXSMM=1)
endif()
