#include "probe.h"

#include <cstring>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "probe.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

// After those.
#include "lacuna/kernel/multiply-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using namespace lacuna::HWY_NAMESPACE;  // the multiply-adds

using D = hn::ScalableTag<float>;

// Enough chains to hide the latency of every FMA unit, few enough for the registers: 32 on AVX-512 and NEON, else 16.
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr size_t kChains = 24;
#else
constexpr size_t kChains = 12;
#endif

template <size_t... kI>
HWY_INLINE void FmaChains(size_t iterations, float* HWY_RESTRICT values, std::index_sequence<kI...>) {
  const D d;
  const auto factor = hn::Set(d, values[0]);
  const auto addend = hn::Set(d, values[1]);
  hn::Vec<D> chain[] = {hn::Set(d, static_cast<float>(kI))...};
  for (size_t i = 0; i < iterations; ++i) {
    ((chain[kI] = hn::MulAdd(chain[kI], factor, addend)), ...);
  }
  auto sum = hn::Zero(d);
  ((sum = hn::Add(sum, chain[kI])), ...);
  values[2] = hn::GetLane(hn::SumOfLanes(d, sum));
}

// values: {factor, addend, result}.
void FmaLoop(size_t iterations, float* values) { FmaChains(iterations, values, std::make_index_sequence<kChains>()); }

// The same with the multiply-adds of 8-bit integers, all parts of a group of columns in turn. groups: {weights, inputs,
// result}.
template <class Multiply, size_t... kI>
HWY_INLINE void Int8Chains(size_t iterations, int32_t* HWY_RESTRICT groups, std::index_sequence<kI...>) {
  const hn::ScalableTag<int32_t> d;
  using V = hn::Vec<decltype(d)>;
  using In = typename Multiply::template In<decltype(d)>;
  typename Multiply::Weights weights;
  std::memcpy(weights.data(), groups, sizeof(weights));
  HWY_ALIGN int32_t inputs[HWY_LANES(int32_t)];
  for (int32_t& input : inputs) input = groups[1];
  In weight[Multiply::kParts], input[Multiply::kParts];
  HWY_UNROLL(4)
  for (int part = 0; part < Multiply::kParts; ++part) {
    weight[part] = Multiply::Weight(d, part, weights);
    input[part] = Multiply::Load(d, part, inputs);
  }
  V chain[] = {hn::Set(d, static_cast<int32_t>(kI))...};
  for (size_t i = 0; i < iterations; ++i) {
    HWY_UNROLL(4)
    for (int part = 0; part < Multiply::kParts; ++part) {
      ((chain[kI] = Multiply::MultiplyAdd(d, weight[part], input[part], chain[kI])), ...);
    }
  }
  auto sum = hn::Zero(d);
  ((sum = hn::Add(sum, chain[kI])), ...);
  groups[2] = hn::GetLane(hn::SumOfLanes(d, sum));
}

#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
using Int8WithoutDot = MultiplyInt8Pairs;
#else
using Int8WithoutDot = MultiplyInt8;
#endif

// Every part of an input and of a weight takes a register besides the chains.
using Int8ChainIndices = std::make_index_sequence<kChains - 4>;

#if LACUNA_INT8_DOT
HWY_NOINLINE LACUNA_INT8_DOT_TARGET void Int8DotLoop(size_t iterations, int32_t* groups) {
  Int8Chains<MultiplyInt8Dot>(iterations, groups, Int8ChainIndices());
}
#endif

void Int8Loop(size_t iterations, int32_t* groups) {
#if LACUNA_INT8_DOT
  if (HasInt8Dot()) return Int8DotLoop(iterations, groups);
#endif
  Int8Chains<Int8WithoutDot>(iterations, groups, Int8ChainIndices());
}
double Int8OpsPerIteration() { return 2.0 * static_cast<double>((kChains - 4) * 4 * hn::Lanes(D())); }
const char* Int8Instruction() {
#if LACUNA_INT8_DOT
  if (HasInt8Dot()) return MultiplyInt8Dot::kName;
#endif
  return Int8WithoutDot::kName;
}

int64_t CompiledTarget() { return HWY_TARGET; }

double FlopsPerIteration() { return 2.0 * static_cast<double>(kChains * hn::Lanes(D())); }

template <size_t... kI>
HWY_INLINE float SumChains(const float* HWY_RESTRICT values, size_t count, std::index_sequence<kI...>) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<D> chain[] = {hn::Set(d, static_cast<float>(kI))...};
  for (size_t i = 0; i + sizeof...(kI) * lanes <= count; i += sizeof...(kI) * lanes) {
    ((chain[kI] = hn::Add(chain[kI], hn::Load(d, values + i + kI * lanes))), ...);
  }
  auto sum = hn::Zero(d);
  ((sum = hn::Add(sum, chain[kI])), ...);
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

float ReadLoop(const float* values, size_t count) { return SumChains(values, count, std::make_index_sequence<8>()); }

// The same with prefetches, which hardware gives up at the ends of pages.
float ReadAhead(const float* values, size_t count) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  constexpr size_t kAheadBytes = 2048;
  auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  for (size_t i = 0; i + 8 * lanes <= count; i += 8 * lanes) {
    // A hint may name any address.
    const auto ahead = reinterpret_cast<uintptr_t>(values + i) + kAheadBytes;
    for (size_t line = 0; line < 8 * lanes * sizeof(float); line += 64) {
      hwy::Prefetch(reinterpret_cast<const float*>(ahead + line));
    }
    a0 = hn::Add(a0, hn::Load(d, values + i));
    a1 = hn::Add(a1, hn::Load(d, values + i + lanes));
    a2 = hn::Add(a2, hn::Load(d, values + i + 2 * lanes));
    a3 = hn::Add(a3, hn::Load(d, values + i + 3 * lanes));
    b0 = hn::Add(b0, hn::Load(d, values + i + 4 * lanes));
    b1 = hn::Add(b1, hn::Load(d, values + i + 5 * lanes));
    b2 = hn::Add(b2, hn::Load(d, values + i + 6 * lanes));
    b3 = hn::Add(b3, hn::Load(d, values + i + 7 * lanes));
  }
  const auto a = hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), b = hn::Add(hn::Add(b0, b1), hn::Add(b2, b3));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
}

// In four streams, which start as many prefetchers and miss the TLB ahead of each other.
float ReadStreams(const float* values, size_t count) {
  const D d;
  const size_t lanes = hn::Lanes(d), part = count / 4 / (2 * lanes) * (2 * lanes);
  const float* const at[] = {values, values + part, values + 2 * part, values + 3 * part};
  auto a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  for (size_t i = 0; i < part; i += 2 * lanes) {
    a0 = hn::Add(a0, hn::LoadU(d, at[0] + i));
    a1 = hn::Add(a1, hn::LoadU(d, at[0] + i + lanes));
    b0 = hn::Add(b0, hn::LoadU(d, at[1] + i));
    b1 = hn::Add(b1, hn::LoadU(d, at[1] + i + lanes));
    c0 = hn::Add(c0, hn::LoadU(d, at[2] + i));
    c1 = hn::Add(c1, hn::LoadU(d, at[2] + i + lanes));
    d0 = hn::Add(d0, hn::LoadU(d, at[3] + i));
    d1 = hn::Add(d1, hn::LoadU(d, at[3] + i + lanes));
  }
  const auto a = hn::Add(hn::Add(a0, a1), hn::Add(b0, b1)), c = hn::Add(hn::Add(c0, c1), hn::Add(d0, d1));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, c)));
}

}  // namespace lacuna::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "lacuna/core/buffer.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <functional>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace lacuna::bench {
namespace {

HWY_EXPORT(FmaLoop);
HWY_EXPORT(FlopsPerIteration);
HWY_EXPORT(ReadLoop);
HWY_EXPORT(ReadAhead);
HWY_EXPORT(ReadStreams);
HWY_EXPORT(CompiledTarget);
HWY_EXPORT(Int8Loop);
HWY_EXPORT(Int8OpsPerIteration);
HWY_EXPORT(Int8Instruction);

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Halving and adding a half converges to 1: no denormals, no overflow. Volatile, so that nothing is known when
// compiling.
void RunFma(size_t iterations) {
  volatile float half = 0.5f;
  float values[3] = {half, half, 0.0f};
  HWY_DYNAMIC_DISPATCH(FmaLoop)(iterations, values);
  volatile float sink = values[2];
  static_cast<void>(sink);
}

void RunFmaOnThreads(size_t iterations, int threads) {
#ifdef _OPENMP
  if (threads > 1) {
#pragma omp parallel num_threads(threads)
    RunFma(iterations);
    return;
  }
#endif
  static_cast<void>(threads);
  RunFma(iterations);
}

}  // namespace

double ProbeFlops(double seconds, int threads) {
  // A first guess at 20 GFLOP/s; the second run then lasts as long as asked for.
  const double flops = HWY_DYNAMIC_DISPATCH(FlopsPerIteration)();
  static std::map<int64_t, double> rate;
  double& guess = rate[HWY_DYNAMIC_DISPATCH(CompiledTarget)()];
  if (guess == 0.0) {
    constexpr size_t kFirst = 2000;
    const double start = Seconds();
    RunFma(kFirst);
    guess = static_cast<double>(kFirst) * flops / std::max(Seconds() - start, 1e-7);
  }
  const auto iterations = static_cast<size_t>(std::max(guess * seconds / flops, 100.0));
  const double start = Seconds();
  RunFmaOnThreads(iterations, threads);
  const double measured = static_cast<double>(iterations) * flops / std::max(Seconds() - start, 1e-9);
  guess = measured;
  return measured * threads;
}

double ProbeInt8Scale(bool smoke) {
  const double ops = HWY_DYNAMIC_DISPATCH(Int8OpsPerIteration)();
  volatile int32_t one = 0x01010101;
  int32_t groups[3] = {one, one, 0};
  PeakTracker fma(/*threads=*/1);
  double best = 0.0;
  constexpr size_t kIterations = 10000;
  for (int i = 0; i < (smoke ? 5 : 300); ++i) {
    fma.Probe();
    const double start = Seconds();
    HWY_DYNAMIC_DISPATCH(Int8Loop)(kIterations, groups);
    best = std::max(best, static_cast<double>(kIterations) * ops / std::max(Seconds() - start, 1e-9));
  }
  volatile int32_t sink = groups[2];
  static_cast<void>(sink);
  return best / fma.Peak();
}

const char* ProbeInt8Instruction() { return HWY_DYNAMIC_DISPATCH(Int8Instruction)(); }

double ProbeReadBandwidth(size_t bytes, double seconds) {
  constexpr size_t kStep = 16 * 1024;  // a multiple of what one turn of the loop reads on any target
  const size_t size = RoundUp(bytes, kStep);
  Result<Buffer<float>> buffer = Buffer<float>::Make(size / sizeof(float));
  if (!buffer.ok()) return 0.0;
  volatile float sink = 0.0f;
  double best = 0.0;
  const double end = Seconds() + seconds;
  sink = sink + HWY_DYNAMIC_DISPATCH(ReadLoop)(buffer->data(), buffer->size());
  constexpr size_t kBytesPerTry = size_t{1} << 22;
  const size_t repeats = std::max<size_t>(1, kBytesPerTry / size);
  do {
    const double start = Seconds();
    for (size_t r = 0; r < repeats; ++r) sink = sink + HWY_DYNAMIC_DISPATCH(ReadLoop)(buffer->data(), buffer->size());
    best = std::max(best, static_cast<double>(repeats * size) / std::max(Seconds() - start, 1e-9));
  } while (Seconds() < end);
  return best;
}

void Read(int way, const float* data, size_t floats) {
  volatile float sink = 0.0f;
  switch (way) {
    case 0: sink = HWY_DYNAMIC_DISPATCH(ReadLoop)(data, floats); break;
    case 1: sink = HWY_DYNAMIC_DISPATCH(ReadAhead)(data, floats); break;
    default: sink = HWY_DYNAMIC_DISPATCH(ReadStreams)(data, floats); break;
  }
  static_cast<void>(sink);
}

int64_t ProbeTarget() { return HWY_DYNAMIC_DISPATCH(CompiledTarget)(); }

double PeakTracker::Probe() {
  const double flops = ProbeFlops(kProbeSeconds, threads_);
  fastest_.insert(std::upper_bound(fastest_.begin(), fastest_.end(), flops, std::greater<>()), flops);
  if (fastest_.size() > kKept) fastest_.pop_back();
  return flops;
}

double PeakTracker::Peak() const { return fastest_.empty() ? 0.0 : fastest_.back(); }

double BandwidthTable::At(size_t bytes) {
  constexpr size_t kSmallest = size_t{1} << 14;
  constexpr size_t kLargest = size_t{1} << 28;
  const size_t size = std::bit_ceil(std::clamp(bytes, kSmallest, kLargest));
  double& bandwidth = measured_[size];
  if (bandwidth == 0.0) bandwidth = ProbeReadBandwidth(size, /*seconds=*/0.05);
  return bandwidth;
}

}  // namespace lacuna::bench

#endif  // HWY_ONCE
