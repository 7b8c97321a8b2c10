#include "clip/clip.h"

#include <lacuna/core/checked.h>

#include <filesystem>
#include <system_error>

#include "clip/folder.h"
#include "clip/video.h"

namespace clip {
namespace {

using lacuna::Checked;
using lacuna::Result;
using lacuna::Status;
using lacuna::StatusCode;

Status CheckOptions(const ClipOptions& options) {
  const struct {
    const char* name;
    int64_t value, limit;
  } extents[] = {{"frames", options.frames, kMaxClipValues},
                 {"height", options.height, kMaxFrameSide},
                 {"width", options.width, kMaxFrameSide}};
  Checked values = 3;
  for (const auto& extent : extents) {
    if (extent.value < 1 || extent.value > extent.limit) {
      return Status::InvalidArgument("options.%s is %lld, must be in [1, %lld]", extent.name,
                                     static_cast<long long>(extent.value), static_cast<long long>(extent.limit));
    }
    values = values * Checked(extent.value);
  }
  if (!values.ok() || values.value() > kMaxClipValues) {
    return Status::InvalidArgument("a clip of options %lld x %lld x %lld has more than %lld values",
                                   static_cast<long long>(options.frames), static_cast<long long>(options.height),
                                   static_cast<long long>(options.width), static_cast<long long>(kMaxClipValues));
  }
  return Status();
}

}  // namespace

Result<Clip> ReadClip(const std::string& path, const ClipOptions& options) {
  LACUNA_RETURN_IF_ERROR(CheckOptions(options));
  std::error_code error;
  const auto type = std::filesystem::status(path, error).type();
  if (type == std::filesystem::file_type::directory) return ReadFolder(path, options);
  if (type == std::filesystem::file_type::regular) return ReadVideo(path, options);
  return Status::Make(StatusCode::kNotFound, "cannot read '%s': %s", path.c_str(),
                      error ? error.message().c_str() : "neither a folder nor a file");
}

}  // namespace clip
