#include "clip/image.h"

#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <span>
#include <system_error>

#include "clip/frame.h"

namespace clip {
namespace {

using lacuna::Result;
using lacuna::Status;
using lacuna::StatusCode;

using Bytes = std::span<const uint8_t>;

// A raw image of kMaxFrameSide squared has 192 MiB.
constexpr int64_t kMaxFileBytes = int64_t{1} << 28;

Status Damaged(const std::string& path, const char* why) {
  return Status::Make(StatusCode::kDataLoss, "'%s' is damaged or not an image: %s", path.c_str(), why);
}

Result<std::vector<uint8_t>> ReadBytes(const std::string& path) {
  const auto unreadable = [&path](const char* why) {
    return Status::Make(StatusCode::kNotFound, "cannot read '%s': %s", path.c_str(), why);
  };
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error) return unreadable(error.message().c_str());
  if (!std::filesystem::is_regular_file(status)) return unreadable("not a file");  // a pipe would block
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return unreadable(errno != 0 ? std::strerror(errno) : "it does not open");
  const auto size = static_cast<int64_t>(file.tellg());
  if (size < 0) return unreadable("its size is unknown");
  if (size > kMaxFileBytes) {
    return Status::Make(StatusCode::kUnsupported, "'%s' has %lld bytes, the limit is %lld", path.c_str(),
                        static_cast<long long>(size), static_cast<long long>(kMaxFileBytes));
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  file.seekg(0);
  if (size > 0 && !file.read(reinterpret_cast<char*>(bytes.data()), size)) return unreadable("read error");
  return bytes;
}

Image EmptyImage(int64_t width, int64_t height) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
}

Result<Image> ReadPng(Bytes bytes, const std::string& path) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_image*)> guard(&png, png_image_free);
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) return Damaged(path, png.message);
  LACUNA_RETURN_IF_ERROR(CheckFrameSize(png.width, png.height, path));
  png.format = PNG_FORMAT_RGB;
  Image image = EmptyImage(png.width, png.height);  // libpng lays transparent pixels over what is there: black
  if (!png_image_finish_read(&png, nullptr, image.rgb.data(), 0, nullptr)) return Damaged(path, png.message);
  return image;
}

Result<Image> ReadJpeg(Bytes bytes, const std::string& path) {
  const std::unique_ptr<void, int (*)(tjhandle)> jpeg(tjInitDecompress(), tjDestroy);
  if (jpeg == nullptr) return Status::OutOfMemory("JPEG decoder", 0);
  int width = 0, height = 0, subsampling = 0, colorspace = 0;
  const auto size = static_cast<unsigned long>(bytes.size());
  if (tjDecompressHeader3(jpeg.get(), bytes.data(), size, &width, &height, &subsampling, &colorspace) != 0) {
    return Damaged(path, tjGetErrorStr2(jpeg.get()));
  }
  LACUNA_RETURN_IF_ERROR(CheckFrameSize(width, height, path));
  Image image = EmptyImage(width, height);
  // A truncated file is a warning to libjpeg. The limit on scans stops small files that take hours.
  constexpr int kFlags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;
  if (tjDecompress2(jpeg.get(), bytes.data(), size, image.rgb.data(), width, 0, height, TJPF_RGB, kFlags) != 0) {
    return Damaged(path, tjGetErrorStr2(jpeg.get()));
  }
  return image;
}

uint32_t LittleEndian(Bytes bytes, size_t offset, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= static_cast<uint32_t>(bytes[offset + i]) << (8 * i);
  return value;
}

struct Extents {
  int64_t width, height;
};

// Of a BMP's header: 16-bit extents in the oldest version, else signed 32-bit ones. {0, 0} if it is cut short.
Extents BmpExtents(Bytes bytes) {
  if (bytes.size() < 26) return {0, 0};
  if (LittleEndian(bytes, 14, 4) == 12) return {LittleEndian(bytes, 18, 2), LittleEndian(bytes, 20, 2)};
  return {static_cast<int32_t>(LittleEndian(bytes, 18, 4)), static_cast<int32_t>(LittleEndian(bytes, 22, 4))};
}

// Of a PPM's header: P, a digit, then numbers between white space and comments. {0, 0} if it is cut short.
Extents PpmExtents(Bytes bytes) {
  int64_t numbers[2] = {0, 0};
  size_t at = 2;
  for (int64_t& number : numbers) {
    while (at < bytes.size() && (std::isspace(bytes[at]) || bytes[at] == '#')) {
      if (bytes[at] == '#') {
        while (at < bytes.size() && bytes[at] != '\n') ++at;
      } else {
        ++at;
      }
    }
    // Far above the limit, more digits do not matter.
    for (; at < bytes.size() && std::isdigit(bytes[at]); ++at) {
      if (number < 1000000000) number = number * 10 + (bytes[at] - '0');
    }
  }
  return {numbers[0], numbers[1]};
}

// BMP and PPM. The library takes a path and allocates what the header says, so `extents` are checked before.
Result<Image> ReadRaw(Extents extents, const std::string& path) {
  if (extents.height < 0) {
    return Status::Make(StatusCode::kUnsupported, "'%s' is a BMP with its top row first, supported is bottom row first",
                        path.c_str());
  }
  LACUNA_RETURN_IF_ERROR(CheckFrameSize(extents.width, extents.height, path));
  int width = 0, height = 0, format = TJPF_RGB;
  const std::unique_ptr<uint8_t, void (*)(uint8_t*)> pixels(tjLoadImage(path.c_str(), &width, 1, &height, &format, 0),
                                                            tjFree);
  if (pixels == nullptr) return Damaged(path, tjGetErrorStr2(nullptr));
  LACUNA_RETURN_IF_ERROR(CheckFrameSize(width, height, path));
  return Image{width, height, std::vector<uint8_t>(pixels.get(), pixels.get() + int64_t{3} * width * height)};
}

}  // namespace

Result<Image> ReadImage(const std::string& path) {
  LACUNA_ASSIGN_OR_RETURN(bytes, ReadBytes(path));
  const auto begins_with = [&bytes](std::initializer_list<uint8_t> magic) {
    return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
  };
  if (begins_with({0x89, 'P', 'N', 'G'})) return ReadPng(bytes, path);
  if (begins_with({0xff, 0xd8})) return ReadJpeg(bytes, path);
  if (begins_with({'B', 'M'})) return ReadRaw(BmpExtents(bytes), path);
  if (begins_with({'P', '3'}) || begins_with({'P', '6'})) return ReadRaw(PpmExtents(bytes), path);
  return Damaged(path, bytes.empty() ? "it is empty" : "it is neither PNG, JPEG, BMP nor PPM");
}

}  // namespace clip
