# benchmark::benchmark and lacuna_bench_cli11, installed or fetched, and lacuna_bench_openmp, which is empty where
# there is no OpenMP.

include(FetchContent)

if(NOT LACUNA_BENCH_STATIC)
  find_package(benchmark QUIET)
endif()
if(NOT TARGET benchmark::benchmark)
  message(STATUS "lacuna bench: fetching Google Benchmark")
  set(BENCHMARK_ENABLE_TESTING OFF CACHE BOOL "Google Benchmark's own tests")
  set(BENCHMARK_ENABLE_INSTALL OFF CACHE BOOL "Install Google Benchmark along with lacuna")
  set(BENCHMARK_ENABLE_WERROR OFF CACHE BOOL "Warnings of Google Benchmark are errors")
  FetchContent_Declare(benchmark GIT_REPOSITORY https://github.com/google/benchmark.git GIT_TAG v1.7.1 GIT_SHALLOW ON)
  FetchContent_MakeAvailable(benchmark)
endif()

add_library(lacuna_bench_cli11 INTERFACE)
find_path(LACUNA_BENCH_CLI11_INCLUDE CLI/CLI.hpp)
mark_as_advanced(LACUNA_BENCH_CLI11_INCLUDE)
if(NOT LACUNA_BENCH_CLI11_INCLUDE)
  message(STATUS "lacuna bench: fetching CLI11")
  FetchContent_Declare(cli11 GIT_REPOSITORY https://github.com/CLIUtils/CLI11.git GIT_TAG v2.1.2 GIT_SHALLOW ON)
  FetchContent_MakeAvailable(cli11)
  target_link_libraries(lacuna_bench_cli11 INTERFACE CLI11::CLI11)
else()
  # A directory that compilers search by themselves must not be named: -isystem /usr/include breaks #include_next.
  if(NOT LACUNA_BENCH_CLI11_INCLUDE STREQUAL "/usr/include")
    target_include_directories(lacuna_bench_cli11 SYSTEM INTERFACE "${LACUNA_BENCH_CLI11_INCLUDE}")
  endif()
endif()

# By the compiler's flag alone: OpenMP::OpenMP_CXX names a shared library, which a static program cannot take.
add_library(lacuna_bench_openmp INTERFACE)
find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  separate_arguments(lacuna_bench_openmp_flags NATIVE_COMMAND "${OpenMP_CXX_FLAGS}")
  target_compile_options(lacuna_bench_openmp INTERFACE ${lacuna_bench_openmp_flags})
  target_link_options(lacuna_bench_openmp INTERFACE ${lacuna_bench_openmp_flags} $<$<BOOL:${ANDROID}>:-static-openmp>)
else()
  message(STATUS "lacuna bench: no OpenMP, so --threads is 1 and oneDNN is left out")
endif()
