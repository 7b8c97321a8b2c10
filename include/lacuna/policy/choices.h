// LayerKey and Choices: which candidate won on which layer, kept from run to run in a small text.
//
//   lacuna choices 2                     version of this format
//   library 0.1.0                        LACUNA_VERSION
//   cpu AMD EPYC 9R14                    CpuName() of policy/machine.h, say
//   target AVX3_ZEN4                     Highway's name of the SIMD target
//   choices 1                            number of lines that follow, ascending by layer
//   batch=1 ... threads=1<TAB>52341<TAB>8x3      layer, nanoseconds of a run, candidate
//   checksum 0123456789abcdef            of all bytes before this line: 64-bit FNV-1a, hexadecimal
//
// Every line ends with a line feed. Characters are printable ASCII.

#ifndef LACUNA_POLICY_CHOICES_H_
#define LACUNA_POLICY_CHOICES_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/version.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// A layer as selection sees it: what decides which candidate is fastest, and nothing else. Axes are (depth, height,
// width), those that a layer does not have being 1; Y = W X has in_channels = K, out_channels = M and input {1, 1, N}.
// Rows and columns of the weights follow: out_channels and in_channels / groups * kernel cells.
struct LACUNA_API LayerKey {
  int64_t batch = 1;
  int64_t in_channels = 0, out_channels = 0, groups = 1;
  std::array<int64_t, 3> input{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  std::array<int64_t, 3> pad_begin{}, pad_end{};
  std::string_view scheme{};    // or format; its first kSchemeBytes count
  double density = 1.0;         // stored weights / all weights
  double winograd_error = 0.0;  // what Winograd forms may have; 0 where there are none
  int64_t threads = 1;
  std::string_view target{};  // SIMD target; empty: whatever Choices are asked

  static constexpr size_t kSchemeBytes = 40;
  static constexpr size_t kTextBytes = 736;  // 26 numbers of up to 20 digits, the scheme and the names
  using KeyText = std::array<char, kTextBytes>;

  // All but scheme and density.
  template <int kRank>
  static LayerKey Of(const ConvShape<kRank>& shape) {
    LayerKey key{.batch = shape.batch,
                 .in_channels = shape.in_channels,
                 .out_channels = shape.out_channels,
                 .groups = shape.groups};
    const auto copy = [](const Extents<kRank>& from, std::array<int64_t, 3>& to) {
      std::copy(from.begin(), from.end(), to.end() - kRank);
    };
    copy(shape.input, key.input);
    copy(shape.kernel, key.kernel);
    copy(shape.stride, key.stride);
    copy(shape.dilation, key.dilation);
    copy(shape.pad_begin, key.pad_begin);
    copy(shape.pad_end, key.pad_end);
    return key;
  }
  // `nnz` of the shape's weights are stored.
  template <int kRank>
  static LayerKey Of(const ConvShape<kRank>& shape, std::string_view scheme, int64_t nnz) {
    LayerKey key = Of(shape);
    key.scheme = scheme;
    key.density = static_cast<double>(nnz) / static_cast<double>(shape.weight_elements());
    return key;
  }

  // Rates (1 / density) share choices in quarters of an octave: the rate is taken for the nearest 2^(step / 4), which
  // is at most 9 % away. 8x is step 12; no weights at all are the last step.
  static constexpr int kMostDensityStep = 160;
  int DensityStep() const {
    if (!(density > 0)) return kMostDensityStep;  // catches NaN
    const double step = std::round(-4 * std::log2(density));
    return static_cast<int>(std::clamp(step, 0.0, static_cast<double>(kMostDensityStep)));
  }

  // One line, zero-terminated: "batch=1 in=64 out=128 groups=1 input=1x56x56 kernel=1x3x3 stride=1x1x1 dilation=1x1x1
  // pad=0x1x1+0x1x1 scheme=bcr_col rate=2^(12/4) threads=1", and " winograd=0.0001" if there may be. Layers with equal
  // texts share a choice. Characters of the scheme that are blanks or not printable ASCII become '_'.
  KeyText Text() const;
};

// What is known of a layer.
struct SavedChoice {
  static constexpr size_t kCandidateBytes = 64;

  LayerKey::KeyText layer{};
  std::array<char, kCandidateBytes> candidate{};
  int64_t nanoseconds = 0;  // of a run

  double seconds() const { return 1e-9 * static_cast<double>(nanoseconds); }
};

// The choices of one CPU and SIMD target. Not thread-safe: plans that share it are made one after the other. Selectors
// hold its address, so it stays where it is. A plan never trusts it beyond the name of one of its own candidates, so a
// wrong choice costs time, not correctness.
class LACUNA_API Choices {
 public:
  static constexpr int kVersion = 2;
  static constexpr size_t kMostChoices = size_t{1} << 14;
  static constexpr size_t kMostBytes = size_t{1} << 24;  // of a text
  static constexpr size_t kFieldBytes = 96;              // of the names of CPU and target

  // Characters that are not printable ASCII become '?'; what exceeds kFieldBytes - 1 is cut.
  Choices(std::string_view cpu, std::string_view target) : cpu_(FieldOf(cpu)), target_(FieldOf(target)) {}
  Choices(const Choices&) = delete;
  Choices& operator=(const Choices&) = delete;

  const char* cpu() const { return cpu_.data(); }
  const char* target() const { return target_.data(); }
  size_t size() const { return size_; }
  std::span<const SavedChoice> entries() const { return {entries_.data(), size_}; }
  void Clear() { size_ = 0; }

  // Null if the layer is unknown, or of another SIMD target. Valid until the next call that is not const.
  const SavedChoice* Find(const LayerKey& layer) const {
    if (!IsOfTarget(layer)) return nullptr;
    const LayerKey::KeyText text = layer.Text();
    const SavedChoice* place = PlaceOf(text);
    return place != entries_.begin() + size_ && place->layer == text ? place : nullptr;
  }

  // Adds the choice of a layer, or replaces it. `candidate` has 1 to 63 characters of printable ASCII. Fails as well if
  // the layer is of another target, the table is full or memory runs out, and then leaves the table as it was. Seconds
  // that are not a time become 0.
  Status Insert(const LayerKey& layer, std::string_view candidate, double seconds);

  // The text above.
  Result<Buffer<char>> Serialize() const;

  // Replaces the table by that of `text`. A text that is damaged or cut short (kDataLoss), or stale, i.e. of another
  // format, library, CPU or target (kUnsupported), leaves an empty table: carry on with it.
  Status Parse(std::string_view text) {
    Clear();
    LACUNA_ASSIGN_OR_RETURN(entries, Read(text));
    size_ = entries.size();
    entries_ = std::move(entries);
    return Status();
  }

  // Parse of a file; kNotFound if there is none.
  Status Load(const char* path) {
    Clear();
    LACUNA_ASSIGN_OR_RETURN(text, ReadFile(path));
    return Parse({text.data(), text.size()});
  }

  // Serialize to a file. One that was not written to its end will be refused by Load.
  Status Save(const char* path) const {
    LACUNA_ASSIGN_OR_RETURN(text, Serialize());
    std::FILE* file = std::fopen(path, "wb");
    if (file == nullptr) return Status::Make(StatusCode::kNotFound, "choices: cannot write %.150s", path);
    const size_t written = std::fwrite(text.data(), 1, text.size(), file);
    if (std::fclose(file) != 0 || written != text.size()) {
      return Status::Make(StatusCode::kDataLoss, "choices: not all of %zu bytes could be written to %.150s",
                          text.size(), path);
    }
    return Status();
  }

 private:
  using Field = std::array<char, kFieldBytes>;

  static constexpr bool IsPrintable(char c) { return c >= ' ' && c <= '~'; }
  static bool IsPrintable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return IsPrintable(c); });
  }
  template <size_t kBytes>
  static bool Fits(std::string_view text) {
    return !text.empty() && text.size() < kBytes && IsPrintable(text);
  }
  static Field FieldOf(std::string_view text) {
    Field field{};
    text = text.substr(0, field.size() - 1);
    std::transform(text.begin(), text.end(), field.begin(), [](char c) { return IsPrintable(c) ? c : '?'; });
    return field;
  }
  bool IsOfTarget(const LayerKey& layer) const { return layer.target.empty() || layer.target == target(); }

  // Of `layer`, or where it belongs.
  const SavedChoice* PlaceOf(const LayerKey::KeyText& layer) const {
    return std::lower_bound(entries_.begin(), entries_.begin() + size_, layer,
                            [](const SavedChoice& entry, const LayerKey::KeyText& text) { return entry.layer < text; });
  }

  // BlobChecksum of core/blob_layout.h is of whole words; this one is of any bytes, and sees every change of one.
  static uint64_t Checksum(std::string_view text) {
    uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
  }
  static constexpr size_t kChecksumBytes = 26;  // of the last line
  static std::array<char, kChecksumBytes + 1> ChecksumLine(std::string_view text) {
    std::array<char, kChecksumBytes + 1> line{};
    std::snprintf(line.data(), line.size(), "checksum %016llx\n", static_cast<unsigned long long>(Checksum(text)));
    return line;
  }

  Result<Buffer<SavedChoice>> Read(std::string_view text) const;
  static Result<Buffer<char>> ReadFile(const char* path);

  Field cpu_, target_;
  Buffer<SavedChoice> entries_;  // [at least size_], ascending by layer
  size_t size_ = 0;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/policy/choices.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_POLICY_CHOICES_H_
