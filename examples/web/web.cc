#include "web/web.h"

#include <lacuna/conv.h>
#include <lacuna/prune.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "layers.h"

namespace {

using lacuna::AnyWeights;
using lacuna::DenseWeights;
using lacuna::Result;
using lacuna::Status;
using Shape = lacuna::ConvShape<2>;
using Input = lacuna::TensorView<const float, 4>;
using Output = lacuna::TensorView<float, 4>;

std::string& Message() {
  static std::string message;
  return message;
}

bool Succeeded(const Status& status) {
  if (!status.ok()) Message() = status.message();
  return status.ok();
}

// Numbers in (-1, 1), nearly Gaussian, the same on every machine.
class Numbers {
 public:
  float Next() {
    int32_t sum = 0;
    for (int i = 0; i < 4; ++i) {
      state_ = state_ * 1664525u + 1013904223u;
      sum += static_cast<int32_t>(state_ >> 16) - 32768;
    }
    return static_cast<float>(sum) / 131072.0f;
  }

 private:
  uint32_t state_ = 1;
};

// A convolution of square images with its memory.
class Convolution {
 public:
  static Result<Convolution> Make(const Shape& shape, const AnyWeights<float>* pruned, const DenseWeights<float>& dense,
                                  const lacuna::Epilogue& epilogue, std::string_view scheme) {
    lacuna::WinogradPolicy policy;
    policy.scheme = scheme;
    auto plan = pruned != nullptr ? lacuna::MakeConvolution<2>(*pruned, shape, epilogue, policy)
                                  : lacuna::MakeConvolution<2>(dense, shape, epilogue, policy);
    if (!plan.ok()) return plan.status();
    Convolution result(std::move(*plan), shape);
    result.workspace_.resize(result.plan_.WorkspaceBytes(/*threads=*/1));
    return result;
  }

  Status Run(const float* x, float* y, const float* residual = nullptr) {
    lacuna::RunArgs<2> args{.workspace = workspace_};
    if (residual != nullptr) args.residual = Input::Planar(residual, shape_.output_tensor());
    return plan_.Run(Input::Planar(x, shape_.input_tensor()), Output::Planar(y, shape_.output_tensor()), args);
  }

 private:
  Convolution(lacuna::Convolution<2> plan, const Shape& shape) : plan_(std::move(plan)), shape_(shape) {}

  lacuna::Convolution<2> plan_;
  Shape shape_;
  std::vector<std::byte> workspace_{};
};

struct MeasuredLayer {
  Convolution convolution;
  std::vector<float> input, output;
  double dense = 0.0, kept = 0.0;
};

std::optional<MeasuredLayer>& Opened() {
  static std::optional<MeasuredLayer> layer;
  return layer;
}

std::string NameOf(const lacuna::bench::Layer& layer) { return std::string(layer.network) + "." + layer.name; }

Result<MeasuredLayer> Open(std::string_view name, std::string_view scheme_name) {
  const auto& layers = lacuna::bench::kLayers;
  const auto* layer = std::find_if(std::begin(layers), std::end(layers), [&](const lacuna::bench::Layer& one) {
    return one.op == lacuna::bench::Op::kConv2d && NameOf(one) == name;
  });
  if (layer == std::end(layers)) {
    return Status::InvalidArgument("layer is \"%.40s\", must be one of web_layers()", std::string(name).c_str());
  }
  const Shape shape{.in_channels = layer->in_channels,
                    .out_channels = layer->out_channels,
                    .groups = layer->groups,
                    .input = {layer->input[1], layer->input[2]},
                    .kernel = {layer->kernel[1], layer->kernel[2]},
                    .stride = {layer->stride[1], layer->stride[2]},
                    .pad_begin = {layer->pad[1], layer->pad[2]},
                    .pad_end = {layer->pad[1], layer->pad[2]}};
  auto scheme = lacuna::prune::ParseScheme(scheme_name);
  if (!scheme.ok()) return scheme.status();
  Numbers numbers;
  std::vector<float> weights(static_cast<size_t>(lacuna::MatrixShapeOf(shape).elements()));
  for (float& w : weights) w = 0.1f * numbers.Next();
  auto dense = DenseWeights<float>::View(lacuna::MatrixShapeOf(shape), weights);
  if (!dense.ok()) return dense.status();
  const int64_t taps = shape.kernel[0] * shape.kernel[1];
  std::optional<AnyWeights<float>> pruned;
  if (scheme->kind != lacuna::prune::SchemeKind::kDense) {
    auto projected = lacuna::prune::Project(*dense, *scheme, taps);
    if (!projected.ok()) return projected.status();
    pruned = std::move(*projected);
  }
  auto convolution = Convolution::Make(shape, pruned ? &*pruned : nullptr, *dense, {}, scheme_name);
  if (!convolution.ok()) return convolution.status();
  MeasuredLayer result{std::move(*convolution), {}, {}};
  result.input.resize(static_cast<size_t>(shape.in_channels * shape.input[0] * shape.input[1]));
  for (float& x : result.input) x = numbers.Next();
  const auto extents = shape.output_tensor();
  const int64_t positions = extents[2] * extents[3];
  result.output.resize(static_cast<size_t>(shape.out_channels * positions));
  const auto outputs = static_cast<double>(positions);
  result.dense = static_cast<double>(weights.size()) * outputs;
  result.kept = pruned ? static_cast<double>(pruned->nnz()) * outputs : result.dense;
  return result;
}

// Five 3x3 convolutions of 8 x 8 images, two of them with a residual, as examples/digits trains it.
class Digits {
 public:
  static constexpr std::array<int64_t, 6> kChannels = {1, 16, 32, 32, 64, 64};
  static constexpr std::array<int64_t, 5> kSides = {8, 8, 8, 4, 4};
  static constexpr std::array<bool, 5> kResidual = {false, false, true, false, true};
  static constexpr size_t kClasses = 10;

  static Result<Digits> Make(const lacuna::prune::Scheme& scheme, std::span<const float> values) {
    Digits digits;
    size_t at = 0;
    const auto take = [&](int64_t count) {
      const std::span<const float> taken = values.subspan(at, static_cast<size_t>(count));
      at += static_cast<size_t>(count);
      return taken;
    };
    int64_t needed = kChannels[5] * static_cast<int64_t>(kClasses) + static_cast<int64_t>(kClasses);
    for (size_t i = 0; i < kSides.size(); ++i) needed += kChannels[i + 1] * (9 * kChannels[i] + 1);
    if (static_cast<int64_t>(values.size()) != needed) {
      return Status::InvalidArgument("the network has %zu values, must have %lld", values.size(),
                                     static_cast<long long>(needed));
    }
    for (size_t i = 0; i < kSides.size(); ++i) {
      const Shape shape{.in_channels = kChannels[i],
                        .out_channels = kChannels[i + 1],
                        .input = {kSides[i], kSides[i]},
                        .kernel = {3, 3},
                        .pad_begin = {1, 1},
                        .pad_end = {1, 1}};
      const auto weights = take(9 * kChannels[i] * kChannels[i + 1]);
      const auto bias = take(kChannels[i + 1]);
      auto dense = DenseWeights<float>::View(lacuna::MatrixShapeOf(shape), weights);
      if (!dense.ok()) return dense.status();
      const auto nnz =
          static_cast<int32_t>(weights.size() - static_cast<size_t>(std::count(weights.begin(), weights.end(), 0.0f)));
      std::optional<AnyWeights<float>> pruned;
      if (static_cast<size_t>(nnz) != weights.size() && scheme.kind != lacuna::prune::SchemeKind::kDense) {
        auto cover = lacuna::prune::Cover(*dense, scheme, 9);
        if (!cover.ok()) return cover.status();
        pruned = std::move(*cover);
      }
      auto made = Convolution::Make(shape, pruned ? &*pruned : nullptr, *dense,
                                    {.bias = bias, .activation = lacuna::Activation::kRelu, .residual = kResidual[i]},
                                    scheme.Name());
      if (!made.ok()) return made.status();
      digits.layers_.push_back(std::move(*made));
      digits.weights_ += static_cast<int32_t>(weights.size());
      digits.kept_ += nnz;
    }
    const auto last = values.subspan(at);
    digits.last_.assign(last.begin(), last.end());
    return digits;
  }

  int32_t weights() const { return weights_; }
  int32_t kept() const { return kept_; }

  Status Run(const float* image, float* logits) {
    LACUNA_RETURN_IF_ERROR(layers_[0].Run(image, a_.data()));
    LACUNA_RETURN_IF_ERROR(layers_[1].Run(a_.data(), b_.data()));
    LACUNA_RETURN_IF_ERROR(layers_[2].Run(b_.data(), a_.data(), b_.data()));
    for (size_t channel = 0; channel < 32; ++channel) {  // 2 x 2 max pooling
      for (size_t h = 0; h < 4; ++h) {
        for (size_t w = 0; w < 4; ++w) {
          const float* from = a_.data() + channel * 64 + h * 16 + w * 2;
          b_[channel * 16 + h * 4 + w] = std::max(std::max(from[0], from[1]), std::max(from[8], from[9]));
        }
      }
    }
    LACUNA_RETURN_IF_ERROR(layers_[3].Run(b_.data(), a_.data()));
    LACUNA_RETURN_IF_ERROR(layers_[4].Run(a_.data(), b_.data(), a_.data()));
    for (size_t c = 0; c < kClasses; ++c) {
      float sum = last_[kClasses * 64 + c];
      for (size_t channel = 0; channel < 64; ++channel) {
        float mean = 0.0f;
        for (size_t i = 0; i < 16; ++i) mean += b_[channel * 16 + i];
        sum += last_[c * 64 + channel] * mean / 16.0f;
      }
      logits[c] = sum;
    }
    return Status();
  }

 private:
  std::vector<Convolution> layers_{};
  std::vector<float> last_{};  // the product's [10][64], then its bias
  std::array<float, 32 * 64> a_{}, b_{};
  int32_t weights_ = 0, kept_ = 0;
};

constexpr int32_t kSlots = 8;

std::array<std::optional<Digits>, kSlots>& Networks() {
  static std::array<std::optional<Digits>, kSlots> networks;
  return networks;
}

Digits* NetworkIn(int32_t slot) {
  if (slot < 0 || slot >= kSlots || !Networks()[static_cast<size_t>(slot)]) return nullptr;
  return &*Networks()[static_cast<size_t>(slot)];
}

}  // namespace

const char* web_target() { return lacuna::ActiveTargetName(); }
int32_t web_lanes() { return static_cast<int32_t>(lacuna::ActiveKernels<>().lanes); }

const char* web_layers() {
  static const std::string names = [] {
    std::string all;
    for (const auto& layer : lacuna::bench::kLayers) {
      if (layer.op != lacuna::bench::Op::kConv2d) continue;
      if (!all.empty()) all += ' ';
      all += NameOf(layer);
    }
    return all;
  }();
  return names.c_str();
}

int32_t web_open(const char* layer, const char* scheme) {
  Opened().reset();  // two do not fit
  auto opened = Open(layer, scheme);
  if (!Succeeded(opened.status())) return 0;
  Opened().emplace(std::move(*opened));
  return 1;
}

double web_dense_multiply_adds() { return Opened() ? Opened()->dense : 0.0; }
double web_kept_multiply_adds() { return Opened() ? Opened()->kept : 0.0; }

int32_t web_run() {
  if (!Opened()) {
    Message() = "no layer was prepared";
    return 0;
  }
  MeasuredLayer& layer = *Opened();
  return Succeeded(layer.convolution.Run(layer.input.data(), layer.output.data())) ? 1 : 0;
}

double web_checksum() {
  if (!Opened()) return 0.0;
  double sum = 0.0;
  size_t i = 0;
  for (const float y : Opened()->output) sum += static_cast<double>(y) * static_cast<double>(1 + i++ % 1009);
  return sum;
}

const char* web_message() { return Message().c_str(); }

int32_t web_digits_load(int32_t slot, const char* scheme, const float* values, int32_t count) {
  if (slot < 0 || slot >= kSlots || count < 0) {
    Message() = "slot must be 0 to 7, count at least 0";
    return 0;
  }
  const auto parsed = lacuna::prune::ParseScheme(scheme);
  if (!Succeeded(parsed.status())) return 0;
  auto digits = Digits::Make(*parsed, {values, static_cast<size_t>(count)});
  if (!Succeeded(digits.status())) return 0;
  Networks()[static_cast<size_t>(slot)].emplace(std::move(*digits));
  return 1;
}

int32_t web_digits_kept(int32_t slot) { return NetworkIn(slot) == nullptr ? 0 : NetworkIn(slot)->kept(); }
int32_t web_digits_weights(int32_t slot) { return NetworkIn(slot) == nullptr ? 0 : NetworkIn(slot)->weights(); }

int32_t web_digits_run(int32_t slot, const float* image, float* logits) {
  Digits* digits = NetworkIn(slot);
  if (digits == nullptr) {
    Message() = "no network in this slot";
    return 0;
  }
  return Succeeded(digits->Run(image, logits)) ? 1 : 0;
}
