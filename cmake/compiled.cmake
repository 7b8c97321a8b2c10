# lacuna::compiled: the kernels and plans of the standard types and policies, compiled once. The same headers as
# lacuna::lacuna then only declare (core/abi.h). Static, or shared with BUILD_SHARED_LIBS. As a subdirectory it is built
# if something links it.
if(LACUNA_COMPILED)
  add_library(lacuna_compiled)
else()
  add_library(lacuna_compiled EXCLUDE_FROM_ALL)
endif()
add_library(lacuna::compiled ALIAS lacuna_compiled)
target_sources(lacuna_compiled PRIVATE
  cmake/compiled/c/common.cc
  cmake/compiled/c/convolution.cc
  cmake/compiled/c/gemm.cc
  cmake/compiled/c/recurrent.cc
  cmake/compiled/c/weights.cc
  cmake/compiled/formats.cc
  cmake/compiled/int8_kernels.cc
  cmake/compiled/kernels.cc
  cmake/compiled/layers.cc
  cmake/compiled/narrow_kernels.cc
  cmake/compiled/pack.cc
  cmake/compiled/recurrent.cc
  cmake/compiled/vector_kernels.cc)
target_link_libraries(lacuna_compiled PUBLIC lacuna)
target_compile_definitions(lacuna_compiled PUBLIC LACUNA_COMPILED)
set(LACUNA_KERNEL_OPTIONS "" CACHE STRING
    "Compiler options of what compiles kernels (lacuna::compiled, header-only tests), after those of the build type")
target_compile_options(lacuna_compiled PRIVATE ${LACUNA_KERNEL_OPTIONS})
set_target_properties(lacuna_compiled PROPERTIES
  EXPORT_NAME compiled
  UNITY_BUILD OFF
  OUTPUT_NAME lacuna
  VERSION "${PROJECT_VERSION}"
  SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}"
  CXX_VISIBILITY_PRESET hidden
  VISIBILITY_INLINES_HIDDEN ON
  POSITION_INDEPENDENT_CODE ON)
get_target_property(lacuna_compiled_type lacuna_compiled TYPE)
if(lacuna_compiled_type STREQUAL "SHARED_LIBRARY" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
  target_link_options(lacuna_compiled PRIVATE
    "LINKER:--version-script=${CMAKE_CURRENT_LIST_DIR}/compiled/exports.map")
  set_target_properties(lacuna_compiled PROPERTIES LINK_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/compiled/exports.map")
endif()
