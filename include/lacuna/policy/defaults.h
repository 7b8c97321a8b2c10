// The tuned numbers of kernels and plans, each with the measurement behind it. Nothing is tuned anywhere else; pruning,
// a layer that does not know of kernels, has prune/defaults.h.

#ifndef LACUNA_POLICY_DEFAULTS_H_
#define LACUNA_POLICY_DEFAULTS_H_

#include "lacuna/core/abi.h"
#include "lacuna/policy/tile.h"

#include <cstddef>
#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

// Register tiles by the number of vector registers and the floats of a vector at most.
template <int kRegisters, size_t kMaxLanes>
struct DefaultTiles {
  // 16 registers: 12 accumulators, 3 loads, 1 broadcast.
  using Type = AnyOf<RegisterTile<4, 3, AllMasks<4>>>;
  // 12 rows would fit, but images are often multiples of 7 high.
  using Patterns = PatternTiles<PatternTile<7, 1>>;
};
template <size_t kMaxLanes>
struct DefaultTiles<32, kMaxLanes> {
  // 8 rows x 3 vectors: the most rows per loaded column that leave enough vectors to hide the latency of a
  // multiply-add. Half of 8 rows (scheme bcr) is worth its 70 kernels: 70 % of FMA peak against 54 % with masks of 4
  // rows x 6 vectors.
  using Type = AnyOf<RegisterTile<8, 3>, RegisterTile<8, 3, MasksOfSize<8, 4>>, RegisterTile<4, 6, AllMasks<4>>>;
  // A vector wide and as high as images often are: 14 and its multiples. Wider tiles, 14 x 2 and 7 x 4, were 5 to 15 %
  // slower on VGG-16 (conv2d_bench, pattern-8x), 28 x 1 no faster.
  using Patterns = PatternTiles<PatternTile<14, 1>, PatternTile<7, 1>>;
};
// 64-bit Arm. Three vectors of a row are one load, so that steps of three and two cells take 1.4 and 1.5 instructions a
// multiply-add, against 1.7 and 2.0 with 14 x 1 (bench/arm.sh). The others end a row.
template <>
struct DefaultTiles<32, 4> {
  using Type = DefaultTiles<32, 16>::Type;
  using Patterns = PatternTiles<PatternTile<7, 3>, PatternTile<7, 2>, PatternTile<14, 1>, PatternTile<7, 1>>;
};

// Those of 8-bit products, whose columns are groups of four.
template <int kRegisters>
struct DefaultInt8Tiles {
  // Products of pairs take a register each before they are added: with 4 x 3, g++ keeps the sums in memory.
  using Type = AnyOf<RegisterTile<4, 2, AllMasks<4>>>;
};
template <>
struct DefaultInt8Tiles<32> {
  using Type = AnyOf<RegisterTile<8, 3>, RegisterTile<4, 6, AllMasks<4>>>;
};

// Bytes of the packed input tile. It shares L2 with the weights and outputs that stream past. With 1 MiB of L2, 576 KiB
// instead of 384 KiB raised 1x1 layers of 1024 and 2048 channels from 60 and 45 to 77 and 82 useful GFLOP/s of 116 and
// left others alone (conv2d_bench resnet50, bcr_col-8x).
inline constexpr size_t kInputTileBytes = 576 * 1024;

// Of a Winograd convolution, the bytes of a block's transformed input: at least, and at most where the weights are
// larger still; and of the sums of the panels that are computed together, in L2. 1 MiB of them instead of 256 KiB was 5
// to 25 % faster on C3D's conv2, conv3b and conv4b, dense and bcr_kernel (lacuna-run c3d, Zen 4, L2 of 1 MiB).
inline constexpr size_t kWinogradBlockBytes = 2 * 1024 * 1024;
inline constexpr size_t kMaxWinogradBlockBytes = 8 * 1024 * 1024;
inline constexpr size_t kWinogradSumBytes = 1024 * 1024;
// Where a block's transformed input is larger than kWinogradBlockBytes: so many panels, if they were dense, are
// multiplied in the time that a product's input takes from the last-level cache. 1.25 and 5 were no better on C3D.
inline constexpr double kWinogradStreamPanels = 2.5;
// And where at most this fraction of the weights is kept, a product's input is fetched while the one before is
// computed: columns of sparse panels are not a stream that the hardware sees. C3D's conv3b at a quarter takes 18
// instead of 29 ms, but dense 62 instead of 48.
inline constexpr double kWinogradFetchDensity = 0.5;
// Input channels that are padded at a time, to be still in L1 or L2 when they are transformed; and the floats between
// matrices of neighbouring points, a cache line, lest they be a multiple of a page apart and share a few sets of L1.
// Not fitted.
inline constexpr int64_t kWinogradChannels = 16;
inline constexpr int64_t kWinogradStagger = 16;

// The largest WinogradError that is accepted where Winograd forms are, and the most bytes of transformed weights a
// layer: F(4x4x4) multiplies a 3x3x3 layer's by 8, and with 512 channels would hold 226 MB.
inline constexpr double kWinogradError = 1e-4;
inline constexpr size_t kWinogradWeightBytes = 64 * 1024 * 1024;

// Channels of the input tile are not a multiple of this many cache lines apart: they would share a few sets of L1.
inline constexpr int64_t kConflictLines = 8;

// The kernel prefetches this many columns ahead. Worth 5 to 15 % on cores with two 512-bit multiply-add units, nothing
// on Zen 4.
inline constexpr size_t kPrefetchColumns = 4;

// And weights this far ahead: where they come from L3 or memory, as in layers of 512 channels at 14 x 14 or 7 x 7, that
// is worth 10 to 15 % (C3D conv4b and conv5 under punched-3.6x, bcr_col-8x and dense), 50 % in Winograd form.
inline constexpr size_t kPrefetchWeights = 512;

// This many positions at the end of an image are computed one by one instead of as a vector.
inline constexpr int64_t kFewPositions = 3;

// The pattern kernel's rows begin alike in vectors if that leaves no more than this fraction of their extent in gaps.
// Not fitted: a row of 18 positions would take 32, and lose more to copying and L2 than alignment gains.
inline constexpr double kMostAlignmentGaps = 1.0 / 3.0;

// Rows that a thread takes at a time from a matrix-vector product. With 64, beginning and ending them costs 2 to 8 %
// more (Zen 4, 1024 x 1024 at 8x to 16x), with 256 nothing less; 128 divide 1024 rows among 8 threads. At most 256.
inline constexpr size_t kGemvBlockRows = 128;

// What matrix-vector kernels take for 16 packed weights from L2, in units of what those of 8 rows with shared columns
// take (0.8 ns on Zen 4, 1024 x 1024 weights at 8x and dense). The last two exist on AVX-512 only.
inline constexpr double kGemvShared4Cost = 1.4;
inline constexpr double kGemvShared8Cost = 1.0;
inline constexpr double kGemvShared16Cost = 0.9;
inline constexpr double kGemvFilledCost = 0.95;
inline constexpr double kGemvMaskedCost = 1.75;
inline constexpr double kGemvScatteredCost = 4.4;
inline constexpr double kGemvCellsCost = 1.35;
inline constexpr double kGemvLookupCost = 1.2;
// And for 64 packed bytes that come from farther away: a compromise, as it is not known where weights will be. At
// `unstructured-4x` it prefers the form that is 10 % slower from L2, and twice as fast from memory.
inline constexpr double kGemvLineCost = 0.5;

// Hidden units of a recurrent cell whose gates a thread computes at a time: about a microsecond of work. Not fitted.
inline constexpr int64_t kGateUnits = 1024;

// Bounds the steps of a policy that compares rows with rows: additions of 32-bit counters, some seconds of one core.
inline constexpr int64_t kMaxReorderSteps = int64_t{1} << 32;

// A tile of the pattern kernel holds this many groups of a layer with small groups: enough work for the time it takes
// to set up a tile, few enough to stay in L1 and L2.
inline constexpr int64_t kMergedGroups = 32;

// Outputs of a row that the depthwise kernel accumulates at a time, by the number of vector registers. With five
// weights and an input, 7 fit into 16 registers, and twice as many, worth 5 to 20 % (conv2d_bench depthwise), into 32.
// Images are often 7 wide, or a multiple of that.
template <int kRegisters>
inline constexpr int kDepthwiseColumns = kRegisters >= 32 ? 14 : 7;

// Rows of outputs that the depthwise kernel of planes accumulates together: each input vector feeds up to three of
// them. Besides the sums, nine weights and three inputs are in registers. Seven divides the planes of networks on 224 x
// 224 pixels, and is 2 to 10 % faster than four (Zen 4).
template <int kRegisters>
inline constexpr int kDepthwisePlaneRows = kRegisters >= 32 ? 7 : 2;

// Input slices larger than this are fetched ahead of their use, as L2 will not hold them and the hardware does not see
// a stream in reads that are a pixel apart. With 2 MiB and more that is worth 7 to 30 % where they come from memory,
// and costs 3 to 5 % where they come from L3 (MobileNet-V2's first depthwise layers, Zen 4).
inline constexpr double kFetchAheadBytes = 512 * 1024;

// Rows that one call of a library's dense product has at most: as many as a plan multiplies without a look at how work
// is cut among threads, for a library may add in another order when it is given other rows. Not fitted.
inline constexpr int kProductRows = 32;

// Selection by measurement: seconds for a layer, so that candidates of 10 ms still get several turns; candidates are
// tried that are predicted to take this many times the best at most, in so many turns of so many runs. One this many
// times slower than the best drops out: hosts have been seen to halve the speed of a core for seconds, so a factor of 2
// alone proves nothing. Within the tie the better predicted wins: medians of short runs repeat within about 2 % on an
// idle core.
inline constexpr double kMeasureSeconds = 0.8;
inline constexpr double kMostPredicted = 2.0;
inline constexpr int kMeasureTurns = 7;
inline constexpr size_t kMeasureRuns = 9;
inline constexpr double kFarSlower = 2.5;
inline constexpr double kTie = 1.02;

// Cost model, in multiply-adds of one vector. Terms of input tiles are estimates from where conv2d_bench vgg16 and
// resnet50 spend their time on Zen 4; the others are fitted to the times of all candidates in 239 cases of select_bench
// there: of those the cheapest prediction was within 15 % of the fastest candidate in 98 %.
inline constexpr double kColumnCost = 1.5;          // loading a column's vector
inline constexpr double kSegmentCost = 7.0;         // starting a run of columns under another mask, per kernel call
inline constexpr double kMaskCost = 1.0;            // a mask that a tile lists besides the first, per kernel call
inline constexpr double kStepCost = 0.7;            // a step of the pattern kernel, per vector: its load
inline constexpr double kLoneStepCost = 1.2;        // the same if it has one cell of its kernel's only step
inline constexpr double kPatternOutputCost = 15.0;  // a vector of the pattern kernel's outputs, whatever is added up
inline constexpr double kBlockCost = 5.0;           // a step of the pattern kernel, per call
inline constexpr double kPackVectorCost = 6.0;      // copying one vector into the input tile
inline constexpr double kPackRowCost = 10.0;        // starting a row of the input tile
// Starting an input tile: 960 groups of 7 x 7 outputs, a tile each, took 270 ns a tile (conv2d_bench,
// mobilenet_v2.depthwise7 with planar activations, Zen 4).
inline constexpr double kTileCost = 700.0;
// Transforming a vector of tiles to or from the products' domain, per point and channel, what it misses of L2 included;
// and reading a weight of a product again for another block, from the last-level cache or, if they do not all fit
// there, from memory.
inline constexpr double kWinogradPointCost = 20.0;
// A cache line of the input or the output, where they do not fit L2. With it C3D's conv2 is cut into blocks of whole
// rows, and is a fifth faster.
inline constexpr double kWinogradLineCost = 16.0;
// That of F(4, 3); of the others over it, for every axis that is transformed.
inline constexpr double kWinogradPointCost2 = 0.84;
inline constexpr double kWinogradPointCost6 = 1.3;
inline constexpr double kWinogradStreamCost = 0.14;
inline constexpr double kWinogradMemoryCost = 1.15;
// A dense weight of a product by a library, per vector of tiles. libxsmm's products of 8 VGG-16 and 12 C3D layers take
// 1.2 times as long as the panel kernel's, whose tiles load a column for every 8 weights at best (winograd_bench).
inline constexpr double kProductWeightCost = 1.5;
inline constexpr double kLastLevelBytes = 16.0 * 1024 * 1024;
// Reading a weight for the first time in a run: where a layer's weights fit the last-level cache, and where they do
// not. Of direct and Winograd forms.
inline constexpr double kCachedWeightCost = 0.5;
inline constexpr double kColdWeightCost = 0.9;
// What reading takes on the machine that those were fitted on, in multiply-adds of a vector: a vector from L2, a weight
// from the last-level cache and from memory. MeasureMachine says 3.69e9 multiply-adds, 118 and 100 GB/s there; memory
// is taken for 12 GB/s, as buffers that fit a shared L3 cannot tell. And how far another machine's may be from that
// (CostFactors).
inline constexpr double kReferenceL2Cost = 2.0;
inline constexpr double kReferenceL3Cost = 0.15;
inline constexpr double kReferenceMemoryCost = 1.2;
inline constexpr double kMostCostFactor = 4.0;
inline constexpr double kSpanCost = 6.0;          // starting a run of outputs at the store
inline constexpr double kFewPositionCost = 0.2;   // a position of the kernel that takes them one by one
inline constexpr double kStreamWeightCost = 0.8;  // reading one packed weight again for another input tile

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_POLICY_DEFAULTS_H_
