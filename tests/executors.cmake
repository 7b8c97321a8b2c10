# Executor adapters: each is tested where its runtime is installed for the target architecture. Not labelled `threads`:
# ThreadSanitizer does not see the synchronisation inside runtimes that were built without it.
lacuna_add_test(executor_test SOURCES core/executor_test.cc OWN_FLAGS)

find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  target_link_libraries(executor_test PRIVATE OpenMP::OpenMP_CXX)
  target_compile_definitions(executor_test PRIVATE LACUNA_TEST_OPENMP=1)
endif()

find_package(TBB QUIET)
if(TARGET TBB::tbb)
  target_link_libraries(executor_test PRIVATE TBB::tbb)
  target_compile_definitions(executor_test PRIVATE LACUNA_TEST_TBB=1)
endif()

find_path(LACUNA_PTHREADPOOL_INCLUDE_DIR pthreadpool.h)
find_library(LACUNA_PTHREADPOOL_LIBRARY pthreadpool)
mark_as_advanced(LACUNA_PTHREADPOOL_INCLUDE_DIR LACUNA_PTHREADPOOL_LIBRARY)
if(LACUNA_PTHREADPOOL_INCLUDE_DIR AND LACUNA_PTHREADPOOL_LIBRARY)
  target_include_directories(executor_test SYSTEM PRIVATE "${LACUNA_PTHREADPOOL_INCLUDE_DIR}")
  target_link_libraries(executor_test PRIVATE "${LACUNA_PTHREADPOOL_LIBRARY}")
  target_compile_definitions(executor_test PRIVATE LACUNA_TEST_PTHREADPOOL=1)
endif()
