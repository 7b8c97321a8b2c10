include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Nothing in the CMake package depends on the architecture: lacunaConfig.cmake asks for the target's when it is found.
set(lacuna_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/lacuna")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/lacuna" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT lacuna)
install(TARGETS lacuna EXPORT lacuna_targets COMPONENT lacuna INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
if(LACUNA_COMPILED)
  # Its own export file and configuration: the headers do not depend on whether it is installed, or for what it was built.
  install(TARGETS lacuna_compiled EXPORT lacuna_compiled_targets COMPONENT lacuna_compiled)
  install(EXPORT lacuna_compiled_targets FILE lacunaCompiledTargets.cmake NAMESPACE lacuna::
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/lacuna" COMPONENT lacuna_compiled)
endif()
install(EXPORT lacuna_targets FILE lacunaTargets.cmake NAMESPACE lacuna:: DESTINATION "${lacuna_package_dir}"
        COMPONENT lacuna)

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/lacunaConfig.cmake.in"
                              "${PROJECT_BINARY_DIR}/lacunaConfig.cmake"
                              INSTALL_DESTINATION "${lacuna_package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/lacunaConfigVersion.cmake"
                                 COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/lacunaConfig.cmake" "${PROJECT_BINARY_DIR}/lacunaConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/highway_definitions.cmake"
        DESTINATION "${lacuna_package_dir}" COMPONENT lacuna)

# lacuna.pc finds the prefix from its own place, so that an installed tree can be moved.
set(lacuna_pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH lacuna_pc_to_prefix "/${lacuna_pc_dir}" "/")
string(REGEX REPLACE "/$" "" lacuna_pc_to_prefix "${lacuna_pc_to_prefix}")
set(lacuna_pc_cflags "")
foreach(definition IN LISTS LACUNA_HIGHWAY_DEFINITIONS)
  string(REGEX REPLACE "([()])" "\\\\\\1" definition "${definition}")
  string(APPEND lacuna_pc_cflags " -D${definition}")
endforeach()
configure_file("${CMAKE_CURRENT_LIST_DIR}/lacuna.pc.in" "${PROJECT_BINARY_DIR}/lacuna.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/lacuna.pc" DESTINATION "${lacuna_pc_dir}" COMPONENT lacuna)
if(LACUNA_COMPILED)
  configure_file("${CMAKE_CURRENT_LIST_DIR}/lacuna-compiled.pc.in" "${PROJECT_BINARY_DIR}/lacuna-compiled.pc" @ONLY)
  # A C linker does not know what a static library in C++ needs; a shared one says it itself.
  set(lacuna_c_requires Requires.private)
  set(lacuna_c_libs "")
  if(lacuna_compiled_type STREQUAL "STATIC_LIBRARY")
    set(lacuna_c_requires Requires)
    set(lacuna_c_libs " -lstdc++ -lm")
  endif()
  configure_file("${CMAKE_CURRENT_LIST_DIR}/lacuna-c.pc.in" "${PROJECT_BINARY_DIR}/lacuna-c.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/lacuna-compiled.pc" "${PROJECT_BINARY_DIR}/lacuna-c.pc"
          DESTINATION "${lacuna_pc_dir}" COMPONENT lacuna_compiled)
endif()
