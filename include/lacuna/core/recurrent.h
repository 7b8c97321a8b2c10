// What defines a recurrent cell besides its weights: gate functions and options, with ONNX's semantics.

#ifndef LACUNA_CORE_RECURRENT_H_
#define LACUNA_CORE_RECURRENT_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace lacuna::inline LACUNA_ABI {

// The activations of ONNX's recurrent operators.
enum class GateActivation : uint8_t {
  kRelu,             // max(v, 0)
  kTanh,             // tanh(v)
  kSigmoid,          // 1 / (1 + exp(-v))
  kAffine,           // alpha * v + beta
  kLeakyRelu,        // v >= 0 ? v : alpha * v
  kThresholdedRelu,  // v >= alpha ? v : 0
  kScaledTanh,       // alpha * tanh(beta * v)
  kHardSigmoid,      // min(max(alpha * v + beta, 0), 1)
  kElu,              // v >= 0 ? v : alpha * (exp(v) - 1)
  kSoftsign,         // v / (1 + |v|)
  kSoftplus,         // log(1 + exp(v))
};
inline constexpr int kGateActivations = 11;

// An activation with its parameters. All let NaN through.
struct GateFunction {
  GateActivation activation = GateActivation::kTanh;
  float alpha = 0.0f;
  float beta = 0.0f;

  // The activation with ONNX's default parameters.
  static constexpr GateFunction Of(GateActivation activation) {
    switch (activation) {
      case GateActivation::kAffine: return {activation, 1.0f, 0.0f};
      case GateActivation::kLeakyRelu: return {activation, 0.01f, 0.0f};
      case GateActivation::kThresholdedRelu: return {activation, 1.0f, 0.0f};
      case GateActivation::kScaledTanh: return {activation, 1.0f, 1.0f};
      case GateActivation::kHardSigmoid: return {activation, 0.2f, 0.5f};
      case GateActivation::kElu: return {activation, 1.0f, 0.0f};
      default: return {activation, 0.0f, 0.0f};
    }
  }
  // ONNX's name of an activation, in any case, with default parameters.
  static Result<GateFunction> Parse(std::string_view name);

  Status Validate(const char* name) const {
    if (static_cast<int>(activation) >= kGateActivations) {
      return Status::InvalidArgument("%s.activation is %d, must be a GateActivation", name,
                                     static_cast<int>(activation));
    }
    if (std::isnan(alpha) || std::isnan(beta)) {
      return Status::InvalidArgument("%s has alpha %g and beta %g, both must be numbers", name,
                                     static_cast<double>(alpha), static_cast<double>(beta));
    }
    return Status();
  }
};

inline constexpr GateFunction kSigmoidGate = GateFunction::Of(GateActivation::kSigmoid);
inline constexpr GateFunction kTanhGate = GateFunction::Of(GateActivation::kTanh);

inline const char* GateActivationName(GateActivation activation) {
  constexpr std::array<const char*, kGateActivations> kNames = {
      "Relu",       "Tanh",        "Sigmoid", "Affine",   "LeakyRelu", "ThresholdedRelu",
      "ScaledTanh", "HardSigmoid", "Elu",     "Softsign", "Softplus"};
  return static_cast<int>(activation) < kGateActivations ? kNames[static_cast<size_t>(activation)] : "unknown";
}

inline Result<GateFunction> GateFunction::Parse(std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (int i = 0; i < kGateActivations; ++i) {
    const auto activation = static_cast<GateActivation>(i);
    const std::string_view candidate = GateActivationName(activation);
    bool same = candidate.size() == name.size();
    for (size_t c = 0; same && c < name.size(); ++c) same = lower(candidate[c]) == lower(name[c]);
    if (same) return Of(activation);
  }
  return Status::InvalidArgument("activation is \"%.*s\", must be one of ONNX's recurrent activations",
                                 static_cast<int>(std::min<size_t>(name.size(), 64)), name.data());
}

inline constexpr float kNoClip = std::numeric_limits<float>::infinity();

// Gates are stacked in the rows of W [gates * hidden, input] and R [gates * hidden, hidden], in the order in which the
// formulas below name them. W x is W x_t + Wb, R h is R h_{t-1} + Rb, products of gates are by element, and every
// argument of f, g and h is clipped to [-clip, clip] first. `bias` is [2][gates * hidden], Wb and Rb, or empty. Spans
// are copied when a cell is made.

// h_t = f(W x + R h)
struct RnnOptions {
  static constexpr const char* kName = "rnn";
  static constexpr int64_t kGates = 1;
  static constexpr bool kHasCellState = false;

  std::span<const float> bias{};
  GateFunction f = kTanhGate;
  float clip = kNoClip;

  Status Validate(int64_t hidden) const;
};

// z = f(Wz x + Rz h)
// r = f(Wr x + Rr h)
// n = g(Wh x + Rh (r h))    or, if linear_before_reset, g(Wh x + r (Rh h)), which takes one product instead of two
// h_t = (1 - z) n + z h
struct GruOptions {
  static constexpr const char* kName = "gru";
  static constexpr int64_t kGates = 3;
  static constexpr bool kHasCellState = false;

  std::span<const float> bias{};
  GateFunction f = kSigmoidGate, g = kTanhGate;
  float clip = kNoClip;
  bool linear_before_reset = false;

  Status Validate(int64_t hidden) const;
};

// i = f(Wi x + Ri h + Pi c)
// o = f(Wo x + Ro h + Po c_t)
// e = f(We x + Re h + Pe c), the forget gate; 1 - i if input_forget
// n = g(Wc x + Rc h)
// c_t = e c + i n
// h_t = o h(c_t)            where only the argument of h is clipped, not the state
// In memory the gates are i, o, e, n (ONNX: iofc), `peephole` is [3][hidden], Pi, Po, Pe, or empty.
struct LstmOptions {
  static constexpr const char* kName = "lstm";
  static constexpr int64_t kGates = 4;
  static constexpr bool kHasCellState = true;

  std::span<const float> bias{};
  std::span<const float> peephole{};
  GateFunction f = kSigmoidGate, g = kTanhGate, h = kTanhGate;
  float clip = kNoClip;
  bool input_forget = false;

  Status Validate(int64_t hidden) const;
};

template <class Options>
concept RecurrentOptions = requires(const Options& options) {
  {Options::kGates + int64_t{0}};
  {options.Validate(int64_t{1})};
  options.bias;
};

// The order in which a layer takes the steps of a sequence. ONNX's bidirectional is one layer of each.
enum class Direction : uint8_t { kForward, kReverse };

namespace recurrent {

template <class Options>
Status ValidateCommon(const Options& options, int64_t hidden) {
  const int64_t values = 2 * Options::kGates * hidden;
  if (!options.bias.empty() && static_cast<int64_t>(options.bias.size()) != values) {
    return Status::InvalidArgument("options.bias has %zu values, must have 2 * %lld gates * hidden = %lld or none",
                                   options.bias.size(), static_cast<long long>(Options::kGates),
                                   static_cast<long long>(values));
  }
  if (!(options.clip > 0.0f)) {
    return Status::InvalidArgument("options.clip is %g, must be above 0", static_cast<double>(options.clip));
  }
  return options.f.Validate("options.f");
}

}  // namespace recurrent

inline Status RnnOptions::Validate(int64_t hidden) const { return recurrent::ValidateCommon(*this, hidden); }

inline Status GruOptions::Validate(int64_t hidden) const {
  LACUNA_RETURN_IF_ERROR(recurrent::ValidateCommon(*this, hidden));
  return g.Validate("options.g");
}

inline Status LstmOptions::Validate(int64_t hidden) const {
  LACUNA_RETURN_IF_ERROR(recurrent::ValidateCommon(*this, hidden));
  LACUNA_RETURN_IF_ERROR(g.Validate("options.g"));
  LACUNA_RETURN_IF_ERROR(h.Validate("options.h"));
  if (!peephole.empty() && static_cast<int64_t>(peephole.size()) != 3 * hidden) {
    return Status::InvalidArgument("options.peephole has %zu values, must have 3 * hidden = %lld or none",
                                   peephole.size(), static_cast<long long>(3 * hidden));
  }
  return Status();
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_RECURRENT_H_
