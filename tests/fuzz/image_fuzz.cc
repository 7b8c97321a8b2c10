// Bytes as an image of each format, alone and as the frame of a clip: a Status, or pixels of the extents that it says.

#include <doctest/doctest.h>
#include <png.h>
#include <turbojpeg.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "clip/clip.h"
#include "clip/image.h"
#include "tests/fuzz/fuzz.h"

namespace lacuna::fuzz::image_fuzzer {
namespace {

const ScratchFile& File() {
  static const ScratchFile file(".png");
  return file;
}

// Decoders allocate by what a header says, up to the limit on frames; those of a fuzzer are smaller.
constexpr int64_t kMostSide = 512;

void Run(std::span<const uint8_t> bytes) {
  const std::string& path = File().Write(bytes);
  const auto image = clip::ReadImage(path);
  if (!image.ok()) {
    CHECK(image.status().message()[0] != '\0');
    return;
  }
  CHECK(static_cast<int64_t>(image->rgb.size()) == 3 * image->width * image->height);
  if (image->width > kMostSide || image->height > kMostSide) return;
  const auto still = clip::ReadStill(path, 7, 5);
  REQUIRE(still.ok());
  for (const float value : still->values) CHECK((value >= 0.0f && value <= 1.0f));
}

void AddSeeds(Seeds& seeds) {
  constexpr int kWidth = 6, kHeight = 4;
  std::vector<uint8_t> rgb;
  for (int i = 0; i < kWidth * kHeight * 3; ++i) rgb.push_back(static_cast<uint8_t>(i * 3));
  const std::string pixels(rgb.begin(), rgb.end());
  seeds.Add({}, "P6\n6 4\n255\n" + pixels);
  seeds.Add({}, "P3\n# grey\n2 1\n255\n1 2 3 4 5 6\n");

  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = kWidth;
  png.height = kHeight;
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  REQUIRE(png_image_write_to_memory(&png, nullptr, &size, 0, rgb.data(), 0, nullptr) != 0);
  std::vector<uint8_t> bytes(size);
  REQUIRE(png_image_write_to_memory(&png, bytes.data(), &size, 0, rgb.data(), 0, nullptr) != 0);
  seeds.Add({bytes.data(), size});

  tjhandle compressor = tjInitCompress();
  unsigned char* jpeg = nullptr;
  unsigned long jpeg_size = 0;
  REQUIRE(tjCompress2(compressor, rgb.data(), kWidth, 0, kHeight, TJPF_RGB, &jpeg, &jpeg_size, TJSAMP_420, 80, 0) == 0);
  seeds.Add({jpeg, jpeg_size});
  tjFree(jpeg);
  tjDestroy(compressor);

  std::string bmp("BM", 2);
  const auto put = [&bmp](uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bmp.push_back(static_cast<char>(value >> (8 * i)));
  };
  put(54 + 24, 4), put(0, 4), put(54, 4);
  put(40, 4), put(2, 4), put(3, 4), put(1, 2), put(24, 2), put(0, 4), put(24, 4), put(0, 4), put(0, 4), put(0, 4),
      put(0, 4);
  bmp.append(24, '\x55');
  seeds.Add({}, bmp);
}

const Registration kRegistration({.name = "image", .run = &Run, .seeds = &AddSeeds});

}  // namespace
}  // namespace lacuna::fuzz::image_fuzzer
