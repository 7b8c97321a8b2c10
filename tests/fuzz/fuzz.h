// What fuzzers share: an input read as decisions, seeds, and a list of the fuzzers that are linked in.
//
// A fuzzer is a file with one line
//
//   const Registration kRegistration({.name = "npy", .run = &Run, .seeds = &Seeds});
//
// Linked with entry.cc it is a libFuzzer binary; linked with the others and with fuzz_test.cc it is an ordinary test,
// on every compiler and target. Both let doctest's CHECK and REQUIRE end the process where they fail.

#ifndef LACUNA_TESTS_FUZZ_FUZZ_H_
#define LACUNA_TESTS_FUZZ_FUZZ_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna::fuzz {

// Bytes as decisions. Behind the end everything is 0: the first choice, the lowest number.
class Input {
 public:
  explicit Input(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const uint8_t byte = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  uint32_t Word() {
    uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word = word << 8 | Byte();
    return word;
  }
  bool Flip() { return Byte() % 2 != 0; }
  // In [low, high], high - low < 256: one byte, so that mutations stay local.
  int64_t Range(int64_t low, int64_t high) { return low + Byte() % (high - low + 1); }
  size_t Index(size_t size) { return static_cast<size_t>(Range(0, static_cast<int64_t>(size) - 1)); }
  template <class Array>
  const auto& Pick(const Array& choices) {
    return choices[Index(std::size(choices))];
  }
  std::span<const uint8_t> Rest() const { return bytes_; }
  std::string_view Text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  std::span<const uint8_t> bytes_;
};

// Inputs to begin with, beside random ones.
class Seeds {
 public:
  void Add(std::span<const uint8_t> bytes) { seeds_.emplace_back(bytes.begin(), bytes.end()); }
  // Behind decisions that come first.
  void Add(std::initializer_list<uint8_t> decisions, std::string_view text) {
    std::vector<uint8_t>& seed = seeds_.emplace_back(decisions);
    seed.insert(seed.end(), text.begin(), text.end());
  }
  const std::vector<std::vector<uint8_t>>& all() const { return seeds_; }

 private:
  std::vector<std::vector<uint8_t>> seeds_;
};

struct Fuzzer {
  const char* name;
  void (*run)(std::span<const uint8_t> bytes);
  void (*seeds)(Seeds& seeds) = nullptr;
  int test_runs = 1000;        // of random inputs in fuzz_test
  size_t decision_bytes = 96;  // of random inputs there
};

inline std::vector<Fuzzer>& Fuzzers() {
  static std::vector<Fuzzer> fuzzers;
  return fuzzers;
}

struct Registration {
  explicit Registration(const Fuzzer& fuzzer) { Fuzzers().push_back(fuzzer); }
};

// A file of a process of its own, for readers that take a path; rewritten by every Write. In memory where the system
// has /dev/shm.
class ScratchFile {
 public:
  explicit ScratchFile(std::string_view ending = "");
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  const std::string& path() const { return path_; }
  const std::string& Write(std::span<const uint8_t> bytes) const;
  std::string Read() const;

 private:
  std::string path_;
};

}  // namespace lacuna::fuzz

#endif  // LACUNA_TESTS_FUZZ_FUZZ_H_
