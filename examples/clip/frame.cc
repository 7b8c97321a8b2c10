#include "clip/frame.h"

#include <algorithm>
#include <cmath>

namespace clip {
namespace {

using lacuna::Status;
using lacuna::StatusCode;

constexpr int64_t kChannels = 3;

// How one axis is scaled and cropped: output i is the sum of weights[i * taps + j] * source[begin[i] + j] over j <
// taps.
struct Axis {
  int64_t taps;
  std::vector<int64_t> begin;
  std::vector<float> weights;
};

// A triangle around each output's centre, cut off at the edges and normalised, as Pillow and torchvision do.
Axis MakeAxis(int64_t source, int64_t target, double scale) {
  const double crop =
      std::max(0.0, std::floor((static_cast<double>(source) * scale - static_cast<double>(target)) / 2));
  const double radius = 1 / std::min(scale, 1.0);
  Axis axis;
  axis.taps = std::min(source, static_cast<int64_t>(2 * radius) + 1);
  axis.weights.resize(static_cast<size_t>(target * axis.taps));
  float* weights = axis.weights.data();
  for (int64_t i = 0; i < target; ++i, weights += axis.taps) {
    const double centre = (crop + static_cast<double>(i) + 0.5) / scale - 0.5;
    const auto first = static_cast<int64_t>(std::ceil(centre - radius));
    const int64_t begin = std::clamp(first, int64_t{0}, source - axis.taps);
    axis.begin.push_back(begin);
    double sum = 0;
    const auto weight = [&](int64_t j) {
      return std::max(0.0, 1 - std::abs(static_cast<double>(begin + j) - centre) / radius);
    };
    for (int64_t j = 0; j < axis.taps; ++j) sum += weight(j);
    for (int64_t j = 0; j < axis.taps; ++j) weights[j] = static_cast<float>(weight(j) / sum);
  }
  return axis;
}

// A row of pixels of kChannels values each.
void ScaleRow(const uint8_t* source, const Axis& axis, float* out) {
  const float* weights = axis.weights.data();
  for (const int64_t begin : axis.begin) {
    const uint8_t* pixel = source + begin * kChannels;
    for (int64_t channel = 0; channel < kChannels; ++channel) {
      float sum = 0;
      for (int64_t j = 0; j < axis.taps; ++j) sum += weights[j] * static_cast<float>(pixel[j * kChannels + channel]);
      *out++ = sum;
    }
    weights += axis.taps;
  }
}

// The scaled and cropped frame, [height][width][kChannels] in [0, 255].
std::vector<float> Scale(const Frame& frame, int64_t height, int64_t width) {
  const double scale = std::max(static_cast<double>(width) / static_cast<double>(frame.width),
                                static_cast<double>(height) / static_cast<double>(frame.height));
  const Axis columns = MakeAxis(frame.width, width, scale), rows = MakeAxis(frame.height, height, scale);
  const int64_t row_values = width * kChannels;
  const int64_t first = rows.begin.front(), last = rows.begin.back() + rows.taps;
  std::vector<float> narrow(static_cast<size_t>((last - first) * row_values));
  for (int64_t y = first; y < last; ++y) {
    ScaleRow(frame.rgb + static_cast<size_t>(y) * frame.stride, columns, narrow.data() + (y - first) * row_values);
  }
  std::vector<float> scaled(static_cast<size_t>(height * row_values));
  for (int64_t y = 0; y < height; ++y) {
    float* out = scaled.data() + y * row_values;
    for (int64_t j = 0; j < rows.taps; ++j) {
      const float weight = rows.weights[static_cast<size_t>(y * rows.taps + j)];
      const float* in = narrow.data() + (rows.begin[static_cast<size_t>(y)] + j - first) * row_values;
      for (int64_t i = 0; i < row_values; ++i) out[i] += weight * in[i];
    }
  }
  return scaled;
}

}  // namespace

Status CheckFrameSize(int64_t width, int64_t height, const std::string& source) {
  if (width < 1 || height < 1) {
    return Status::Make(StatusCode::kDataLoss, "'%s' is damaged: a frame of %lld x %lld pixels", source.c_str(),
                        static_cast<long long>(width), static_cast<long long>(height));
  }
  if (width > kMaxFrameSide || height > kMaxFrameSide) {
    return Status::Make(StatusCode::kUnsupported, "'%s' has frames of %lld x %lld pixels, the limit is %lld x %lld",
                        source.c_str(), static_cast<long long>(width), static_cast<long long>(height),
                        static_cast<long long>(kMaxFrameSide), static_cast<long long>(kMaxFrameSide));
  }
  return Status();
}

Status CheckFrameCount(int64_t count, const ClipOptions& options, const std::string& source) {
  if (count >= options.frames) return Status();
  return Status::InvalidArgument("'%s' has %lld frames, options.frames needs %lld", source.c_str(),
                                 static_cast<long long>(count), static_cast<long long>(options.frames));
}

Clip EmptyClip(const ClipOptions& options) {
  const auto values = static_cast<size_t>(kChannels * options.frames * options.height * options.width);
  return {options.frames, options.height, options.width, std::vector<float>(values)};
}

void StoreFrame(const Frame& frame, int64_t index, Clip& clip) {
  const bool sideways = frame.turns % 2 != 0;
  const int64_t width = sideways ? clip.height : clip.width;
  const int64_t height = sideways ? clip.width : clip.height;
  const std::vector<float> scaled = Scale(frame, height, width);

  // Pixel (y, x) of the upright frame is pixel origin + y * down + x * right of the scaled one.
  const struct {
    int64_t origin, down, right;
  } turns[] = {
      {0, width, 1}, {(height - 1) * width, 1, -width}, {height * width - 1, -width, -1}, {width - 1, -1, width}};
  const auto& turn = turns[frame.turns];
  const int64_t plane = clip.height * clip.width;
  for (int64_t channel = 0; channel < kChannels; ++channel) {
    float* out = clip.values.data() + (channel * clip.frames + index) * plane;
    for (int64_t y = 0; y < clip.height; ++y) {
      for (int64_t x = 0; x < clip.width; ++x) {
        const int64_t pixel = turn.origin + y * turn.down + x * turn.right;
        // The weights sum to one but for rounding.
        *out++ = std::min(scaled[static_cast<size_t>(pixel * kChannels + channel)] / 255.0f, 1.0f);
      }
    }
  }
}

}  // namespace clip
