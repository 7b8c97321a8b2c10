#include "clip/folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "clip/frame.h"
#include "clip/image.h"

namespace clip {
namespace {

using lacuna::Result;
using lacuna::Status;
using lacuna::StatusCode;

namespace fs = std::filesystem;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool HasImageExtension(const fs::path& name) {
  constexpr std::array<std::string_view, 5> kExtensions = {".png", ".jpg", ".jpeg", ".bmp", ".ppm"};
  std::string extension = name.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

// The names of the images of a folder, in natural order.
Result<std::vector<std::string>> ListImages(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path name = entry->path().filename();
    std::error_code ignored;  // a link to nothing is an image that cannot be read
    if (name.native().front() == '.' || !HasImageExtension(name) || entry->is_directory(ignored)) continue;
    names.push_back(name.string());
  }
  if (error) {
    return Status::Make(StatusCode::kNotFound, "cannot read the folder '%s': %s", folder.c_str(),
                        error.message().c_str());
  }
  std::sort(names.begin(), names.end(), NaturalLess);
  return names;
}

}  // namespace

bool NaturalLess(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (!IsDigit(a[i]) || !IsDigit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
      continue;
    }
    while (i < a.size() && a[i] == '0') ++i;
    while (j < b.size() && b[j] == '0') ++j;
    const size_t a_begin = i, b_begin = j;
    while (i < a.size() && IsDigit(a[i])) ++i;
    while (j < b.size() && IsDigit(b[j])) ++j;
    if (i - a_begin != j - b_begin) return i - a_begin < j - b_begin;
    if (const int order = a.compare(a_begin, i - a_begin, b, b_begin, j - b_begin); order != 0) return order < 0;
  }
  if (i == a.size() && j == b.size()) return a < b;  // equal but for leading zeros
  return i == a.size();
}

Result<Clip> ReadFolder(const std::string& path, const ClipOptions& options) {
  LACUNA_ASSIGN_OR_RETURN(names, ListImages(path));
  const auto count = static_cast<int64_t>(names.size());
  LACUNA_RETURN_IF_ERROR(CheckFrameCount(count, options, path));
  Clip clip = EmptyClip(options);
  for (int64_t i = 0; i < options.frames; ++i) {
    const std::string& name = names[static_cast<size_t>(SampledFrame(i, count, options.frames))];
    LACUNA_ASSIGN_OR_RETURN(image, ReadImage((fs::path(path) / name).string()));
    const Frame frame = {image.rgb.data(), static_cast<size_t>(image.width) * 3, image.width, image.height};
    StoreFrame(frame, i, clip);
  }
  return clip;
}

}  // namespace clip
