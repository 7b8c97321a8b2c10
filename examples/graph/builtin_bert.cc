// BERT base and MobileBERT with a question answering head: the scores of every token as first and last of the answer.

#include <cmath>

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

constexpr int64_t kVocabulary = 30522;

// softmax(q k^T / sqrt(depth)) v, heads side by side in the last axis.
std::string Attention(NetworkBuilder& net, const std::string& name, const std::string& q, const std::string& k,
                      const std::string& v, int64_t length, int64_t width, int64_t heads) {
  const int64_t depth = width / heads;
  const auto split = [&](const std::string& x, Shape order) {
    return net.Transpose(net.Reshape(x, {-1, length, heads, depth}), std::move(order));
  };
  const std::string scores = net.MatMul(name + ".scores", split(q, {0, 2, 1, 3}), split(k, {0, 2, 3, 1}));
  const std::string scaled = net.Scaled(scores, 1.0f / std::sqrt(static_cast<float>(depth)));
  const std::string mixed = net.MatMul(name + ".mixed", net.Softmax(scaled, -1), split(v, {0, 2, 1, 3}));
  return net.Reshape(net.Transpose(mixed, {0, 2, 1, 3}), {-1, length, width});
}

Graph Bert(const char* name, int64_t length, int64_t batch, uint64_t seed) {
  constexpr int64_t kWidth = 768, kHeads = 12, kLayers = 12, kInner = 3072;
  NetworkBuilder net(name, {"tokens", {batch, length}, ElementType::kInt64}, seed);
  std::string x = net.Embedding("words", "tokens", kVocabulary, kWidth);
  // Positions and the segment are the same for all inputs.
  x = net.LayerNormalization(net.PlusConstant("positions", x, {1, length, kWidth}), kWidth);
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const std::string at = "layer" + std::to_string(layer);
    const auto linear = [&](const char* part, const std::string& from, int64_t in, int64_t out) {
      return net.Linear(at + part, from, in, out);
    };
    const std::string q = linear(".query", x, kWidth, kWidth), k = linear(".key", x, kWidth, kWidth);
    const std::string v = linear(".value", x, kWidth, kWidth);
    const std::string mixed = Attention(net, at, q, k, v, length, kWidth, kHeads);
    x = net.LayerNormalization(net.Add(at + ".sum", linear(".attention", mixed, kWidth, kWidth), x), kWidth);
    const std::string inner = net.Gelu(linear(".inner", x, kWidth, kInner));
    x = net.LayerNormalization(net.Add(at, linear(".outer", inner, kInner, kWidth), x), kWidth);
  }
  return net.Finish({net.Linear("answer", x, kWidth, 2)});
}

Graph MobileBert(const char* name, int64_t length, int64_t batch, uint64_t seed) {
  constexpr int64_t kWidth = 512, kNarrow = 128, kEmbedding = 128, kHeads = 4, kLayers = 24, kStacked = 4;
  NetworkBuilder net(name, {"tokens", {batch, length}, ElementType::kInt64}, seed);
  // Each token sees the one before and the one behind it.
  const std::string words = net.Embedding("words", "tokens", kVocabulary, kEmbedding);
  const std::string trigrams = net.Trigrams(words, length);
  std::string x = net.Linear("embedding", trigrams, 3 * kEmbedding, kWidth);
  x = net.Affine(net.PlusConstant("positions", x, {1, length, kWidth}), kWidth);
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const std::string at = "layer" + std::to_string(layer);
    const auto linear = [&](const std::string& part, const std::string& from, int64_t in, int64_t out) {
      return net.Linear(at + part, from, in, out);
    };
    std::string y = net.Affine(linear(".bottleneck", x, kWidth, kNarrow), kNarrow);
    const std::string shared = net.Affine(linear(".shared", x, kWidth, kNarrow), kNarrow);
    const std::string q = linear(".query", shared, kNarrow, kNarrow), k = linear(".key", shared, kNarrow, kNarrow);
    const std::string v = linear(".value", x, kWidth, kNarrow);
    const std::string mixed = Attention(net, at, q, k, v, length, kNarrow, kHeads);
    y = net.Affine(net.Add(at + ".sum", linear(".attention", mixed, kNarrow, kNarrow), y), kNarrow);
    for (int64_t i = 0; i < kStacked; ++i) {
      const std::string number = std::to_string(i);
      const std::string inner = net.Relu(linear(".inner" + number, y, kNarrow, kWidth));
      y = net.Affine(net.Add(at + ".sum" + number, linear(".outer" + number, inner, kWidth, kNarrow), y), kNarrow);
    }
    x = net.Affine(net.Add(at, linear(".out", y, kNarrow, kWidth), x), kWidth);
  }
  return net.Finish({net.Linear("answer", x, kWidth, 2)});
}

}  // namespace

Graph BertBase(int64_t batch, uint64_t seed) { return Bert("bert_base", 128, batch, seed); }
Graph BertBase384(int64_t batch, uint64_t seed) { return Bert("bert_base_384", 384, batch, seed); }
Graph MobileBert128(int64_t batch, uint64_t seed) { return MobileBert("mobilebert", 128, batch, seed); }
Graph MobileBert384(int64_t batch, uint64_t seed) { return MobileBert("mobilebert_384", 384, batch, seed); }

}  // namespace graph
