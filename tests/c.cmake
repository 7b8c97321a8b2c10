# The C interface, lacuna/c/lacuna.h, from programs in C99.
include(CheckLanguage)
check_language(C)
if(NOT CMAKE_C_COMPILER)
  message(STATUS "No C compiler: the tests of the C interface are left out")
  return()
endif()
enable_language(C)
add_executable(c_test c/main.c c/convolution_test.c c/layout_test.c c/products_test.c c/recurrent_test.c
  c/threads_test.c c/weights_test.c)
target_link_libraries(c_test PRIVATE lacuna::compiled Threads::Threads m)
set_target_properties(c_test PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF UNITY_BUILD OFF)
target_compile_options(c_test PRIVATE -pedantic -Wall -Wextra -Wshadow)
# What the presets say of sanitizers, they say for C++.
string(REGEX MATCHALL "-fsanitize=[^ ]+|-fno-sanitize-recover=[^ ]+" lacuna_sanitizers "${CMAKE_CXX_FLAGS}")
target_compile_options(c_test PRIVATE ${lacuna_sanitizers})
add_test(NAME c_test COMMAND c_test)
set_tests_properties(c_test PROPERTIES LABELS threads TIMEOUT 900 ENVIRONMENT
  "ASAN_OPTIONS=allocator_may_return_null=1;UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=halt_on_error=1")
add_dependencies(thread_tests c_test)
