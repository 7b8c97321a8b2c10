#include "clip/video.h"

namespace clip {

lacuna::Result<Clip> ReadVideo(const std::string& path, const ClipOptions&) {
  return lacuna::Status::Make(lacuna::StatusCode::kUnsupported,
                              "'%s' is not a folder of images, and this build reads no videos: FFmpeg's libavformat, "
                              "libavcodec, libavutil and libswscale were not there",
                              path.c_str());
}

}  // namespace clip
