// A clip for a video network: frames of a folder of images or of a video, resized and cropped.

#ifndef LACUNA_EXAMPLES_CLIP_CLIP_H_
#define LACUNA_EXAMPLES_CLIP_CLIP_H_

#include <lacuna/core/status.h>

#include <cstdint>
#include <string>
#include <vector>

namespace clip {

struct Clip {
  int64_t frames, height, width;
  std::vector<float> values;  // [3][frames][height][width]: red, green, blue in [0, 1]
};

struct ClipOptions {
  int64_t frames = 16, height = 112, width = 112;
};

inline constexpr int64_t kMaxFrameSide = 8192;               // of a frame read or asked for; 8K video has 7680 x 4320
inline constexpr int64_t kMaxClipValues = int64_t{1} << 28;  // 3 * frames * height * width: 1 GiB

// Reads `options.frames` frames of `path`, spread evenly: of n frames the middle ones of `options.frames` segments of
// equal length, floor((2i + 1) n / (2 frames)) (temporal segment networks, Wang et al., ECCV 2016). All of them if n
// equals `options.frames`.
//
// - A folder: its images by extension (png, jpg, jpeg, bmp, ppm, in any case) in natural order, frame2 before frame10.
//   Other files, subfolders and names that begin with a dot are ignored; only the images that are used are decoded.
//   Transparent pixels are laid over black; an orientation in a JPEG's metadata is ignored.
// - A file: its video stream, in builds with FFmpeg's libraries; n counts decoded frames. The rotation that phones
//   record is applied; pixels count as square.
//
// Each frame is scaled until it just covers height x width, keeping its aspect ratio (the shorter side becomes the
// target of a square clip), and its centre is cropped, to whole pixels of the scaled frame. The filter is a triangle of
// a radius of one pixel of the coarser grid: bilinear when it enlarges, free of aliasing when it shrinks (what Pillow
// and torchvision call bilinear with antialias).
//
// kInvalidArgument: an option below 1 or above its limit, or fewer frames than asked for. kNotFound: nothing readable
// at `path`. kDataLoss names a file that is damaged or truncated, as far as its format tells: raw pixels have no
// checksum, a transport stream no length. kUnsupported: a frame above kMaxFrameSide, a coding that the libraries do not
// know, or a file without FFmpeg in this build. While a video is read nothing of FFmpeg's log is printed: its errors
// are this function's. A log callback of the program's own is replaced by FFmpeg's.
lacuna::Result<Clip> ReadClip(const std::string& path, const ClipOptions& options);

// One image as a clip of one frame: scaled and cropped to height x width, or as it is where both are 0. Errors are
// those of a folder's images.
lacuna::Result<Clip> ReadStill(const std::string& path, int64_t height, int64_t width);

}  // namespace clip

#endif  // LACUNA_EXAMPLES_CLIP_CLIP_H_
