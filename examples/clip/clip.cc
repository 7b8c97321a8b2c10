#include "clip/clip.h"

#include <lacuna/core/checked.h>

#include <filesystem>
#include <system_error>

#include "clip/folder.h"
#include "clip/frame.h"
#include "clip/image.h"
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

Result<Clip> ReadStill(const std::string& path, int64_t height, int64_t width) {
  LACUNA_ASSIGN_OR_RETURN(image, ReadImage(path));
  const bool as_it_is = height == 0 && width == 0;
  const ClipOptions options = {1, as_it_is ? image.height : height, as_it_is ? image.width : width};
  LACUNA_RETURN_IF_ERROR(CheckOptions(options));
  Clip clip = EmptyClip(options);
  StoreFrame({image.rgb.data(), static_cast<size_t>(image.width) * 3, image.width, image.height}, 0, clip);
  return clip;
}

}  // namespace clip
