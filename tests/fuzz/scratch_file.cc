#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/fuzz.h"

namespace lacuna::fuzz {

ScratchFile::ScratchFile(std::string_view ending) {
  static int count = 0;
  const std::filesystem::path memory = "/dev/shm";
  std::error_code error;
  const auto folder = std::filesystem::is_directory(memory, error) ? memory : std::filesystem::temp_directory_path();
  path_ = (folder / ("lacuna_fuzz_" + std::to_string(getpid()) + "_" + std::to_string(count++) + std::string(ending)))
              .string();
}

ScratchFile::~ScratchFile() { std::remove(path_.c_str()); }

const std::string& ScratchFile::Write(std::span<const uint8_t> bytes) const {
  std::FILE* file = std::fopen(path_.c_str(), "wb");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fclose(file) != 0) {
    std::perror(path_.c_str());
    std::abort();
  }
  return path_;
}

std::string ScratchFile::Read() const {
  std::ifstream file(path_, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace lacuna::fuzz
