# The package as others use it: examples/embed against the installed package through CMake and pkg-config, without
# exceptions and RTTI, and with lacuna as a subdirectory. Label `package`; `ctest --preset package` runs them.
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

add_test(NAME package_install COMMAND "${CMAKE_COMMAND}" --install "${PROJECT_BINARY_DIR}" --prefix "${package_prefix}"
                                      --component lacuna)
lacuna_add_package_test(package_find_package "${embed_dir}" embed "-DCMAKE_PREFIX_PATH=${package_prefix}")
lacuna_add_package_test(package_noexcept "${embed_dir}" embed "-DCMAKE_PREFIX_PATH=${package_prefix}"
                        "-DCMAKE_CXX_FLAGS=-fno-exceptions -fno-rtti")
lacuna_add_package_test(package_subdirectory "${CMAKE_CURRENT_SOURCE_DIR}/package/subdirectory" embed/embed
                        "-DLACUNA_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
add_test(NAME package_pkg_config
         COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/package/pkg_config_test.sh" "${CMAKE_CXX_COMPILER}"
                 "${package_prefix}/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "${embed_dir}"
                 "${CMAKE_CURRENT_BINARY_DIR}/package/package_pkg_config")

set_tests_properties(package_install PROPERTIES FIXTURES_SETUP package_prefix)
set_tests_properties(package_find_package package_noexcept package_pkg_config PROPERTIES FIXTURES_REQUIRED package_prefix)
set_tests_properties(package_install package_find_package package_noexcept package_subdirectory package_pkg_config
                     PROPERTIES LABELS package TIMEOUT 900)
