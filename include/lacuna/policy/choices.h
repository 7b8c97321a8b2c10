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

namespace lacuna {

// A layer as selection sees it: what decides which candidate is fastest, and nothing else. Axes are (depth, height,
// width), those that a layer does not have being 1; Y = W X has in_channels = K, out_channels = M and input {1, 1, N}.
// Rows and columns of the weights follow: out_channels and in_channels / groups * kernel cells.
struct LayerKey {
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

inline LayerKey::KeyText LayerKey::Text() const {
  KeyText text{};
  size_t used = 0;
  const auto put = [&](const char* name, std::span<const int64_t> values) {
    const char* before = name;
    for (const int64_t value : values) {
      used += static_cast<size_t>(
          std::snprintf(text.data() + used, text.size() - used, "%s%lld", before, static_cast<long long>(value)));
      before = "x";
    }
  };
  const auto put_one = [&](const char* name, int64_t value) { put(name, {&value, 1}); };
  put_one("batch=", batch);
  put_one(" in=", in_channels);
  put_one(" out=", out_channels);
  put_one(" groups=", groups);
  put(" input=", input);
  put(" kernel=", kernel);
  put(" stride=", stride);
  put(" dilation=", dilation);
  put(" pad=", pad_begin);
  put("+", pad_end);
  for (const char c : std::string_view(" scheme=")) text[used++] = c;
  for (const char c : scheme.substr(0, kSchemeBytes)) text[used++] = c > ' ' && c <= '~' ? c : '_';
  put_one(" rate=2^(", DensityStep());
  put_one("/4) threads=", threads);
  if (winograd_error > 0) std::snprintf(text.data() + used, text.size() - used, " winograd=%g", winograd_error);
  return text;
}

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
class Choices {
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

inline Status Choices::Insert(const LayerKey& layer, std::string_view candidate, double seconds) {
  if (!Fits<SavedChoice::kCandidateBytes>(candidate)) {
    return Status::InvalidArgument("candidate has %zu characters, must have 1 to %zu of printable ASCII",
                                   candidate.size(), SavedChoice::kCandidateBytes - 1);
  }
  if (!IsOfTarget(layer)) {
    return Status::InvalidArgument("layer.target is %.*s, must be %s, as of the choices",
                                   static_cast<int>(std::min<size_t>(layer.target.size(), 40)), layer.target.data(),
                                   target());
  }
  SavedChoice entry{.layer = layer.Text()};
  std::copy(candidate.begin(), candidate.end(), entry.candidate.begin());
  if (seconds > 0 && seconds < 1e9) entry.nanoseconds = std::llround(seconds * 1e9);
  const auto place = static_cast<size_t>(PlaceOf(entry.layer) - entries_.begin());
  if (place < size_ && entries_[place].layer == entry.layer) {
    entries_[place] = entry;
    return Status();
  }
  if (size_ == kMostChoices) {
    return Status::InvalidArgument("choices has %zu layers, must have at most %zu", size_ + 1, kMostChoices);
  }
  if (size_ == entries_.size()) {
    LACUNA_ASSIGN_OR_RETURN(larger, Buffer<SavedChoice>::Make(std::max<size_t>(16, 2 * size_)));
    std::copy(entries_.begin(), entries_.end(), larger.begin());
    entries_ = std::move(larger);
  }
  std::copy_backward(entries_.begin() + place, entries_.begin() + size_, entries_.begin() + size_ + 1);
  entries_[place] = entry;
  ++size_;
  return Status();
}

inline Result<Buffer<char>> Choices::Serialize() const {
  // Lines of full length and a header of four fields are more than is used.
  LACUNA_ASSIGN_OR_RETURN(text, Buffer<char>::Make((size_ + 4) * (sizeof(SavedChoice) + 32)));
  size_t used = 0;
  const auto add = [&, &to = text](const char* a, const char* b, const char* c = "", const char* d = "") {
    used += static_cast<size_t>(std::snprintf(to.data() + used, to.size() - used, "%s%s%s%s\n", a, b, c, d));
  };
  char number[32];
  const auto digits = [&](int64_t value) {
    std::snprintf(number, sizeof(number), "%lld", static_cast<long long>(value));
    return number;
  };
  add("lacuna choices ", digits(kVersion));
  add("library ", LACUNA_VERSION);
  add("cpu ", cpu());
  add("target ", target());
  add("choices ", digits(static_cast<int64_t>(size_)));
  for (const SavedChoice& entry : entries()) {
    char time[40];
    std::snprintf(time, sizeof(time), "\t%s\t", digits(entry.nanoseconds));
    add(entry.layer.data(), time, entry.candidate.data());
  }
  const auto checksum = ChecksumLine({text.data(), used});
  std::copy_n(checksum.begin(), kChecksumBytes, text.begin() + used);
  text.Truncate(used + kChecksumBytes);
  return std::move(text);
}

// The entries of a text that is right in every byte.
inline Result<Buffer<SavedChoice>> Choices::Read(std::string_view text) const {
  const auto damaged = [](const char* what) { return Status::Make(StatusCode::kDataLoss, "choices: %s", what); };
  size_t line_number = 0;
  // The next line without its end, or damaged.
  const auto next = [&](std::string_view& line) {
    const size_t end = text.find('\n');
    ++line_number;
    if (end == std::string_view::npos) return false;
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return true;
  };
  const auto number = [](std::string_view digits, int64_t most, int64_t& value) {
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    return error == std::errc() && stop == end && value >= 0 && value <= most;
  };
  const auto field = [&](std::string_view name, std::string_view& value) {
    std::string_view line;
    if (!next(line) || !line.starts_with(name) || !IsPrintable(line)) return false;
    value = line.substr(name.size());
    return true;
  };

  if (text.size() > kMostBytes) {
    return Status::Make(StatusCode::kDataLoss, "choices: the text has %zu bytes, must have at most %zu", text.size(),
                        kMostBytes);
  }
  const std::string_view all = text;
  std::string_view value;
  int64_t version = 0;
  if (!field("lacuna choices ", value) || !number(value, 1'000'000, version)) {
    return damaged("the first line is not \"lacuna choices <version>\"");
  }
  if (version != kVersion) {
    return Status::Make(StatusCode::kUnsupported, "choices: version is %lld, must be %d",
                        static_cast<long long>(version), kVersion);
  }
  if (text.size() < kChecksumBytes) return damaged("the text ends early");
  const std::string_view body = all.substr(0, all.size() - kChecksumBytes);
  if (all.substr(body.size()) != ChecksumLine(body).data()) {
    return damaged("the checksum is not that of the text, which is damaged or ends early");
  }
  text.remove_suffix(kChecksumBytes);

  const auto stale = [&](std::string_view name, const char* must) {
    if (!field(name, value)) {
      return Status::Make(StatusCode::kDataLoss, "choices: line %zu is not \"%s<name>\"", line_number, name.data());
    }
    if (value == must) return Status();
    return Status::Make(StatusCode::kUnsupported, "choices: %s%.*s is not that of this run: %s", name.data(),
                        static_cast<int>(std::min<size_t>(value.size(), kFieldBytes)), value.data(), must);
  };
  LACUNA_RETURN_IF_ERROR(stale("library ", LACUNA_VERSION));
  LACUNA_RETURN_IF_ERROR(stale("cpu ", cpu()));
  LACUNA_RETURN_IF_ERROR(stale("target ", target()));
  int64_t count = 0;
  if (!field("choices ", value) || !number(value, static_cast<int64_t>(kMostChoices), count)) {
    return Status::Make(StatusCode::kDataLoss, "choices: line %zu is not \"choices <number up to %zu>\"", line_number,
                        kMostChoices);
  }
  LACUNA_ASSIGN_OR_RETURN(entries, Buffer<SavedChoice>::Make(static_cast<size_t>(count)));
  const SavedChoice* last = nullptr;
  for (SavedChoice& entry : entries) {
    std::string_view line;
    const bool is_line = next(line);
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (!is_line || first == std::string_view::npos || second == std::string_view::npos) {
      return Status::Make(StatusCode::kDataLoss, "choices: line %zu is not layer, nanoseconds and candidate",
                          line_number);
    }
    const std::string_view layer = line.substr(0, first), candidate = line.substr(second + 1);
    if (!Fits<LayerKey::kTextBytes>(layer) || !Fits<SavedChoice::kCandidateBytes>(candidate) ||
        !number(line.substr(first + 1, second - first - 1), int64_t{1} << 62, entry.nanoseconds)) {
      return Status::Make(StatusCode::kDataLoss, "choices: line %zu has a name or a number out of range", line_number);
    }
    std::copy(layer.begin(), layer.end(), entry.layer.begin());
    std::copy(candidate.begin(), candidate.end(), entry.candidate.begin());
    if (last != nullptr && !(last->layer < entry.layer)) {
      return Status::Make(StatusCode::kDataLoss, "choices: the layer of line %zu does not follow the one before it",
                          line_number);
    }
    last = &entry;
  }
  if (!text.empty()) return damaged("there are more lines than it says");
  return std::move(entries);
}

inline Result<Buffer<char>> Choices::ReadFile(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return Status::Make(StatusCode::kNotFound, "choices: cannot read %.150s", path);
  Buffer<char> text;
  size_t used = 0;
  Status status;
  while (status.ok()) {
    if (used == text.size()) {
      auto larger = Buffer<char>::Make(std::max<size_t>(size_t{1} << 16, 2 * used));
      if (!larger.ok()) {
        status = larger.status();
        break;
      }
      std::copy_n(text.begin(), used, larger->begin());
      text = *std::move(larger);
    }
    const size_t read = std::fread(text.data() + used, 1, text.size() - used, file);
    used += read;
    if (std::ferror(file) != 0) status = Status::Make(StatusCode::kDataLoss, "choices: cannot read %.150s", path);
    if (read == 0 || used > kMostBytes) break;  // Parse says so of what is too long
  }
  std::fclose(file);
  LACUNA_RETURN_IF_ERROR(status);
  text.Truncate(used);
  return text;
}

}  // namespace lacuna

#endif  // LACUNA_POLICY_CHOICES_H_
