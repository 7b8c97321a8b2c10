# Kernels keep arrays of vectors, which sizeless SVE types do not allow, and g++ generates SVE targets for arm64 unasked.
# The sum of the four bits is HWY_ALL_SVE of later Highway releases; a sum, because `|` means something to shells.
set(LACUNA_HIGHWAY_DEFINITIONS "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)")
  set(LACUNA_HIGHWAY_DEFINITIONS "HWY_DISABLED_TARGETS=(HWY_SVE+HWY_SVE2+HWY_SVE_256+HWY_SVE2_128)")
endif()
