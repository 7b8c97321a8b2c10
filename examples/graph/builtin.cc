#include "graph/builtin.h"

#include <cmath>

#include "graph/builtin_families.h"

namespace graph {
namespace {

// SplitMix64 (Steele, Lea and Flood, 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // In (0, 1).
  double NextUniform() { return (static_cast<double>(Next() >> 11) + 0.5) * 0x1p-53; }

 private:
  uint64_t state_;
};

// torchvision's preset for Kinetics-400, VideoClassification in transforms/_presets.py.
constexpr Normalization kKinetics = {{0.43216f, 0.394666f, 0.37645f}, {0.22803f, 0.22145f, 0.216989f}};
// Values in [0, 255] less the mean of each channel, mmaction2's configs/recognition/c3d; the original subtracts a mean
// image of Sports-1M, which is near it.
constexpr Normalization kSports1m = {{104.0f / 255.0f, 117.0f / 255.0f, 128.0f / 255.0f},
                                     {1.0f / 255.0f, 1.0f / 255.0f, 1.0f / 255.0f}};

// C3D: conv1 has 3 input channels, conv5a and conv5b cost 4 % of the FLOPs. The others: all but the stem, whose spatial
// part has 3 input channels; it holds few weights, and every feature depends on each of them.
constexpr UsualPruning kC3dPruning = {"^conv(2|3a|3b|4a|4b)$", 3.6};
constexpr UsualPruning kR2Plus1dPruning = {"^res", 3.2};
constexpr UsualPruning kS3dPruning = {"^(conv2|conv3|mixed)", 2.1};

struct Network {
  const char* name;
  Graph (*build)(int64_t batch, uint64_t seed);
  const char* source;
  const UsualPruning* pruning = nullptr;
  const Normalization* normalization = nullptr;
};

constexpr Network kNetworks[] = {
    {"vgg16", Vgg16, "Simonyan and Zisserman, 2014, configuration D"},
    {"resnet18", Resnet18, "He et al., 2015"},
    {"resnet50", Resnet50, "He et al., 2015, stride in the 3x3 convolutions"},
    {"mobilenet_v2", MobilenetV2, "Sandler et al., 2018, width 1.0"},
    {"yolov4_tiny", Yolov4Tiny, "Wang et al., Scaled-YOLOv4, 2020, 416 x 416"},
    {"yolov4_416", Yolov4At416, "Bochkovskiy et al., YOLOv4, 2020, 416 x 416"},
    {"yolov4_608", Yolov4At608, "Bochkovskiy et al., YOLOv4, 2020, 608 x 608"},
    {"pointpillars", PointPillars, "Lang et al., 2019, backbone and heads on the pillars' 496 x 432 map"},
    {"simple_baseline", SimpleBaseline, "Xiao et al., 2018, ResNet-50, 17 joints of a 256 x 192 image"},
    {"wdsr_x2", Wdsr, "Yu et al., 2018, WDSR-A of 16 blocks, 640 x 360 to 1280 x 720"},
    {"style_transfer", StyleTransfer, "Johnson et al., 2016, with instance normalization, 256 x 256"},
    {"colouring", Colouring, "Zhang et al., Colorful image colorization, 2016, 256 x 256"},
    {"unet3d", Unet3d, "MLPerf's 3-D U-Net after Isensee et al., nnU-Net, 2021, 128 x 128 x 128"},
    {"c3d", C3d, "Tran et al., 2015", &kC3dPruning, &kSports1m},
    {"r2plus1d", R2Plus1d, "Tran et al., 2018, 18 layers", &kR2Plus1dPruning, &kKinetics},
    {"s3d", S3d, "Xie et al., 2018, without gating", &kS3dPruning, &kKinetics},
    {"bert_base", BertBase, "Devlin et al., 2018, question answering, 128 tokens"},
    {"bert_base_384", BertBase384, "the same, 384 tokens"},
    {"mobilebert", MobileBert128, "Sun et al., 2020, question answering, 128 tokens"},
    {"mobilebert_384", MobileBert384, "the same, 384 tokens"},
    {"gru_timit", GruTimit, "Dong et al., RTMobile, 2020"},
};

const Network* Find(const std::string& name) {
  for (const Network& network : kNetworks) {
    if (name == network.name) return &network;
  }
  return nullptr;
}

}  // namespace

bool IsBuiltinNetwork(const std::string& name) { return Find(name) != nullptr; }

std::vector<BuiltinSource> BuiltinNetworks() {
  std::vector<BuiltinSource> all;
  for (const Network& network : kNetworks) all.push_back({network.name, network.source});
  return all;
}

std::string BuiltinNetworkNames() {
  std::string names;
  for (const Network& network : kNetworks) names += (names.empty() ? "" : ", ") + std::string(network.name);
  return names;
}

Result<Graph> BuiltinNetwork(const std::string& name, int64_t batch, uint64_t seed) {
  if (const Network* network = Find(name); network != nullptr) return network->build(batch, seed);
  return Status::Make(StatusCode::kNotFound, "network is '%s', must be one of %s", name.c_str(),
                      BuiltinNetworkNames().c_str());
}

std::optional<UsualPruning> UsualPruningOf(const std::string& name) {
  const Network* network = Find(name);
  if (network == nullptr || network->pruning == nullptr) return std::nullopt;
  return *network->pruning;
}

Normalization NormalizationOf(const std::string& name) {
  const Network* network = Find(name);
  return network == nullptr || network->normalization == nullptr ? Normalization{} : *network->normalization;
}

void FillGaussian(std::span<float> values, float deviation, uint64_t seed) {
  Random random(seed);
  for (size_t i = 0; i < values.size(); i += 2) {  // Box and Muller, two at a time
    const double radius = std::sqrt(-2.0 * std::log(random.NextUniform()));
    const double angle = 2.0 * 3.14159265358979323846 * random.NextUniform();
    values[i] = deviation * static_cast<float>(radius * std::cos(angle));
    if (i + 1 < values.size()) values[i + 1] = deviation * static_cast<float>(radius * std::sin(angle));
  }
}

}  // namespace graph
