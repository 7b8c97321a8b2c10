#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/policy/choices.h"
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

LACUNA_COLD_FUNC LayerKey::KeyText LayerKey::Text() const {
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

LACUNA_COLD_FUNC Status Choices::Insert(const LayerKey& layer, std::string_view candidate, double seconds) {
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

LACUNA_COLD_FUNC Result<Buffer<char>> Choices::Serialize() const {
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
LACUNA_COLD_FUNC Result<Buffer<SavedChoice>> Choices::Read(std::string_view text) const {
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

LACUNA_COLD_FUNC Result<Buffer<char>> Choices::ReadFile(const char* path) {
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

}  // namespace lacuna::inline LACUNA_ABI
