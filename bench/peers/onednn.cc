// oneDNN: convolution by the direct and the Winograd algorithm, GEMM by inner product or matmul. Weights and
// activations are in the layout that oneDNN asks for; only the computation is timed.

#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <unordered_map>

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
               dnnl::memory::desc planar, std::string detail)
      : stream_(std::move(stream)),
        primitive_(std::move(primitive)),
        arguments_(std::move(arguments)),
        output_(std::move(output)),
        planar_(std::move(planar)),
        detail_(std::move(detail)) {}

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
  }
  std::string Detail() const override { return detail_; }

 private:
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  Arguments arguments_;
  dnnl::memory output_;
  dnnl::memory::desc planar_;
  std::string detail_;
};

// `values` in the layout `plain`, moved to the layout `wanted`.
dnnl::memory Reordered(dnnl::stream& stream, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted,
                       std::span<const float> values) {
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

template <int kRank>
EnginePointer MakeConvolutionWith(const Problem& problem, const Settings& settings, dnnl::algorithm algorithm) {
  constexpr Tag kPlanar = kRank == 2 ? Tag::nchw : Tag::ncdhw;
  constexpr Tag kFilters = kRank == 2 ? Tag::oihw : Tag::oidhw;
  constexpr Tag kGroupedFilters = kRank == 2 ? Tag::goihw : Tag::goidhw;
  const ConvShape<kRank> s = ShapeOfRank<kRank>(problem.shape);
  dnnl::engine& engine = CpuEngine(settings);
  dnnl::stream stream(engine);
  const dnnl::memory::dims x_dims = Dims(s.input_tensor()), y_dims = Dims(s.output_tensor());
  const bool grouped = s.groups > 1;
  dnnl::memory::dims w_dims = grouped ? dnnl::memory::dims{s.groups, s.rows_per_group(), s.channels_per_group()}
                                      : dnnl::memory::dims{s.out_channels, s.in_channels};
  w_dims.insert(w_dims.end(), s.kernel.begin(), s.kernel.end());
  dnnl::memory::dims gaps = Dims(s.dilation);  // oneDNN counts the positions between taps
  for (auto& gap : gaps) --gap;
  const dnnl::convolution_forward::desc description(
      dnnl::prop_kind::forward_inference, algorithm, {x_dims, kF32, Tag::any}, {w_dims, kF32, Tag::any},
      {y_dims, kF32, Tag::any}, Dims(s.stride), gaps, Dims(s.pad_begin), Dims(s.pad_end));
  const dnnl::convolution_forward::primitive_desc made(description, engine);
  Arguments arguments;
  arguments[DNNL_ARG_SRC] = Reordered(stream, {x_dims, kF32, kPlanar}, made.src_desc(), problem.input);
  arguments[DNNL_ARG_WEIGHTS] =
      Reordered(stream, {w_dims, kF32, grouped ? kGroupedFilters : kFilters}, made.weights_desc(), problem.weights);
  dnnl::memory y(made.dst_desc(), engine);
  arguments[DNNL_ARG_DST] = y;
  return std::make_unique<OnednnEngine>(std::move(stream), dnnl::convolution_forward(made), std::move(arguments),
                                        std::move(y), dnnl::memory::desc(y_dims, kF32, kPlanar), made.impl_info_str());
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

// Y^T[N, M] = X^T[N, K] W^T[K, M]: oneDNN packs the right factor. All layouts are oneDNN's choice.
EnginePointer MakeInnerProduct(const Problem& problem, const Settings& settings) {
  dnnl::engine& engine = CpuEngine(settings);
  dnnl::stream stream(engine);
  const int64_t m = problem.shape.out_channels, k = problem.shape.in_channels, n = problem.shape.positions();
  const dnnl::inner_product_forward::desc description(dnnl::prop_kind::forward_inference, {{n, k}, kF32, Tag::any},
                                                      {{m, k}, kF32, Tag::any}, {{n, m}, kF32, Tag::any});
  const dnnl::inner_product_forward::primitive_desc made(description, engine);
  Arguments arguments;
  arguments[DNNL_ARG_SRC] = Reordered(stream, {{n, k}, kF32, Tag::ba}, made.src_desc(), problem.input);
  arguments[DNNL_ARG_WEIGHTS] = Reordered(stream, {{m, k}, kF32, Tag::ab}, made.weights_desc(), problem.weights);
  dnnl::memory y(made.dst_desc(), engine);
  arguments[DNNL_ARG_DST] = y;
  return std::make_unique<OnednnEngine>(std::move(stream), dnnl::inner_product_forward(made), std::move(arguments),
                                        std::move(y), dnnl::memory::desc({n, m}, kF32, Tag::ba),
                                        std::string("inner_product ") + made.impl_info_str());
}

// Activations stay plain, in the layout of the problem: matmul's best case packs only the weights.
EnginePointer MakeMatmul(const Problem& problem, const Settings& settings) {
  dnnl::engine& engine = CpuEngine(settings);
  dnnl::stream stream(engine);
  const int64_t m = problem.shape.out_channels, k = problem.shape.in_channels, n = problem.shape.positions();
  const Tag layout = problem.channels_last ? Tag::ab : Tag::ba;
  const dnnl::matmul::desc description({{n, k}, kF32, layout}, {{k, m}, kF32, Tag::any}, {{n, m}, kF32, layout});
  const dnnl::matmul::primitive_desc made(description, engine);
  Arguments arguments;
  arguments[DNNL_ARG_SRC] = Reordered(stream, {{n, k}, kF32, Tag::ba}, made.src_desc(), problem.input);
  arguments[DNNL_ARG_WEIGHTS] = Reordered(stream, {{k, m}, kF32, Tag::ba}, made.weights_desc(), problem.weights);
  dnnl::memory y(made.dst_desc(), engine);
  arguments[DNNL_ARG_DST] = y;
  return std::make_unique<OnednnEngine>(std::move(stream), dnnl::matmul(made), std::move(arguments), std::move(y),
                                        dnnl::memory::desc({n, m}, kF32, Tag::ba),
                                        std::string("matmul ") + made.impl_info_str());
}

// Which of the two is faster differs by shape and instruction set.
Result<EnginePointer> MakeOnednnGemm(const Problem& problem, const Settings& settings, const EngineInfo&) {
  EnginePointer best;
  double best_seconds = 1e30;
  std::string reason = "no implementation";
  for (const auto make : {&MakeInnerProduct, &MakeMatmul}) {
    try {
      EnginePointer engine = make(problem, settings);
      const double seconds = FastestRun(*engine, /*runs=*/5);
      if (seconds < best_seconds) {
        best_seconds = seconds;
        best = std::move(engine);
      }
    } catch (const dnnl::error& error) {
      reason = error.what();
    }
  }
  if (best == nullptr) return Absent(reason.c_str());
  return best;
}

}  // namespace

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

std::vector<EngineInfo> OnednnGemms() { return {{.name = "onednn", .supports = &IsGemm, .make = &MakeOnednnGemm}}; }

}  // namespace lacuna::bench
