// The UCI handwritten digits: 1,797 images of 8 x 8.

#ifndef LACUNA_EXAMPLES_DIGITS_RUN_DIGITS_DATA_H_
#define LACUNA_EXAMPLES_DIGITS_RUN_DIGITS_DATA_H_

#include <string>
#include <vector>

#include "graph/graph.h"

namespace digits {

inline constexpr size_t kSide = 8;
inline constexpr size_t kPixels = kSide * kSide;
inline constexpr size_t kClasses = 10;
inline constexpr float kWhite = 16.0f;  // the largest pixel value

// Where Debian's package python3-sklearn keeps the images.
inline constexpr const char* kDefaultPath = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz";

struct Image {
  float pixels[kPixels];  // in [0, 1], row by row
  int label;              // 0 to 9
};

// Every fifth image is kept from training.
inline bool IsHeldOut(size_t index) { return index % 5 == 0; }

// Reads lines of 64 pixels in [0, 16] and a label, separated by commas; the file may be gzip-compressed or not.
// kNotFound if it cannot be opened, kDataLoss names the line that is malformed.
graph::Result<std::vector<Image>> ReadDigits(const std::string& path);

}  // namespace digits

#endif  // LACUNA_EXAMPLES_DIGITS_RUN_DIGITS_DATA_H_
