// Still images: PNG through libpng, JPEG, BMP and PPM through libjpeg-turbo.
//
// stb_image would be one header, but it checks neither PNG's checksums nor whether a JPEG or PPM is whole.

#ifndef LACUNA_EXAMPLES_CLIP_IMAGE_H_
#define LACUNA_EXAMPLES_CLIP_IMAGE_H_

#include <lacuna/core/status.h>

#include <cstdint>
#include <string>
#include <vector>

namespace clip {

struct Image {
  int64_t width, height;
  std::vector<uint8_t> rgb;  // [height][width][3]
};

// The content decides the format, not the name. kNotFound if the file cannot be read, kDataLoss if it is damaged,
// truncated or no image, kUnsupported above kMaxFrameSide or 256 MiB.
lacuna::Result<Image> ReadImage(const std::string& path);

}  // namespace clip

#endif  // LACUNA_EXAMPLES_CLIP_IMAGE_H_
