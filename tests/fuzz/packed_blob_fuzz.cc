// Bytes as a blob of packed weights: refused, or plans of them stay inside their tensors. The first byte as in
// blob_fuzz.cc.

#include <cstring>

#include "tests/fuzz/decisions.h"
#include "tests/support/blob_damage.h"

namespace lacuna::fuzz::packed_blob_fuzzer {
namespace {

constexpr int64_t kMostElements = 1 << 12;

// Where the seeds were packed, and so their damaged ones are too: on the best target of the machine.
std::string_view Target() { return ActiveTargetName(); }

void Use(const Shared<PackedWeights<float>>& weights) {
  const MatrixShape shape = weights->LayerShape();
  if (shape.elements() > kMostElements || shape.rows > 64 || shape.columns > 256) return;
  for (const int64_t taps : {9, 6, 1}) {
    if (shape.columns % taps != 0) continue;
    ConvShape<2> layer{.in_channels = shape.columns / taps * shape.groups,
                       .out_channels = shape.rows,
                       .groups = shape.groups,
                       .input = {5, 9},
                       .kernel = {taps == 9   ? 3
                                  : taps == 6 ? 3
                                              : 1,
                                  taps == 9   ? 3
                                  : taps == 6 ? 2
                                              : 1}};
    const auto plan = MakeConvolution<2>(weights, layer);
    if (!plan.ok()) continue;
    test::GuardedTensor<4> x(layer.input_tensor(), test::Layout::kPlanar),
        y(layer.output_tensor(), test::Layout::kPlanar);
    x.Load(std::vector<float>(static_cast<size_t>(layer.input_elements()), 1.0f));
    test::GuardedBuffer<std::byte> workspace(plan->WorkspaceBytes(1));
    CHECK(plan->Run(std::as_const(x).view(), y.view(), {.workspace = workspace.span()}).ok());
    CHECK(y.GapsUntouched());
  }
}

void Run(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  const bool fit = bytes[0] % 2 != 0;
  bytes = bytes.subspan(1);
  test::Blob blob = test::CopyOf(std::as_bytes(bytes));
  if (fit) {
    blob.Truncate(blob.size() / kAlignment * kAlignment);
    if (blob.size() < sizeof(blob::Header)) return;
    blob::Header header;
    std::memcpy(&header, blob.data(), sizeof(header));
    header.magic = blob::kMagic;
    header.version = blob::kVersion;
    header.byte_order = blob::kByteOrder;
    header.kind = BlobKind::kPacked;
    header.value = BlobValue::kFloat32;
    header.bytes = blob.size();
    header.target = {};
    std::copy(Target().begin(), Target().end(), header.target.begin());
    std::memcpy(blob.data(), &header, sizeof(header));
    test::FixChecksum(blob);
  }
  const auto weights = ViewPackedWeights(blob);
  if (!weights.ok()) return;
  CHECK(std::ranges::equal(test::BlobOf(**weights, Target()), blob));
  Use(*weights);
}

void AddSeeds(Seeds& seeds) {
  const auto add = [&](const Shared<PackedWeights<float>>& weights) {
    const auto bytes = test::BlobOf(*weights, Target());
    for (const uint8_t fit : {uint8_t{0}, uint8_t{1}}) {
      seeds.Add({fit}, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
  };
  std::vector<float> values(10 * 18);
  test::FillIntegers(values, 1);
  test::Thin(values, 2, 0.4);
  for (const int64_t groups : {1, 2}) {
    const auto dense = DenseWeights<float>::View({.rows = 10, .columns = 18, .groups = groups}, values);
    REQUIRE(dense.ok());
    const auto csr = CsrWeights<float>::FromDense(*dense);
    const auto bcr = BcrWeights<float>::FromDense(*dense, BlockShape{4, 8});
    const auto pattern = PatternWeights<float>::FromDense(*dense, 9, 1);
    REQUIRE(csr.ok());
    REQUIRE(bcr.ok());
    REQUIRE(pattern.ok());
    const ConvShape<2> layer{
        .in_channels = 2 * groups, .out_channels = 10, .groups = groups, .input = {5, 9}, .kernel = {3, 3}};
    for (size_t form = 0; form < 6; ++form) {
      SelectIndex::index = form;
      AnyForm policy;
      policy.winograd_error = 0.0;
      for (const LayerWeights& weights :
           {LayerWeights(*dense), LayerWeights(*csr), LayerWeights(*bcr), LayerWeights(*pattern)}) {
        const auto packed = PackWeights(weights, layer, policy);
        REQUIRE(packed.ok());
        add(*packed);
      }
    }
  }
}

const Registration kRegistration({.name = "packed_blob", .run = &Run, .seeds = &AddSeeds});

}  // namespace
}  // namespace lacuna::fuzz::packed_blob_fuzzer
