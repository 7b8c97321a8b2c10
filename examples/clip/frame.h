// What folders and videos share: which frames are taken, how large they may be, and how one enters the clip.

#ifndef LACUNA_EXAMPLES_CLIP_FRAME_H_
#define LACUNA_EXAMPLES_CLIP_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "clip/clip.h"

namespace clip {

// A decoded frame: row y begins at rgb + y * stride.
struct Frame {
  const uint8_t* rgb;
  size_t stride;          // bytes
  int64_t width, height;  // as stored
  int turns = 0;          // clockwise quarter turns, 0 to 3, that put it upright
};

// kDataLoss unless both extents are positive, kUnsupported above kMaxFrameSide. `source` names the file.
lacuna::Status CheckFrameSize(int64_t width, int64_t height, const std::string& source);

// kInvalidArgument unless `source` has the frames that `options` asks for.
lacuna::Status CheckFrameCount(int64_t count, const ClipOptions& options, const std::string& source);

// The frame of `count` that becomes number `index` of the clip (see ReadClip). Never decreases with `index`.
constexpr int64_t SampledFrame(int64_t index, int64_t count, int64_t frames) {
  return (2 * index + 1) * count / (2 * frames);
}

// A clip of zeros.
Clip EmptyClip(const ClipOptions& options);

// Scales and crops `frame` into number `index` of `clip` (see ReadClip). Preconditions: CheckFrameSize is ok,
// 0 <= index < clip.frames.
void StoreFrame(const Frame& frame, int64_t index, Clip& clip);

}  // namespace clip

#endif  // LACUNA_EXAMPLES_CLIP_FRAME_H_
