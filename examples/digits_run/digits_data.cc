#include "digits_run/digits_data.h"

#include <zlib.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

namespace digits {
namespace {

using graph::Status;
using graph::StatusCode;

struct CloseFile {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

// One line: 64 pixels and a label.
bool ParseLine(const char* line, Image& image) {
  for (size_t i = 0; i <= kPixels; ++i) {
    char* end = nullptr;
    const double value = std::strtod(line, &end);
    if (end == line) return false;
    const bool last = i == kPixels;
    if (!(value >= 0.0 && value <= (last ? double{kClasses - 1} : double{kWhite}))) return false;
    if (last) {
      image.label = static_cast<int>(value);
      return *end == '\0' || *end == '\n' || *end == '\r';
    }
    if (*end != ',') return false;
    image.pixels[i] = static_cast<float>(value) / kWhite;
    line = end + 1;
  }
  return false;
}

}  // namespace

graph::Result<std::vector<Image>> ReadDigits(const std::string& path) {
  const auto unreadable = [&path](const char* why) {
    return Status::Make(StatusCode::kNotFound,
                        "cannot read the digits '%s': %s (Debian's python3-sklearn installs them; or give a path)",
                        path.c_str(), why);
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return unreadable("is a directory");
  errno = 0;
  const std::unique_ptr<gzFile_s, CloseFile> file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) return unreadable(errno != 0 ? std::strerror(errno) : "out of memory");

  std::vector<Image> images;
  char line[1024];
  while (gzgets(file.get(), line, sizeof(line)) != nullptr) {
    Image image;
    if (!ParseLine(line, image)) {
      return Status::Make(StatusCode::kDataLoss, "'%s' line %zu must be 64 pixels in [0, 16] and a label in [0, 9]",
                          path.c_str(), images.size() + 1);
    }
    images.push_back(image);
  }
  int code = Z_OK;
  const char* message = gzerror(file.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END) {
    return Status::Make(StatusCode::kDataLoss, "'%s' is damaged: %s", path.c_str(), message);
  }
  if (images.empty()) return Status::Make(StatusCode::kDataLoss, "'%s' holds no image", path.c_str());
  return images;
}

}  // namespace digits
