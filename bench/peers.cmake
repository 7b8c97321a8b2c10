# lacuna_bench_peers: the peer libraries that are installed. Peers that are not are named and simply absent from the
# run.

add_library(lacuna_bench_peers INTERFACE)

# lacuna_bench_peer(NAME library SOURCE file [IF variables...] [LIBRARIES ...] [INCLUDES ...] [DEFINITIONS ...]): adds
# the peer if every variable is true.
function(lacuna_bench_peer)
  cmake_parse_arguments(peer "" "NAME;SOURCE" "IF;LIBRARIES;INCLUDES;DEFINITIONS" ${ARGN})
  foreach(variable IN LISTS peer_IF)
    if(NOT ${variable})
      message(STATUS "lacuna bench: peer ${peer_NAME} is absent")
      return()
    endif()
  endforeach()
  message(STATUS "lacuna bench: peer ${peer_NAME} found")
  string(TOLOWER "lacuna_bench_${peer_NAME}" target)
  string(TOUPPER "LACUNA_BENCH_HAS_${peer_NAME}" definition)
  add_library(${target} OBJECT "${peer_SOURCE}")
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_include_directories(${target} SYSTEM PRIVATE ${peer_INCLUDES})
  target_compile_definitions(${target} PRIVATE ${definition} ${peer_DEFINITIONS})
  target_link_libraries(${target} PRIVATE lacuna::lacuna ${peer_LIBRARIES})
  target_link_libraries(lacuna_bench_peers INTERFACE ${target} $<TARGET_OBJECTS:${target}> ${peer_LIBRARIES})
  target_compile_definitions(lacuna_bench_peers INTERFACE ${definition})
endfunction()

if(NOT LACUNA_BENCH_PEERS OR LACUNA_BENCH_STATIC)
  message(STATUS "lacuna bench: no peers")
  return()
endif()

find_path(LACUNA_BENCH_DNNL_INCLUDE oneapi/dnnl/dnnl.hpp)
find_library(LACUNA_BENCH_DNNL_LIBRARY dnnl)
find_path(LACUNA_BENCH_XNNPACK_INCLUDE xnnpack.h)
find_library(LACUNA_BENCH_XNNPACK_LIBRARY XNNPACK)
find_library(LACUNA_BENCH_PTHREADPOOL_LIBRARY pthreadpool)
find_library(LACUNA_BENCH_CPUINFO_LIBRARY cpuinfo)
find_path(LACUNA_BENCH_CBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas)
find_library(LACUNA_BENCH_OPENBLAS_LIBRARY openblas)
find_path(LACUNA_BENCH_LIBXSMM_INCLUDE libxsmm.h)
find_library(LACUNA_BENCH_LIBXSMM_LIBRARY xsmm)
find_library(LACUNA_BENCH_LIBXSMM_NOBLAS_LIBRARY xsmmnoblas)
find_path(LACUNA_BENCH_ATEN_INCLUDE ATen/ATen.h)
find_library(LACUNA_BENCH_TORCH_LIBRARY torch_cpu)
find_library(LACUNA_BENCH_C10_LIBRARY c10)
find_package(Eigen3 QUIET NO_MODULE)

lacuna_bench_peer(NAME onednn SOURCE peers/onednn.cc
  IF LACUNA_BENCH_DNNL_INCLUDE LACUNA_BENCH_DNNL_LIBRARY OpenMP_CXX_FOUND
  LIBRARIES "${LACUNA_BENCH_DNNL_LIBRARY}" lacuna_bench_openmp)
lacuna_bench_peer(NAME xnnpack SOURCE peers/xnnpack.cc
  IF LACUNA_BENCH_XNNPACK_INCLUDE LACUNA_BENCH_XNNPACK_LIBRARY LACUNA_BENCH_PTHREADPOOL_LIBRARY
     LACUNA_BENCH_CPUINFO_LIBRARY
  LIBRARIES "${LACUNA_BENCH_XNNPACK_LIBRARY}" "${LACUNA_BENCH_PTHREADPOOL_LIBRARY}" "${LACUNA_BENCH_CPUINFO_LIBRARY}")
# OpenBLAS is loaded by the program itself, once its instruction set is known.
lacuna_bench_peer(NAME openblas SOURCE peers/openblas.cc
  IF LACUNA_BENCH_CBLAS_INCLUDE LACUNA_BENCH_OPENBLAS_LIBRARY
  LIBRARIES "${CMAKE_DL_LIBS}" INCLUDES "${LACUNA_BENCH_CBLAS_INCLUDE}"
  DEFINITIONS "LACUNA_BENCH_OPENBLAS=\"${LACUNA_BENCH_OPENBLAS_LIBRARY}\"")
lacuna_bench_peer(NAME libxsmm SOURCE peers/libxsmm.cc
  IF LACUNA_BENCH_LIBXSMM_INCLUDE LACUNA_BENCH_LIBXSMM_LIBRARY LACUNA_BENCH_LIBXSMM_NOBLAS_LIBRARY
  LIBRARIES "${LACUNA_BENCH_LIBXSMM_LIBRARY}" "${LACUNA_BENCH_LIBXSMM_NOBLAS_LIBRARY}" "${CMAKE_DL_LIBS}" pthread rt m)

# PyTorch stays in a library that the program loads itself, once its instruction set is known: its flags, libraries and
# warnings reach nothing else. Found by its files and not by find_package(Torch), whose configuration ends CMake if
# anything that PyTorch was built with is missing.
lacuna_bench_peer(NAME pytorch SOURCE peers/pytorch.cc
  IF LACUNA_BENCH_ATEN_INCLUDE LACUNA_BENCH_TORCH_LIBRARY LACUNA_BENCH_C10_LIBRARY
  LIBRARIES "${CMAKE_DL_LIBS}"
  DEFINITIONS "LACUNA_BENCH_PYTORCH=\"$<TARGET_FILE:lacuna_bench_pytorch_kernels>\"")
if(TARGET lacuna_bench_pytorch)
  add_library(lacuna_bench_pytorch_kernels MODULE peers/pytorch_kernels.cc)
  set_target_properties(lacuna_bench_pytorch_kernels PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
  target_include_directories(lacuna_bench_pytorch_kernels PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_include_directories(lacuna_bench_pytorch_kernels SYSTEM PRIVATE "${LACUNA_BENCH_ATEN_INCLUDE}")
  target_link_libraries(lacuna_bench_pytorch_kernels PRIVATE "${LACUNA_BENCH_TORCH_LIBRARY}"
                                                             "${LACUNA_BENCH_C10_LIBRARY}")
endif()

# Eigen has no run-time dispatch: a library for each instruction set.
if(Eigen3_FOUND)
  set(eigen_variants Baseline)
  set(eigen_flags_Baseline "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    list(APPEND eigen_variants Avx2 Avx512)
    set(eigen_flags_Baseline -msse4.2)
    set(eigen_flags_Avx2 -mavx2 -mfma -mbmi2)
    set(eigen_flags_Avx512 -march=skylake-avx512)
  endif()
  set(eigen_libraries "")
  foreach(variant IN LISTS eigen_variants)
    set(target lacuna_bench_eigen_${variant})
    add_library(${target} SHARED peers/eigen_kernels.cc)
    target_compile_features(${target} PRIVATE cxx_std_20)
    # g++-12 takes the undefined vectors of its own AVX-512 intrinsics for uninitialised ones.
    target_compile_options(${target} PRIVATE ${eigen_flags_${variant}} -O3 -DNDEBUG
                                             $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-uninitialized>)
    target_compile_definitions(${target} PRIVATE LACUNA_BENCH_EIGEN=MakeEigen${variant})
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    get_target_property(eigen_include Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
    target_include_directories(${target} SYSTEM PRIVATE ${eigen_include})
    set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    list(APPEND eigen_libraries ${target})
  endforeach()
endif()
lacuna_bench_peer(NAME eigen SOURCE peers/eigen.cc IF Eigen3_FOUND LIBRARIES ${eigen_libraries})
