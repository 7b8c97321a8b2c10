// The page's functions compiled for this machine: prints what test.mjs compares those in WebAssembly with, as JSON.
// Usage: reference DIGITS_BIN DIGITS_JSON_COUNTS...   Arguments after the file: scheme=count of each network, in order.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "web/web.h"

namespace {

constexpr const char* kLayers[] = {"vgg16.conv4_2", "vgg16.conv5_1", "resnet50.res4a_2b", "resnet50.res5_2c"};
constexpr const char* kSchemes[] = {"dense", "bcr_col-8x", "bcr_kernel-8x", "pattern-8x", "unstructured-8x"};

int Fail(const char* what) {
  std::fprintf(stderr, "reference: %s: %s\n", what, web_message());
  return 1;
}

// The fastest of several runs.
double Seconds() {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int run = 0; run < 7; ++run) {
    const Clock::time_point begin = Clock::now();
    if (web_run() == 0) return 0.0;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (seconds < best) best = seconds;
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: reference DIGITS_BIN SCHEME=COUNT...\n");
    return 2;
  }
  std::printf("{\"target\": \"%s\", \"layers\": [", web_target());
  const char* comma = "\n";
  for (const char* layer : kLayers) {
    for (const char* scheme : kSchemes) {
      if (std::strstr(layer, "res5_2c") != nullptr && std::strstr(scheme, "pattern") != nullptr) continue;  // 1 x 1
      if (web_open(layer, scheme) == 0 || web_run() == 0) return Fail(layer);
      const double checksum = web_checksum();
      std::printf("%s{\"layer\": \"%s\", \"scheme\": \"%s\", \"checksum\": %.9g, \"seconds\": %.6g}", comma, layer,
                  scheme, checksum, Seconds());
      comma = ",\n";
    }
  }
  std::FILE* file = std::fopen(argv[1], "rb");
  if (file == nullptr) return Fail(argv[1]);
  std::printf("],\n\"digits\": [");
  comma = "\n";
  for (int slot = 0; slot + 2 < argc; ++slot) {
    const std::string argument = argv[slot + 2];
    const size_t equals = argument.find('=');
    if (equals == std::string::npos) return Fail("an argument is not SCHEME=COUNT");
    std::vector<float> values(static_cast<size_t>(std::atol(argument.c_str() + equals + 1)));
    if (std::fread(values.data(), sizeof(float), values.size(), file) != values.size())
      return Fail("the file is short");
    if (web_digits_load(slot, argument.substr(0, equals).c_str(), values.data(), static_cast<int32_t>(values.size())) ==
        0) {
      return Fail("web_digits_load");
    }
    for (int image = 0; image < 3; ++image) {  // a bar, a slope, a ring
      float pixels[64], logits[10];
      for (int i = 0; i < 64; ++i) {
        const int h = i / 8, w = i % 8, ring = (2 * h - 7) * (2 * h - 7) + (2 * w - 7) * (2 * w - 7);
        pixels[i] = image == 0   ? (w == 4 ? 1.0f : 0.0f)
                    : image == 1 ? static_cast<float>(h + w) / 14.0f
                                 : (ring > 14 && ring < 40 ? 1.0f : 0.0f);
      }
      if (web_digits_run(slot, pixels, logits) == 0) return Fail("web_digits_run");
      std::printf("%s[", comma);
      comma = ",\n";
      for (int c = 0; c < 10; ++c) std::printf("%s%.9g", c == 0 ? "" : ", ", static_cast<double>(logits[c]));
      std::printf("]");
    }
  }
  std::fclose(file);
  std::printf("]}\n");
  return 0;
}
