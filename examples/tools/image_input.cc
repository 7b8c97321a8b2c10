#include "tools/image_input.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <utility>

#include "tools/clip_module.h"
#include "tools/parse_number.h"

namespace tools {
namespace {

using graph::Result;
using graph::Shape;
using graph::Status;
using graph::Tensor;

constexpr int64_t kRgb = 3;

// One number for all channels, or one for each, finite, and above 0 if `positive`.
Result<std::array<float, kRgb>> Channels(const char* option, const std::string& text, float fallback, bool positive) {
  std::array<float, kRgb> values;
  values.fill(fallback);
  if (text.empty()) return values;
  const auto bad = [&] {
    return Status::InvalidArgument("%s is '%.60s', must be one finite number, or three separated by commas%s", option,
                                   text.c_str(), positive ? ", above 0" : "");
  };
  size_t count = 0;
  for (size_t begin = 0; begin <= text.size(); ++count) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (count == values.size()) return bad();
    float& value = values[count];
    if (!ParseNumber(std::string_view(text).substr(begin, end - begin), value)) return bad();
    if (!std::isfinite(value) || (positive && value <= 0.0f)) return bad();
    begin = end + 1;
  }
  if (count == 1) values.fill(values[0]);
  return count == 1 || count == values.size() ? Result<std::array<float, kRgb>>(values) : bad();
}

// Height and width; zeros where none is given.
Result<std::array<int64_t, 2>> SizeOf(const std::string& text) {
  std::array<int64_t, 2> size = {0, 0};
  if (text.empty()) return size;
  const size_t cross = text.find('x');
  const std::string_view all = text;
  if (cross != std::string::npos && ParseNumber(all.substr(0, cross), size[0]) &&
      ParseNumber(all.substr(cross + 1), size[1]) && std::min(size[0], size[1]) > 0) {
    return size;
  }
  return Status::InvalidArgument("--size is '%.40s', must be HEIGHTxWIDTH, as 480x640", text.c_str());
}

// Where an input has its channels, height and width.
struct Axes {
  size_t channels, height, width;
};

Result<Axes> AxesOf(const graph::ValueInfo& input, const std::string& layout) {
  const Shape& shape = input.shape;
  const auto is_colours = [&](size_t axis) { return shape[axis] == kRgb || shape[axis] == 1; };
  if (shape.size() == 4 && layout != "nhwc" && is_colours(1)) return Axes{1, 2, 3};
  if (shape.size() == 4 && layout != "nchw" && is_colours(3)) return Axes{3, 1, 2};
  return Status::InvalidArgument(
      "--input gives an image for '%.60s', whose shape is %s, must be [batch, 3 or 1, "
      "height, width] or [batch, height, width, 3 or 1]%s",
      input.name.c_str(), graph::ToString(shape).c_str(), layout == "auto" ? "" : " as --image-layout says");
}

}  // namespace

void AddImageOptions(CLI::App& app, ImageArguments& arguments) {
  app.add_option("--mean", arguments.mean,
                 "of an image: what is subtracted from its pixels, 0 to 255: one number, or R,G,B; default: 0");
  app.add_option("--std", arguments.deviation,
                 "of an image: by what pixels are divided then; default: 255, 1 for inputs of integers");
  app.add_option(
      "--size", arguments.size,
      "of an image: HEIGHTxWIDTH to scale and crop it to where the model leaves them open; default: its own");
  app.add_option("--image-layout", arguments.layout,
                 "of an image: where the input has its channels; auto: where it has 3 or 1 of them")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "nchw", "nhwc"}));
  app.add_flag("--bgr", arguments.bgr, "of an image: blue comes first; --mean and --std are R,G,B all the same");
}

bool IsImageFile(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string_view known[] = {".png", ".jpg", ".jpeg", ".bmp", ".ppm"};
  return std::find(std::begin(known), std::end(known), extension) != std::end(known);
}

Result<NamedTensor> ImageExtents(const std::string& name, const std::string& path, const ImageArguments& arguments) {
  LACUNA_ASSIGN_OR_RETURN(size, SizeOf(arguments.size));
  if (size[0] == 0) {
    LACUNA_ASSIGN_OR_RETURN(image, LoadAndReadStill(path, 0, 0));
    size = {image.height, image.width};
  }
  Tensor tensor;
  tensor.shape = arguments.layout == "nhwc" ? Shape{1, size[0], size[1], kRgb} : Shape{1, kRgb, size[0], size[1]};
  return NamedTensor{name, std::move(tensor)};
}

Result<Tensor> ReadImageInput(const std::string& path, const graph::ValueInfo& input, const ImageArguments& arguments) {
  LACUNA_ASSIGN_OR_RETURN(axes, AxesOf(input, arguments.layout));
  LACUNA_ASSIGN_OR_RETURN(mean, Channels("--mean", arguments.mean, 0.0f, /*positive=*/false));
  LACUNA_ASSIGN_OR_RETURN(deviation, Channels("--std", arguments.deviation,
                                              graph::IsFloating(input.type) ? 255.0f : 1.0f, /*positive=*/true));
  const int64_t height = input.shape[axes.height], width = input.shape[axes.width];
  LACUNA_ASSIGN_OR_RETURN(image, LoadAndReadStill(path, height, width));
  const int64_t channels = input.shape[axes.channels], plane = height * width;
  const bool planar = axes.channels == 1;
  Tensor tensor = Tensor::Zeros(graph::ElementType::kFloat, input.shape);
  const auto pixel = [&](int64_t channel, int64_t i) {
    return image.values[static_cast<size_t>(channel * plane + i)] * 255.0f;
  };
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t colour = arguments.bgr && channels == kRgb ? kRgb - 1 - c : c;
    const auto at = static_cast<size_t>(colour);
    for (int64_t i = 0; i < plane; ++i) {
      const float value =
          channels == kRgb ? pixel(colour, i) : 0.299f * pixel(0, i) + 0.587f * pixel(1, i) + 0.114f * pixel(2, i);
      tensor.floats[static_cast<size_t>(planar ? c * plane + i : i * channels + c)] =
          (value - mean[at]) / deviation[at];
    }
  }
  const auto item = static_cast<std::ptrdiff_t>(channels * plane);
  for (int64_t n = 1; n < input.shape[0]; ++n) {
    std::copy_n(tensor.floats.begin(), item, tensor.floats.begin() + n * item);
  }
  return tensor;
}

}  // namespace tools
