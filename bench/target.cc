#include "target.h"

#include <algorithm>
#include <cctype>
#include <fstream>

#include "hwy/highway.h"

namespace lacuna::bench {

std::string TargetName(int64_t target) {
  std::string name = hwy::TargetName(target);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::vector<int64_t> UsableTargets() { return hwy::SupportedAndGeneratedTargets(); }

Status LimitTarget(const std::string& name) {
  std::string known;
  for (const int64_t target : UsableTargets()) {
    if (TargetName(target) == name) {
      hwy::DisableTargets(target - 1);  // better targets have lower bits
      return Status();
    }
    known += (known.empty() ? "" : ", ") + TargetName(target);
  }
  return Status::InvalidArgument("--target is \"%.40s\", must be one of %s", name.c_str(), known.c_str());
}

void ForceTarget(int64_t target) { hwy::SetSupportedTargetsForTest(target); }

InstructionSet InstructionSetOf(int64_t target) {
#if HWY_ARCH_X86
  if (target <= HWY_AVX3) return InstructionSet::kAvx512;
  if (target <= HWY_AVX2) return InstructionSet::kAvx2;
  return InstructionSet::kSse4;
#else
  static_cast<void>(target);
  return InstructionSet::kUnlimited;
#endif
}

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    for (const char* key : {"model name", "Hardware", "CPU part"}) {
      const size_t colon = line.find(": ");
      if (line.rfind(key, 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace lacuna::bench
