# march/unit.cc twice: with the flags of the build, and with those of a better CPU.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)")
  # What Highway asks of AVX2; -march=haswell lacks the last two.
  set(lacuna_wide_flags -march=haswell -maes -mpclmul)
else()
  set(lacuna_wide_flags -march=armv8.2-a)
endif()

add_library(march_baseline OBJECT march/unit.cc)
target_compile_definitions(march_baseline PRIVATE LACUNA_MARCH_UNIT=BaselineUnit)
add_library(march_wide OBJECT march/unit.cc)
target_compile_definitions(march_wide PRIVATE LACUNA_MARCH_UNIT=WideUnit)
target_compile_options(march_wide PRIVATE ${lacuna_wide_flags})
foreach(unit march_baseline march_wide)
  target_link_libraries(${unit} PRIVATE lacuna::lacuna)
  target_compile_options(${unit} PRIVATE ${LACUNA_KERNEL_OPTIONS})
  target_include_directories(${unit} PRIVATE "${PROJECT_SOURCE_DIR}")
endforeach()

lacuna_add_test(march_test SOURCES march/march_test.cc LIBRARIES march_baseline march_wide HEADER_ONLY)
