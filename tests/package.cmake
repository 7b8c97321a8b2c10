# The package as others use it: the projects of package/user with the installed package and with lacuna as a
# subdirectory, static and shared; examples/embed and embed_c through pkg-config, and without exceptions and RTTI. Label `package`; `ctest --preset package` runs them.
set(package_prefix "${CMAKE_CURRENT_BINARY_DIR}/package/prefix")
set(embed_dir "${PROJECT_SOURCE_DIR}/examples/embed")

# lacuna_add_package_test(NAME SOURCE_DIR EMBED_BINARY cmake-option...)
function(lacuna_add_package_test name source_dir binary)
  add_test(NAME ${name}
           COMMAND "${CMAKE_CTEST_COMMAND}" --build-and-test "${source_dir}" "${CMAKE_CURRENT_BINARY_DIR}/package/${name}"
                   --build-generator "${CMAKE_GENERATOR}" --build-noclean
                   --build-options "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" ${ARGN}
                   --test-command "${CMAKE_CURRENT_BINARY_DIR}/package/${name}/${binary}")
endfunction()

# lacuna_add_user_test(NAME cmake-option...): the projects of package/user.
function(lacuna_add_user_test name)
  add_test(NAME ${name}
           COMMAND "${CMAKE_CTEST_COMMAND}" --build-and-test "${CMAKE_CURRENT_SOURCE_DIR}/package/user"
                   "${CMAKE_CURRENT_BINARY_DIR}/package/${name}" --build-generator "${CMAKE_GENERATOR}" --build-noclean
                   --build-options "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" ${ARGN}
                   --test-command "${CMAKE_CTEST_COMMAND}" --output-on-failure --no-tests=error)
endfunction()

add_test(NAME package_install COMMAND "${CMAKE_COMMAND}" --install "${PROJECT_BINARY_DIR}" --prefix "${package_prefix}")
# Built to be run once: without optimisation, but for the library whose size and symbols are printed.
lacuna_add_user_test(package_find_package "-DCMAKE_PREFIX_PATH=${package_prefix}" "-DCMAKE_CXX_FLAGS=-O0")
lacuna_add_user_test(package_subdirectory "-DLACUNA_SOURCE_DIR=${PROJECT_SOURCE_DIR}" "-DCMAKE_CXX_FLAGS=-O0"
                     -DUSER_PROGRAMS=one_layer)
lacuna_add_package_test(package_noexcept "${embed_dir}" embed "-DCMAKE_PREFIX_PATH=${package_prefix}"
                        "-DCMAKE_CXX_FLAGS=-fno-exceptions -fno-rtti" -DCMAKE_CXX_FLAGS_RELEASE=-O0)
# A shared library exports what headers declare for it, and no more.
lacuna_add_user_test(package_shared "-DLACUNA_SOURCE_DIR=${PROJECT_SOURCE_DIR}" "-DCMAKE_CXX_FLAGS=-O1"
                     -DBUILD_SHARED_LIBS=ON -DUSER_PROGRAMS=one_layer -DUSER_WAYS=compiled)
add_test(NAME package_exports
         COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/package/exports_test.sh"
                 "${CMAKE_CURRENT_BINARY_DIR}/package/package_shared/lacuna/liblacuna.so")
foreach(package IN ITEMS lacuna lacuna-compiled lacuna-c)
  set(compiler "${CMAKE_CXX_COMPILER}")
  set(source "${embed_dir}/main.cc")
  if(package STREQUAL "lacuna-c")
    set(compiler "${CMAKE_C_COMPILER}")
    set(source "${PROJECT_SOURCE_DIR}/examples/embed_c/main.c")
  endif()
  if(NOT compiler)
    continue()
  endif()
  add_test(NAME package_pkg_config.${package}
           COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/package/pkg_config_test.sh" "${compiler}" ${package}
                   "${package_prefix}/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "${source}"
                   "${CMAKE_CURRENT_BINARY_DIR}/package/pkg_config.${package}")
  set_tests_properties(package_pkg_config.${package} PROPERTIES
    FIXTURES_REQUIRED package_prefix LABELS package TIMEOUT 900)
endforeach()

set_tests_properties(package_install PROPERTIES FIXTURES_SETUP package_prefix)
set_tests_properties(package_find_package package_noexcept PROPERTIES FIXTURES_REQUIRED package_prefix)
set_tests_properties(package_shared PROPERTIES FIXTURES_SETUP package_shared)
set_tests_properties(package_exports PROPERTIES FIXTURES_REQUIRED package_shared)
set_tests_properties(package_install package_find_package package_noexcept package_subdirectory package_shared
                     package_exports PROPERTIES LABELS package TIMEOUT 900)
