// Frames of known content, and the files that the tests of clips are made of.

#ifndef LACUNA_EXAMPLES_TESTS_CLIP_FILES_H_
#define LACUNA_EXAMPLES_TESTS_CLIP_FILES_H_

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "clip/clip.h"

namespace clip_files {

struct Pixels {
  int width, height;
  std::vector<uint8_t> rgb;  // [height][width][3]

  uint8_t at(int channel, int y, int x) const { return rgb[static_cast<size_t>((y * width + x) * 3 + channel)]; }
};

// A red, green or blue square of a quarter of the height that moves two pixels a frame, over a gradient.
inline Pixels MovingSquare(int frame, int width, int height) {
  Pixels pixels = {width, height, {}};
  const int side = height / 4, left = 2 * frame % (width - side);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool inside = y >= side && y < 2 * side && x >= left && x < left + side;
      for (int channel = 0; channel < 3; ++channel) {
        const int value = inside ? (frame % 3 == channel ? 250 : 5) : 40 + 10 * channel + 2 * y + x;
        pixels.rgb.push_back(static_cast<uint8_t>(value));
      }
    }
  }
  return pixels;
}

inline Pixels OneColour(uint8_t value, int width, int height) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3), value)};
}

inline std::string Ppm(const Pixels& pixels) {
  return "P6\n" + std::to_string(pixels.width) + " " + std::to_string(pixels.height) + "\n255\n" +
         std::string(pixels.rgb.begin(), pixels.rgb.end());
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  REQUIRE(file.good());
}

inline std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Empty, and removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("lacuna_clip_test_" + std::to_string(getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directory(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline float Value(const clip::Clip& clip, int64_t channel, int64_t frame, int64_t y, int64_t x) {
  return clip.values[static_cast<size_t>(((channel * clip.frames + frame) * clip.height + y) * clip.width + x)];
}

// Checks that `clip` is a whole one: its extents, and values in [0, 1].
inline void CheckWhole(const clip::Clip& clip, const clip::ClipOptions& options) {
  CHECK(clip.frames == options.frames);
  CHECK(clip.height == options.height);
  CHECK(clip.width == options.width);
  CHECK(clip.values.size() == static_cast<size_t>(3 * options.frames * options.height * options.width));
  bool in_range = true;
  for (const float value : clip.values) in_range = in_range && value >= 0.0f && value <= 1.0f;
  CHECK(in_range);
}

// The largest difference between number `frame` of `clip` and the crop of `pixels` that begins at (top, left).
inline float LargestError(const clip::Clip& clip, int64_t frame, const Pixels& pixels, int top = 0, int left = 0) {
  float largest = 0;
  for (int channel = 0; channel < 3; ++channel) {
    for (int y = 0; y < clip.height; ++y) {
      for (int x = 0; x < clip.width; ++x) {
        const float expected = static_cast<float>(pixels.at(channel, top + y, left + x)) / 255.0f;
        largest = std::max(largest, std::abs(Value(clip, channel, frame, y, x) - expected));
      }
    }
  }
  return largest;
}

inline void CheckFails(const lacuna::Result<clip::Clip>& clip, lacuna::StatusCode code,
                       const std::vector<std::string>& parts) {
  CHECK(lacuna::StatusCodeName(clip.status().code()) == std::string(lacuna::StatusCodeName(code)));
  const std::string message = clip.status().message();
  for (const std::string& part : parts) CHECK_MESSAGE(message.find(part) != std::string::npos, message);
}

// Calls `read` with `bytes` damaged in many ways: bytes replaced and single bits flipped, one to eight at a time.
inline void ForEachDamage(const std::string& bytes, int count, const std::function<void(const std::string&)>& read) {
  std::mt19937 random(1);
  for (int i = 0; i < count; ++i) {
    std::string damaged = bytes;
    const int places = 1 << (i % 4);
    for (int place = 0; place < places; ++place) {
      // Half of the damage goes to the header, where it matters most.
      const size_t range = i % 2 == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 256);
      char& byte = damaged[random() % range];
      byte = static_cast<char>(i % 3 == 0 ? random() : static_cast<uint8_t>(byte) ^ (1u << (random() % 8)));
    }
    read(damaged);
  }
}

}  // namespace clip_files

#endif  // LACUNA_EXAMPLES_TESTS_CLIP_FILES_H_
