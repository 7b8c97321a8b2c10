// Clips from folders of images, in a build without FFmpeg's libraries.

#include <doctest/doctest.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "clip/folder.h"
#include "clip/frame.h"
#include "tests/clip_files.h"

namespace {

using clip::ClipOptions;
using clip::ReadClip;
using clip_files::CheckFails;
using clip_files::CheckWhole;
using clip_files::LargestError;
using clip_files::MovingSquare;
using clip_files::OneColour;
using clip_files::Pixels;
using clip_files::Ppm;
using clip_files::TemporaryFolder;
using clip_files::Value;
using clip_files::WriteBytes;
using lacuna::StatusCode;

std::string Png(const Pixels& pixels, uint32_t format = PNG_FORMAT_RGB) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(pixels.width);
  png.height = static_cast<png_uint_32>(pixels.height);
  png.format = format;
  std::string bytes(pixels.rgb.size() + 4096, '\0');
  size_t size = bytes.size();
  REQUIRE(png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels.rgb.data(), 0, nullptr));
  bytes.resize(size);
  return bytes;
}

std::string Jpeg(const Pixels& pixels, int quality, int flags = 0) {
  const tjhandle jpeg = tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;
  const int failed = tjCompress2(jpeg, pixels.rgb.data(), pixels.width, 0, pixels.height, TJPF_RGB, &data, &size,
                                 TJSAMP_444, quality, flags);
  std::string bytes(data, data + size);
  tjFree(data);
  tjDestroy(jpeg);
  REQUIRE(failed == 0);
  return bytes;
}

std::string Bmp(const Pixels& pixels) {
  const TemporaryFolder folder;
  std::vector<uint8_t> rgb = pixels.rgb;
  REQUIRE(tjSaveImage((folder / "x.bmp").c_str(), rgb.data(), pixels.width, 0, pixels.height, TJPF_RGB, 0) == 0);
  return clip_files::ReadBytes(folder / "x.bmp");
}

TEST_CASE("frames of the clip's own size are taken as they are, in natural order") {
  const TemporaryFolder folder;
  const ClipOptions options = {.frames = 12, .height = 32, .width = 48};
  for (int i = 0; i < 12; ++i) {
    WriteBytes(folder / ("frame" + std::to_string(i + 1) + ".ppm"), Ppm(MovingSquare(i, 48, 32)));
  }
  const auto clip = ReadClip(folder.path(), options);
  REQUIRE_MESSAGE(clip.ok(), std::string(clip.status().message()));
  CheckWhole(*clip, options);
  for (int i = 0; i < 12; ++i) {
    CAPTURE(i);
    CHECK(LargestError(*clip, i, MovingSquare(i, 48, 32)) == 0.0f);
  }
}

TEST_CASE("natural order") {
  const std::vector<std::string> ordered = {"",
                                            "1",
                                            "2a",
                                            "10",
                                            "a",
                                            "a0",
                                            "a01",
                                            "a1",
                                            "a2",
                                            "a10b2",
                                            "a10b11",
                                            "a010b12",
                                            "a99999999999999999999998",
                                            "a99999999999999999999999",
                                            "b",
                                            "b.png"};
  for (size_t i = 0; i < ordered.size(); ++i) {
    for (size_t j = 0; j < ordered.size(); ++j) {
      CAPTURE(ordered[i]);
      CAPTURE(ordered[j]);
      CHECK(clip::NaturalLess(ordered[i], ordered[j]) == (i < j));
    }
  }
}

TEST_CASE("frames are the middles of equal segments") {
  const TemporaryFolder folder;
  for (int i = 0; i < 11; ++i) {
    WriteBytes(folder / (std::to_string(i) + ".ppm"), Ppm(OneColour(static_cast<uint8_t>(20 * i), 4, 4)));
  }
  const std::vector<int> sampled[] = {{5}, {2, 8}, {1, 4, 6, 9}, {0, 1, 2, 3, 4, 6, 7, 8, 9, 10}};
  for (const std::vector<int>& taken : sampled) {
    const auto frames = static_cast<int64_t>(taken.size());
    CAPTURE(frames);
    const auto clip = ReadClip(folder.path(), {.frames = frames, .height = 4, .width = 4});
    REQUIRE_MESSAGE(clip.ok(), std::string(clip.status().message()));
    for (int64_t i = 0; i < frames; ++i) {
      CHECK(Value(*clip, 0, i, 2, 2) == static_cast<float>(20 * taken[static_cast<size_t>(i)]) / 255.0f);
    }
  }
  for (int64_t frames = 1; frames < 40; ++frames) {
    for (int64_t i = 0; i < frames; ++i) CHECK(clip::SampledFrame(i, frames, frames) == i);
  }
}

TEST_CASE("the centre is cropped to whole pixels") {
  for (const std::array<int, 4>& crop :
       {std::array{12, 8, 0, 2}, std::array{13, 8, 0, 2}, std::array{8, 13, 2, 0}, std::array{8, 40, 16, 0}}) {
    const int width = crop[0], height = crop[1], top = crop[2], left = crop[3];
    CAPTURE(width);
    CAPTURE(height);
    const TemporaryFolder folder;
    const Pixels pixels = MovingSquare(1, width, height);
    WriteBytes(folder / "a.ppm", Ppm(pixels));
    const auto clip = ReadClip(folder.path(), {.frames = 1, .height = 8, .width = 8});
    REQUIRE_MESSAGE(clip.ok(), std::string(clip.status().message()));
    CHECK(LargestError(*clip, 0, pixels, top, left) == 0.0f);
  }
}

// A triangle filter over the axis, cut off at its ends: the definition that StoreFrame is held to.
std::vector<double> ScaleAxis(const std::vector<double>& source, int target, double scale, double offset) {
  std::vector<double> scaled;
  const double support = 1 / std::min(scale, 1.0);
  for (int i = 0; i < target; ++i) {
    const double centre = (offset + i + 0.5) / scale;
    double sum = 0, weights = 0;
    for (size_t j = 0; j < source.size(); ++j) {
      const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(j) + 0.5 - centre) / support);
      sum += weight * source[j];
      weights += weight;
    }
    scaled.push_back(sum / weights);
  }
  return scaled;
}

// Of channel 0.
std::vector<double> Scale(const Pixels& pixels, int height, int width) {
  const double scale = std::max(double(width) / pixels.width, double(height) / pixels.height);
  const double left = std::max(0.0, std::floor((pixels.width * scale - width) / 2));
  const double top = std::max(0.0, std::floor((pixels.height * scale - height) / 2));
  std::vector<std::vector<double>> rows;
  for (int y = 0; y < pixels.height; ++y) {
    std::vector<double> row;
    for (int x = 0; x < pixels.width; ++x) row.push_back(pixels.at(0, y, x) / 255.0);
    rows.push_back(ScaleAxis(row, width, scale, left));
  }
  std::vector<double> scaled(static_cast<size_t>(height * width));
  for (int x = 0; x < width; ++x) {
    std::vector<double> column;
    for (const auto& row : rows) column.push_back(row[static_cast<size_t>(x)]);
    column = ScaleAxis(column, height, scale, top);
    for (int y = 0; y < height; ++y) scaled[static_cast<size_t>(y * width + x)] = column[static_cast<size_t>(y)];
  }
  return scaled;
}

TEST_CASE("scaling is a triangle filter that covers the target") {
  std::mt19937 random(7);
  const int sizes[] = {1, 2, 3, 7, 16, 31, 64, 171, 320};
  for (const int width : sizes) {
    for (const int height : sizes) {
      Pixels pixels = OneColour(0, width, height);
      for (uint8_t& value : pixels.rgb) value = static_cast<uint8_t>(random());
      for (const std::pair<int, int>& target : {std::pair{16, 16}, std::pair{1, 1}, std::pair{5, 23}}) {
        const int out_height = target.first, out_width = target.second;
        clip::Clip clip = clip::EmptyClip({.frames = 1, .height = out_height, .width = out_width});
        clip::StoreFrame({pixels.rgb.data(), static_cast<size_t>(width) * 3, width, height}, 0, clip);
        const std::vector<double> expected = Scale(pixels, out_height, out_width);
        double largest = 0;
        for (size_t i = 0; i < expected.size(); ++i) {
          largest = std::max(largest, std::abs(expected[i] - static_cast<double>(clip.values[i])));
        }
        CAPTURE(width);
        CAPTURE(height);
        CAPTURE(out_width);
        CHECK(largest < 1e-6);
      }
    }
  }
}

TEST_CASE("extents at the limits") {
  for (const auto& [width, height] : {std::pair{8192, 1}, std::pair{1, 8192}, std::pair{8192, 3}, std::pair{8191, 2}}) {
    const Pixels pixels = OneColour(51, width, height);
    for (const int64_t side : {int64_t{1}, int64_t{112}, int64_t{1000}}) {
      clip::Clip clip = clip::EmptyClip({.frames = 1, .height = side, .width = side});
      clip::StoreFrame({pixels.rgb.data(), static_cast<size_t>(width) * 3, width, height}, 0, clip);
      const auto [least, most] = std::minmax_element(clip.values.begin(), clip.values.end());
      CHECK(*least == doctest::Approx(0.2).epsilon(1e-6));
      CHECK(*most == doctest::Approx(0.2).epsilon(1e-6));
    }
  }
}

TEST_CASE("turned frames are put upright") {
  const Pixels upright = MovingSquare(3, 12, 8);
  for (int turns = 0; turns < 4; ++turns) {
    CAPTURE(turns);
    // As stored: turned anticlockwise `turns` times, a quarter each.
    Pixels stored = upright;
    for (int i = 0; i < turns; ++i) {
      Pixels turned = {stored.height, stored.width, {}};
      for (int y = 0; y < turned.height; ++y) {
        for (int x = 0; x < turned.width; ++x) {
          for (int c = 0; c < 3; ++c) turned.rgb.push_back(stored.at(c, x, stored.width - 1 - y));
        }
      }
      stored = turned;
    }
    clip::Clip clip = clip::EmptyClip({.frames = 2, .height = 8, .width = 12});
    clip::StoreFrame({stored.rgb.data(), static_cast<size_t>(stored.width) * 3, stored.width, stored.height, turns}, 1,
                     clip);
    CHECK(LargestError(clip, 1, upright) == 0.0f);
  }
}

TEST_CASE("PNG, JPEG, BMP and PPM") {
  const Pixels pixels = MovingSquare(2, 33, 32);
  const struct {
    const char* name;
    std::string bytes;
    float tolerance;
  } images[] = {{"a.png", Png(pixels), 0},
                {"a.BMP", Bmp(pixels), 0},
                {"a.ppm", "P6 # a comment\n33 # another\n32\n255\n" + Ppm(pixels).substr(13), 0},
                {"a.jpg", Jpeg(pixels, 100), 3.1f / 255},
                {"a.JPEG", Jpeg(pixels, 100, TJFLAG_PROGRESSIVE), 3.1f / 255}};
  for (const auto& image : images) {
    CAPTURE(std::string(image.name));
    const TemporaryFolder folder;
    WriteBytes(folder / image.name, image.bytes);
    const auto clip = ReadClip(folder.path(), {.frames = 1, .height = 32, .width = 33});
    REQUIRE_MESSAGE(clip.ok(), std::string(clip.status().message()));
    CHECK(LargestError(*clip, 0, pixels) <= image.tolerance);
  }
}

TEST_CASE("PNG: grey levels are colours, transparent is black") {
  const TemporaryFolder folder;
  WriteBytes(folder / "1.png", Png({2, 1, {10, 200}}, PNG_FORMAT_GRAY));
  WriteBytes(folder / "2.png", Png({2, 1, {10, 20, 30, 255, 40, 50, 60, 0}}, PNG_FORMAT_RGBA));
  const auto clip = ReadClip(folder.path(), {.frames = 2, .height = 1, .width = 2});
  REQUIRE_MESSAGE(clip.ok(), std::string(clip.status().message()));
  for (int channel = 0; channel < 3; ++channel) {
    CHECK(Value(*clip, channel, 0, 0, 0) == 10.0f / 255.0f);
    CHECK(Value(*clip, channel, 0, 0, 1) == 200.0f / 255.0f);
    CHECK(Value(*clip, channel, 1, 0, 0) == static_cast<float>(10 * (channel + 1)) / 255.0f);
    CHECK(Value(*clip, channel, 1, 0, 1) == 0.0f);
  }
}

TEST_CASE("options outside their limits") {
  const TemporaryFolder folder;
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min(),
                            std::numeric_limits<int64_t>::max(), int64_t{clip::kMaxClipValues} + 1}) {
    const std::string value = " is " + std::to_string(bad) + ", must be in [1, ";
    CheckFails(ReadClip(folder.path(), {.frames = bad}), StatusCode::kInvalidArgument, {"options.frames" + value});
    CheckFails(ReadClip(folder.path(), {.height = bad}), StatusCode::kInvalidArgument, {"options.height" + value});
    CheckFails(ReadClip(folder.path(), {.width = bad}), StatusCode::kInvalidArgument, {"options.width" + value});
  }
  CheckFails(ReadClip(folder.path(), {.width = 8193}), StatusCode::kInvalidArgument, {"8193", "[1, 8192]"});
  CheckFails(ReadClip(folder.path(), {.frames = 8, .height = 8192, .width = 8192}), StatusCode::kInvalidArgument,
             {"8 x 8192 x 8192", std::to_string(clip::kMaxClipValues)});
}

TEST_CASE("paths that cannot be read") {
  CheckFails(ReadClip("/nonexistent/clip", {}), StatusCode::kNotFound, {"'/nonexistent/clip'", "No such file"});
  CheckFails(ReadClip("", {}), StatusCode::kNotFound, {"''"});
  CheckFails(ReadClip("/dev/null", {}), StatusCode::kNotFound, {"'/dev/null'", "neither a folder nor a file"});
  const TemporaryFolder folder;
  std::filesystem::create_symlink("/nonexistent/target", folder / "link.png");
  CheckFails(ReadClip(folder.path(), {.frames = 1}), StatusCode::kNotFound, {"link.png", "No such file"});
}

// Permissions do not bind root.
TEST_CASE("files and folders without permission" * doctest::skip(geteuid() == 0)) {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  WriteBytes(folder / "a.ppm", Ppm(OneColour(1, 4, 4)));
  fs::permissions(folder / "a.ppm", fs::perms::none);
  CheckFails(ReadClip(folder.path(), {.frames = 1}), StatusCode::kNotFound, {"a.ppm", "Permission denied"});
  fs::permissions(folder.path(), fs::perms::none);
  CheckFails(ReadClip(folder.path(), {.frames = 1}), StatusCode::kNotFound, {folder.path(), "Permission denied"});
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST_CASE("folders with too few images; what is not an image is ignored") {
  const TemporaryFolder folder;
  CheckFails(ReadClip(folder.path(), {}), StatusCode::kInvalidArgument,
             {"'" + folder.path() + "' has 0 frames", "options.frames needs 16"});
  for (const char* name : {"1.ppm", "2.ppm", ".hidden.ppm", "notes.txt", "ppm", "3.gif"}) {
    WriteBytes(folder / name, Ppm(OneColour(9, 4, 4)));
  }
  std::filesystem::create_directory(folder / "folder.png");
  CheckFails(ReadClip(folder.path(), {.frames = 3}), StatusCode::kInvalidArgument, {"has 2 frames", "needs 3"});
  CHECK(ReadClip(folder.path(), {.frames = 2}).ok());
}

TEST_CASE("a file needs FFmpeg's libraries") {
  const TemporaryFolder folder;
  WriteBytes(folder / "clip.avi", "RIFF");
  CheckFails(ReadClip(folder / "clip.avi", {}), StatusCode::kUnsupported, {folder / "clip.avi", "libavformat"});
}

// Reads one image that stands alone in a folder.
lacuna::Result<clip::Clip> ReadOne(const TemporaryFolder& folder, const std::string& name, const std::string& bytes) {
  WriteBytes(folder / name, bytes);
  return ReadClip(folder.path(), {.frames = 1, .height = 8, .width = 8});
}

TEST_CASE("files that are no images") {
  for (const std::string& bytes :
       {std::string(), std::string("not an image"), std::string("P4\n1 1\n0"), std::string("\xff\xd8"),
        std::string("\x89PNG"), std::string("BM"), std::string("P6"), std::string("P6\n-4 4\n255\n")}) {
    CAPTURE(bytes);
    const TemporaryFolder folder;
    CheckFails(ReadOne(folder, "bad.png", bytes), StatusCode::kDataLoss, {folder / "bad.png", "damaged"});
  }
}

// `bytes` with a big-endian number in place.
std::string WithNumber(std::string bytes, size_t offset, size_t count, uint32_t number, bool little_endian) {
  for (size_t i = 0; i < count; ++i) {
    const size_t shift = 8 * (little_endian ? i : count - 1 - i);
    bytes[offset + i] = static_cast<char>(number >> shift);
  }
  return bytes;
}

TEST_CASE("headers that claim absurd extents") {
  const Pixels pixels = MovingSquare(0, 16, 16);
  const std::string jpeg = Jpeg(pixels, 90);
  const size_t sof = jpeg.find("\xff\xc0");
  REQUIRE(sof != std::string::npos);
  // libpng checks the header's CRC, so a changed one needs its own: of 100000 x 100000, 8 bits, RGB.
  std::string png = WithNumber(WithNumber(Png(pixels), 16, 4, 100000, false), 20, 4, 100000, false);
  uint32_t crc = 0xffffffffu;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<uint8_t>(png[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  png = WithNumber(png, 29, 4, ~crc, false);
  const std::string bmp = Bmp(pixels);
  const struct {
    std::string bytes, extents;
  } images[] = {
      {"P6\n100000 100000\n255\n", "100000 x 100000"},
      {"P6\n99999999999999999999999999 1\n255\n", "x 1 pixels"},
      {"P3\n8193 1\n255\n", "8193 x 1 "},
      {png, "100000 x 100000"},
      {WithNumber(WithNumber(jpeg, sof + 5, 2, 60000, false), sof + 7, 2, 50000, false), "50000 x 60000"},
      {WithNumber(WithNumber(bmp, 18, 4, 100000, true), 22, 4, 100000, true), "100000 x 100000"},
  };
  for (const auto& image : images) {
    const TemporaryFolder folder;
    CAPTURE(image.extents);
    CheckFails(ReadOne(folder, "absurd.png", image.bytes), StatusCode::kUnsupported,
               {folder / "absurd.png", image.extents, "8192 x 8192"});
  }
  const TemporaryFolder folder;
  CheckFails(ReadOne(folder, "a.bmp", WithNumber(bmp, 22, 4, static_cast<uint32_t>(-16), true)),
             StatusCode::kUnsupported, {"a.bmp", "top row first"});
}

TEST_CASE("truncated images are errors, damaged ones an error or a clip") {
  const Pixels pixels = MovingSquare(1, 24, 20);
  const struct {
    const char* name;
    std::string bytes;
    size_t needed;                                                // of its bytes
  } images[] = {{"a.png", Png(pixels), Png(pixels).size() - 16},  // the image ends before the end chunk
                {"a.jpg", Jpeg(pixels, 80), Jpeg(pixels, 80).size()},
                {"p.jpg", Jpeg(pixels, 80, TJFLAG_PROGRESSIVE), Jpeg(pixels, 80, TJFLAG_PROGRESSIVE).size()},
                {"a.bmp", Bmp(pixels), Bmp(pixels).size()},
                {"a.ppm", Ppm(pixels), Ppm(pixels).size()}};
  for (const auto& image : images) {
    CAPTURE(std::string(image.name));
    const TemporaryFolder folder;
    REQUIRE(ReadOne(folder, image.name, image.bytes).ok());
    for (size_t size = 0; size < image.needed; ++size) {
      CAPTURE(size);
      CheckFails(ReadOne(folder, image.name, image.bytes.substr(0, size)), StatusCode::kDataLoss, {image.name});
    }
    clip_files::ForEachDamage(image.bytes, 1000, [&](const std::string& bytes) {
      const auto clip = ReadOne(folder, image.name, bytes);
      if (clip.ok()) {
        CheckWhole(*clip, {.frames = 1, .height = 8, .width = 8});
      } else {
        CHECK(std::string(clip.status().message()).find(image.name) != std::string::npos);
      }
    });
  }
}

}  // namespace
