// oneDNN: convolution by the direct and the Winograd algorithm, GEMM by inner product or matmul, GRU and LSTM. Weights
// and activations are in the layout that oneDNN asks for; only the computation is timed.

#include "lacuna/format/dense.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include "int8_problem.h"
#include "peers/peers.h"

namespace lacuna::bench {
namespace {

using Tag = dnnl::memory::format_tag;
using Arguments = std::unordered_map<int, dnnl::memory>;
constexpr auto kF32 = dnnl::memory::data_type::f32;

// One thread, and no instructions beyond the run's target. The instruction set can be set only before oneDNN's first
// use.
dnnl::engine& CpuEngine(const Settings& settings) {
  static const bool limited = [&settings] {
    omp_set_num_threads(1);
    switch (settings.instruction_set) {
      case InstructionSet::kUnlimited: return true;
      case InstructionSet::kAvx512: return dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core) == dnnl::status::success;
      case InstructionSet::kAvx2: return dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2) == dnnl::status::success;
      case InstructionSet::kSse4: return dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41) == dnnl::status::success;
    }
    return false;
  }();
  if (!limited) throw dnnl::error(dnnl_runtime_error, "oneDNN refuses to be held to the instruction set");
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

class OnednnEngine : public Engine {
 public:
  OnednnEngine(dnnl::stream stream, dnnl::primitive primitive, Arguments arguments, dnnl::memory output,
               dnnl::memory::desc planar, std::string detail, float output_scale = 1.0f)
      : stream_(std::move(stream)),
        primitive_(std::move(primitive)),
        arguments_(std::move(arguments)),
        output_(std::move(output)),
        planar_(std::move(planar)),
        detail_(std::move(detail)),
        output_scale_(output_scale) {}

  void Run() override {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }
  void CopyOutput(std::span<float> planar) const override {
    dnnl::stream stream = stream_;
    dnnl::memory from = output_;
    dnnl::memory to(planar_, stream.get_engine(), planar.data());
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
    for (float& value : planar) value *= output_scale_;
  }
  std::string Detail() const override { return detail_; }
  std::vector<MemoryRange> Weights() const override {
    std::vector<MemoryRange> ranges;
    for (const int argument : {DNNL_ARG_WEIGHTS, DNNL_ARG_WEIGHTS_ITER}) {
      const auto found = arguments_.find(argument);
      if (found == arguments_.end()) continue;
      const dnnl::memory& memory = found->second;
      ranges.push_back(RangeOf(static_cast<const std::byte*>(memory.get_data_handle()), memory.get_desc().get_size()));
    }
    return ranges;
  }

 private:
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  Arguments arguments_;
  dnnl::memory output_;
  dnnl::memory::desc planar_;
  std::string detail_;
  float output_scale_;  // of integers
};

// `values` in the layout `plain`, moved to the layout `wanted`.
template <class T = float>
dnnl::memory Reordered(dnnl::stream& stream, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted,
                       std::type_identity_t<std::span<const T>> values) {
  dnnl::engine engine = stream.get_engine();
  dnnl::memory from(plain, engine);
  std::memcpy(from.get_data_handle(), values.data(), values.size_bytes());
  dnnl::memory to(wanted, engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return to;
}

Status Absent(const char* reason) { return Status::Make(StatusCode::kUnsupported, "%s", reason); }

template <size_t kCount>
dnnl::memory::dims Dims(const std::array<int64_t, kCount>& extents) {
  return {extents.begin(), extents.end()};
}

// A convolution's tensors as oneDNN counts them.
template <int kRank>
struct ConvolutionDims {
  static constexpr Tag kPlanar = kRank == 2 ? Tag::nchw : Tag::ncdhw;

  explicit ConvolutionDims(const ConvShape<kRank>& s)
      : x(Dims(s.input_tensor())),
        y(Dims(s.output_tensor())),
        w(s.groups > 1 ? dnnl::memory::dims{s.groups, s.rows_per_group(), s.channels_per_group()}
                       : dnnl::memory::dims{s.out_channels, s.in_channels}),
        stride(Dims(s.stride)),
        gaps(Dims(s.dilation)),
        pad_begin(Dims(s.pad_begin)),
        pad_end(Dims(s.pad_end)) {
    w.insert(w.end(), s.kernel.begin(), s.kernel.end());
    for (auto& gap : gaps) --gap;  // oneDNN counts the positions between taps
    constexpr Tag kFilters = kRank == 2 ? Tag::oihw : Tag::oidhw;
    constexpr Tag kGroupedFilters = kRank == 2 ? Tag::goihw : Tag::goidhw;
    filters = s.groups > 1 ? kGroupedFilters : kFilters;
  }

  dnnl::memory::dims x, y, w, stride, gaps, pad_begin, pad_end;
  Tag filters;
};

template <int kRank>
EnginePointer MakeConvolutionWith(const Problem& problem, const Settings& settings, dnnl::algorithm algorithm) {
  const ConvolutionDims<kRank> dims(ShapeOfRank<kRank>(problem.shape));
  dnnl::engine& engine = CpuEngine(settings);
  dnnl::stream stream(engine);
  const dnnl::convolution_forward::desc description(
      dnnl::prop_kind::forward_inference, algorithm, {dims.x, kF32, Tag::any}, {dims.w, kF32, Tag::any},
      {dims.y, kF32, Tag::any}, dims.stride, dims.gaps, dims.pad_begin, dims.pad_end);
  const dnnl::convolution_forward::primitive_desc made(description, engine);
  Arguments arguments;
  arguments[DNNL_ARG_SRC] = Reordered(stream, {dims.x, kF32, dims.kPlanar}, made.src_desc(), problem.input);
  arguments[DNNL_ARG_WEIGHTS] = Reordered(stream, {dims.w, kF32, dims.filters}, made.weights_desc(), problem.weights);
  dnnl::memory y(made.dst_desc(), engine);
  arguments[DNNL_ARG_DST] = y;
  return std::make_unique<OnednnEngine>(std::move(stream), dnnl::convolution_forward(made), std::move(arguments),
                                        std::move(y), dnnl::memory::desc(dims.y, kF32, dims.kPlanar),
                                        made.impl_info_str());
}

template <int kRank, dnnl::algorithm kAlgorithm>
Result<EnginePointer> MakeOnednnConvolution(const Problem& problem, const Settings& settings, const EngineInfo& info) {
  try {
    EnginePointer engine = MakeConvolutionWith<kRank>(problem, settings, kAlgorithm);
    // The reference implementation would be a straw man.
    if (engine->Detail().rfind("ref", 0) == 0) return Absent("oneDNN has only its reference implementation");
    if (info.winograd && engine->Detail().find("wino") == std::string::npos) return Absent("oneDNN chose no Winograd");
    return engine;
  } catch (const dnnl::error& error) {
    return Absent(error.what());
  }
}

// u8 x s8 to u8, all layouts oneDNN's choice.
template <int kRank>
EnginePointer MakeInt8ConvolutionWith(const Problem& problem, const Int8Problem& quantized, const Settings& settings) {
  constexpr auto kU8 = dnnl::memory::data_type::u8, kS8 = dnnl::memory::data_type::s8;
  const ConvolutionDims<kRank> dims(ShapeOfRank<kRank>(problem.shape));
  dnnl::engine& engine = CpuEngine(settings);
  dnnl::stream stream(engine);
  std::vector<float> multipliers;
  QuantizedEpilogue epilogue = quantized.epilogue;
  epilogue.weight_scale = quantized.rows.scale();
  for (int64_t row = 0; row < problem.shape.out_channels; ++row)
    multipliers.push_back(Requantization::Multiplier(epilogue, row));
  dnnl::primitive_attr attributes;
  attributes.set_output_scales(/*mask=*/1 << 1, multipliers);
  const dnnl::convolution_forward::desc description(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, {dims.x, kU8, Tag::any},
      {dims.w, kS8, Tag::any}, {dims.y, kU8, Tag::any}, dims.stride, dims.gaps, dims.pad_begin, dims.pad_end);
  const dnnl::convolution_forward::primitive_desc made(description, attributes, engine);
  const DenseWeights<int8_t> weights = *ExpandRows(quantized.rows);
  Arguments arguments;
  arguments[DNNL_ARG_SRC] = Reordered<uint8_t>(stream, {dims.x, kU8, dims.kPlanar}, made.src_desc(), quantized.x);
  arguments[DNNL_ARG_WEIGHTS] =
      Reordered<int8_t>(stream, {dims.w, kS8, dims.filters}, made.weights_desc(), weights.values());
  dnnl::memory y(made.dst_desc(), engine);
  arguments[DNNL_ARG_DST] = y;
  return std::make_unique<OnednnEngine>(std::move(stream), dnnl::convolution_forward(made), std::move(arguments),
                                        std::move(y), dnnl::memory::desc(dims.y, kF32, dims.kPlanar),
                                        made.impl_info_str(), epilogue.y.scale);
}

template <int kRank>
Result<EnginePointer> MakeOnednnInt8Convolution(const Problem& problem, const Settings& settings, const EngineInfo&) {
  LACUNA_ASSIGN_OR_RETURN(quantized, Int8Problem::Of(problem));
  try {
    EnginePointer engine = MakeInt8ConvolutionWith<kRank>(problem, quantized, settings);
    if (engine->Detail().rfind("ref", 0) == 0) return Absent("oneDNN has only its reference implementation");
    return engine;
  } catch (const dnnl::error& error) {
    return Absent(error.what());
  }
}

enum WeightLayout : uint8_t { kAny, kByRows, kByColumns };
constexpr const char* kLayoutNames[] = {" ", ", weights by rows, ", ", weights by columns, "};

Tag TagOf(WeightLayout layout, Tag by_rows, Tag by_columns) {
  return layout == kAny ? Tag::any : layout == kByRows ? by_rows : by_columns;
}

// Y^T[N, M] = X^T[N, K] W^T[K, M]: oneDNN packs the right factor. With `by` any all layouts are oneDNN's choice, else
// weights are stored by rows or by columns.
EnginePointer MakeInnerProduct(const Problem& problem, const Settings& settings, WeightLayout by) {
  dnnl::engine& engine = CpuEngine(settings);
  dnnl::stream stream(engine);
  const int64_t m = problem.shape.out_channels, k = problem.shape.in_channels, n = problem.shape.positions();
  const dnnl::inner_product_forward::desc description(dnnl::prop_kind::forward_inference, {{n, k}, kF32, Tag::any},
                                                      {{m, k}, kF32, TagOf(by, Tag::ab, Tag::ba)},
                                                      {{n, m}, kF32, Tag::any});
  const dnnl::inner_product_forward::primitive_desc made(description, engine);
  Arguments arguments;
  arguments[DNNL_ARG_SRC] = Reordered(stream, {{n, k}, kF32, Tag::ba}, made.src_desc(), problem.input);
  arguments[DNNL_ARG_WEIGHTS] = Reordered(stream, {{m, k}, kF32, Tag::ab}, made.weights_desc(), problem.weights);
  dnnl::memory y(made.dst_desc(), engine);
  arguments[DNNL_ARG_DST] = y;
  return std::make_unique<OnednnEngine>(std::move(stream), dnnl::inner_product_forward(made), std::move(arguments),
                                        std::move(y), dnnl::memory::desc({n, m}, kF32, Tag::ba),
                                        std::string("inner_product") + kLayoutNames[by] + made.impl_info_str());
}

// Activations stay plain, in the layout of the problem: matmul's best case packs only the weights.
EnginePointer MakeMatmul(const Problem& problem, const Settings& settings, WeightLayout by) {
  dnnl::engine& engine = CpuEngine(settings);
  dnnl::stream stream(engine);
  const int64_t m = problem.shape.out_channels, k = problem.shape.in_channels, n = problem.shape.positions();
  const Tag layout = problem.channels_last ? Tag::ab : Tag::ba;
  const dnnl::matmul::desc description({{n, k}, kF32, layout}, {{k, m}, kF32, TagOf(by, Tag::ba, Tag::ab)},
                                       {{n, m}, kF32, layout});
  const dnnl::matmul::primitive_desc made(description, engine);
  Arguments arguments;
  arguments[DNNL_ARG_SRC] = Reordered(stream, {{n, k}, kF32, Tag::ba}, made.src_desc(), problem.input);
  arguments[DNNL_ARG_WEIGHTS] = Reordered(stream, {{k, m}, kF32, Tag::ba}, made.weights_desc(), problem.weights);
  dnnl::memory y(made.dst_desc(), engine);
  arguments[DNNL_ARG_DST] = y;
  return std::make_unique<OnednnEngine>(std::move(stream), dnnl::matmul(made), std::move(arguments), std::move(y),
                                        dnnl::memory::desc({n, m}, kF32, Tag::ba),
                                        std::string("matmul") + kLayoutNames[by] + made.impl_info_str());
}

// Which is faster differs by shape and instruction set.
using MakeInLayout = EnginePointer (*)(const Problem& problem, const Settings& settings, WeightLayout by);

Result<EnginePointer> MakeFastest(const Problem& problem, const Settings& settings,
                                  std::initializer_list<MakeInLayout> makers,
                                  std::initializer_list<WeightLayout> layouts) {
  EnginePointer best;
  double best_seconds = 1e30;
  std::string reason = "no implementation";
  for (const MakeInLayout make : makers) {
    for (const WeightLayout layout : layouts) {
      try {
        EnginePointer engine = make(problem, settings, layout);
        const double seconds = FastestRun(problem, *engine, /*runs=*/5);
        if (seconds < best_seconds) {
          best_seconds = seconds;
          best = std::move(engine);
        }
      } catch (const dnnl::error& error) {
        reason = error.what();
      }
    }
  }
  if (best == nullptr) return Absent(reason.c_str());
  return best;
}

Result<EnginePointer> MakeOnednnGemm(const Problem& problem, const Settings& settings, const EngineInfo&) {
  return MakeFastest(problem, settings, {&MakeInnerProduct, &MakeMatmul}, {kAny});
}

Result<EnginePointer> MakeOnednnGemv(const Problem& problem, const Settings& settings, const EngineInfo&) {
  return MakeFastest(problem, settings, {&MakeInnerProduct, &MakeMatmul}, {kAny, kByRows, kByColumns});
}

// oneDNN's gate g is ONNX's k...Gates[g]: update, reset, candidate; and input, forget, candidate, output.
constexpr int64_t kGruGates[] = {0, 1, 2}, kLstmGates[] = {0, 2, 3, 1};

std::span<const int64_t> GateOrder(Cell cell) {
  return cell == Cell::kLstm ? std::span<const int64_t>(kLstmGates) : std::span<const int64_t>(kGruGates);
}

// [gates * hidden][columns] with oneDNN's order of gates.
std::vector<float> OrderGates(Cell cell, std::span<const float> values, int64_t hidden, int64_t columns) {
  std::vector<float> ordered;
  const auto gate_values = static_cast<size_t>(hidden * columns);
  for (const int64_t gate : GateOrder(cell)) {
    const auto from = values.subspan(static_cast<size_t>(gate) * gate_values, gate_values);
    ordered.insert(ordered.end(), from.begin(), from.end());
  }
  return ordered;
}

// oneDNN has one bias a gate; where the reset gate scales the recurrent product, that one's is the fourth.
std::vector<float> BiasOf(const Recurrence& recurrence, int64_t hidden) {
  const size_t half = recurrence.bias.size() / 2, gate_values = static_cast<size_t>(hidden);
  std::vector<float> bias(recurrence.bias.begin(), recurrence.bias.begin() + static_cast<ptrdiff_t>(half));
  for (size_t i = 0; i < half; ++i) {
    const bool apart = recurrence.cell == Cell::kGruLinearBeforeReset && i >= 2 * gate_values;
    (apart ? bias.emplace_back(0.0f) : bias[i]) += recurrence.bias[half + i];
  }
  return recurrence.cell == Cell::kLstm ? OrderGates(recurrence.cell, bias, hidden, 1) : bias;
}

// All of the layer in one primitive; a step is a sequence of one.
template <class Primitive>
EnginePointer MakeRecurrenceBy(const Problem& problem, const Settings& settings, WeightLayout by) {
  constexpr bool kIsLstm = std::is_same_v<Primitive, dnnl::lstm_forward>;
  dnnl::engine& engine = CpuEngine(settings);
  dnnl::stream stream(engine);
  const Recurrence& recurrence = *problem.recurrence;
  const int64_t input = problem.shape.in_channels, hidden = problem.shape.out_channels,
                steps = problem.shape.positions(), gates = GatesOf(recurrence.cell);
  const std::vector<float> bias_values = BiasOf(recurrence, hidden);
  using Desc = dnnl::memory::desc;
  const Desc x({steps, 1, input}, kF32, Tag::tnc), y({steps, 1, hidden}, kF32, Tag::tnc);
  const Desc state({1, 1, 1, hidden}, kF32, Tag::ldnc);
  const Desc bias({1, 1, static_cast<int64_t>(bias_values.size()) / hidden, hidden}, kF32, Tag::ldgo);
  const dnnl::memory::dims w_dims{1, 1, input, gates, hidden}, r_dims{1, 1, hidden, gates, hidden};
  const Tag layout = TagOf(by, Tag::ldgoi, Tag::ldigo);
  const Desc w(w_dims, kF32, layout), r(r_dims, kF32, layout);
  const auto description = [&] {
    const auto kind = dnnl::prop_kind::forward_inference;
    const auto direction = dnnl::rnn_direction::unidirectional_left2right;
    if constexpr (kIsLstm) {
      return typename Primitive::desc(kind, direction, x, state, state, w, r, bias, y, state, state);
    } else {
      return typename Primitive::desc(kind, direction, x, state, w, r, bias, y, state);
    }
  }();
  const typename Primitive::primitive_desc made(description, engine);
  const auto matrix = [&](std::span<const float> values, const dnnl::memory::dims& dims, const Desc& wanted) {
    const std::vector<float> ordered = OrderGates(recurrence.cell, values, hidden, dims[2]);
    return Reordered(stream, Desc(dims, kF32, Tag::ldgoi), wanted, ordered);
  };
  // [channels][steps]
  const auto planar = [&](int64_t channels) {
    return Desc({steps, 1, channels}, kF32, dnnl::memory::dims{1, steps * channels, steps});
  };
  Arguments arguments;
  arguments[DNNL_ARG_SRC_LAYER] = Reordered(stream, planar(input), x, problem.input);
  arguments[DNNL_ARG_SRC_ITER] = Reordered(stream, state, state, recurrence.h);
  arguments[DNNL_ARG_WEIGHTS_LAYER] = matrix(problem.weights, w_dims, made.weights_layer_desc());
  arguments[DNNL_ARG_WEIGHTS_ITER] = matrix(recurrence.weights, r_dims, made.weights_iter_desc());
  arguments[DNNL_ARG_BIAS] = Reordered(stream, bias, bias, bias_values);
  dnnl::memory output(y, engine);
  arguments[DNNL_ARG_DST_LAYER] = output;
  arguments[DNNL_ARG_DST_ITER] = dnnl::memory(state, engine);
  if constexpr (kIsLstm) {
    arguments[DNNL_ARG_SRC_ITER_C] = Reordered(stream, state, state, recurrence.c);
    arguments[DNNL_ARG_DST_ITER_C] = dnnl::memory(state, engine);
  }
  return std::make_unique<OnednnEngine>(std::move(stream), Primitive(made), std::move(arguments), std::move(output),
                                        planar(hidden), std::string("rnn") + kLayoutNames[by] + made.impl_info_str());
}

EnginePointer MakeRecurrence(const Problem& problem, const Settings& settings, WeightLayout by) {
  switch (problem.recurrence->cell) {
    case Cell::kGru: return MakeRecurrenceBy<dnnl::gru_forward>(problem, settings, by);
    case Cell::kGruLinearBeforeReset: return MakeRecurrenceBy<dnnl::lbr_gru_forward>(problem, settings, by);
    case Cell::kLstm: return MakeRecurrenceBy<dnnl::lstm_forward>(problem, settings, by);
  }
  return nullptr;
}

Result<EnginePointer> MakeOnednnRecurrence(const Problem& problem, const Settings& settings, const EngineInfo&) {
  return MakeFastest(problem, settings, {&MakeRecurrence}, {kAny, kByRows, kByColumns});
}

}  // namespace

std::vector<EngineInfo> OnednnRecurrences() {
  return {{.name = "onednn", .supports = [](const Problem&) { return true; }, .make = &MakeOnednnRecurrence}};
}

template <int kRank>
std::vector<EngineInfo> OnednnConvolutions() {
  using dnnl::algorithm;
  const auto any = [](const Problem&) { return true; };
  const auto eligible = [](const Problem& problem) {
    const ConvShape<3>& s = problem.shape;
    const Extents<3> ones{1, 1, 1};
    return s.groups == 1 && s.kernel == Extents<3>{1, 3, 3} && s.stride == ones && s.dilation == ones;
  };
  std::vector<EngineInfo> engines{
      {.name = "onednn_direct", .supports = any, .make = &MakeOnednnConvolution<kRank, algorithm::convolution_direct>}};
  if (kRank == 2) {
    engines.push_back({.name = "onednn_winograd",
                       .winograd = true,
                       .supports = eligible,
                       .make = &MakeOnednnConvolution<kRank, algorithm::convolution_winograd>});
  }
  return engines;
}
template std::vector<EngineInfo> OnednnConvolutions<2>();
template std::vector<EngineInfo> OnednnConvolutions<3>();

template <int kRank>
std::vector<EngineInfo> OnednnInt8Convolutions() {
  return {{.name = "onednn_direct",
           .int8 = true,
           .supports = [](const Problem&) { return true; },
           .make = &MakeOnednnInt8Convolution<kRank>}};
}
template std::vector<EngineInfo> OnednnInt8Convolutions<2>();
template std::vector<EngineInfo> OnednnInt8Convolutions<3>();

std::vector<EngineInfo> OnednnGemvs() { return {{.name = "onednn", .supports = &IsGemm, .make = &MakeOnednnGemv}}; }
std::vector<EngineInfo> OnednnGemms() { return {{.name = "onednn", .supports = &IsGemm, .make = &MakeOnednnGemm}}; }

}  // namespace lacuna::bench
