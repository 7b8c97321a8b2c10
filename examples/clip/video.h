// A video file as a clip: video.cc through FFmpeg's libraries, no_video.cc in builds without them.

#ifndef LACUNA_EXAMPLES_CLIP_VIDEO_H_
#define LACUNA_EXAMPLES_CLIP_VIDEO_H_

#include <string>

#include "clip/clip.h"

namespace clip {

// Preconditions: `path` is a file, `options` are valid.
lacuna::Result<Clip> ReadVideo(const std::string& path, const ClipOptions& options);

}  // namespace clip

#endif  // LACUNA_EXAMPLES_CLIP_VIDEO_H_
