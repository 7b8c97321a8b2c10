#include "graph/replace_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace graph {

Status ReplaceFile(const std::string& path, const std::function<bool(std::ostream&)>& write) {
  const std::string partial = path + ".partial";
  const auto unwritable = [&](const std::string& why) {
    return Status::Make(lacuna::StatusCode::kNotFound, "cannot write '%.150s': %s", path.c_str(), why.c_str());
  };
  std::ofstream file(partial, std::ios::binary | std::ios::trunc);
  if (!file) return unwritable(std::strerror(errno));
  const bool written = write(file);
  file.close();
  std::error_code error;
  if (written && file) std::filesystem::rename(partial, path, error);
  if (written && file && !error) return Status();
  std::remove(partial.c_str());
  return unwritable(error ? error.message() : "write error, or the disk is full");
}

}  // namespace graph
