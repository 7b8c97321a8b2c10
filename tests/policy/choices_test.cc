#include "lacuna/policy/choices.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "tests/support/check_error.h"

namespace lacuna::test {
namespace {

constexpr const char* kCpu = "Some CPU @ 2.00GHz";
constexpr const char* kTarget = "AVX2";

LayerKey Key(int64_t channels = 64) {
  const ConvShape<2> shape{.in_channels = channels,
                           .out_channels = 128,
                           .input = {56, 28},
                           .kernel = {3, 5},
                           .stride = {2, 1},
                           .dilation = {1, 3},
                           .pad_begin = {1, 2},
                           .pad_end = {0, 6}};
  return LayerKey::Of(shape, "bcr_col", shape.weight_elements() / 8);
}
std::string TextOf(const LayerKey& key) { return key.Text().data(); }

void Add(Choices& choices, const LayerKey& key, std::string_view candidate, double seconds) {
  const Status status = choices.Insert(key, candidate, seconds);
  const std::string message = status.message();
  CAPTURE(message);
  REQUIRE(status.ok());
}
std::string TextOf(const Choices& choices) {
  const auto text = choices.Serialize();
  REQUIRE(text.ok());
  return std::string(text->data(), text->size());
}
std::string CandidateOf(const Choices& choices, const LayerKey& key) {
  const SavedChoice* saved = choices.Find(key);
  return saved == nullptr ? "" : saved->candidate.data();
}

// `body` with the last line that makes it right, as whoever wants to do harm would write it.
std::string WithChecksum(const std::string& body) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : body) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  char line[40];
  std::snprintf(line, sizeof(line), "checksum %016llx\n", static_cast<unsigned long long>(hash));
  return body + line;
}
std::string Header(const std::string& count) {
  return "lacuna choices 2\nlibrary " LACUNA_VERSION "\ncpu " + std::string(kCpu) + "\ntarget " + kTarget +
         "\nchoices " + count + "\n";
}

TEST_CASE("LayerKey: a stable text of all that matters") {
  CHECK(TextOf(Key()) ==
        "batch=1 in=64 out=128 groups=1 input=1x56x28 kernel=1x3x5 stride=1x2x1 dilation=1x1x3 pad=0x1x2+0x0x6 "
        "scheme=bcr_col rate=2^(12/4) threads=1");
  const ConvShape<3> volume{.batch = 2,
                            .in_channels = 6,
                            .out_channels = 9,
                            .groups = 3,
                            .input = {4, 5, 6},
                            .kernel = {1, 2, 3},
                            .pad_end = {7, 8, 9}};
  CHECK(TextOf(LayerKey::Of(volume, "csr", volume.weight_elements())) ==
        "batch=2 in=6 out=9 groups=3 input=4x5x6 kernel=1x2x3 stride=1x1x1 dilation=1x1x1 pad=0x0x0+7x8x9 "
        "scheme=csr rate=2^(0/4) threads=1");
  const ConvShape<1> line{.in_channels = 1, .out_channels = 1, .input = {77}, .kernel = {2}};
  CHECK(TextOf(LayerKey::Of(line, "dense", 0)).find("input=1x1x77 kernel=1x1x2") != std::string::npos);
  LayerKey winograd = Key();
  winograd.winograd_error = 1e-4;
  CHECK(TextOf(winograd) == TextOf(Key()) + " winograd=0.0001");
}

TEST_CASE("LayerKey: every field makes another text") {
  std::map<std::string, int> texts;
  const auto add = [&](const auto& change) {
    LayerKey key = Key();
    change(key);
    ++texts[TextOf(key)];
  };
  int changes = 1;
  add([](LayerKey&) {});
  for (const auto field :
       {&LayerKey::batch, &LayerKey::in_channels, &LayerKey::out_channels, &LayerKey::groups, &LayerKey::threads}) {
    add([&](LayerKey& key) { key.*field += 1; });
    ++changes;
  }
  for (const auto field : {&LayerKey::input, &LayerKey::kernel, &LayerKey::stride, &LayerKey::dilation,
                           &LayerKey::pad_begin, &LayerKey::pad_end}) {
    for (size_t axis = 0; axis < 3; ++axis) {
      add([&](LayerKey& key) { (key.*field)[axis] += 100; });
      ++changes;
    }
  }
  add([](LayerKey& key) { key.scheme = "bcr"; });
  add([](LayerKey& key) { key.density = 0.25; });
  CHECK(texts.size() == static_cast<size_t>(changes + 2));
}

TEST_CASE("LayerKey: near densities share a step, any density has one") {
  LayerKey key;
  const auto step = [&](double density) {
    key.density = density;
    return key.DensityStep();
  };
  CHECK(step(1.0) == 0);
  CHECK(step(0.5) == 4);
  CHECK(step(0.125) == 12);
  CHECK(step(0.124) == 12);
  CHECK(step(0.13) == 12);
  CHECK(step(0.125 * 1.09) == 12);
  CHECK(step(0.125 * 1.095) == 11);
  CHECK(step(0.125 / 1.095) == 13);
  CHECK(step(1.5) == 0);
  CHECK(step(1e300) == 0);
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(step(inf) == 0);
  for (const double none : {0.0, -1.0, -inf, 1e-300, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(step(none) == LayerKey::kMostDensityStep);
  }
}

TEST_CASE("LayerKey: whatever the fields hold, the text is one line and whole") {
  LayerKey key;
  key.scheme = "a b\tc\nd\xff-012345678901234567890123456789abcdefgh";
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min();
  for (auto* field : {&key.batch, &key.in_channels, &key.out_channels, &key.groups, &key.threads}) *field = kLow;
  for (auto* field : {&key.input, &key.kernel, &key.stride, &key.dilation, &key.pad_begin, &key.pad_end}) {
    field->fill(kLow);
  }
  key.density = 0;
  const std::string text = TextOf(key);
  CHECK(text.find(" scheme=a_b_c_d_-012345678901234567890123456789a rate=2^(160/4) threads=-9223372036854775808") !=
        std::string::npos);
  CHECK(text.size() + 32 < LayerKey::kTextBytes);
  Choices choices(kCpu, kTarget);
  Add(choices, key, "8x3", 1);
  Choices again(kCpu, kTarget);
  REQUIRE(again.Parse(TextOf(choices)).ok());
  CHECK(CandidateOf(again, key) == "8x3");
}

TEST_CASE("Choices: what was inserted is found, replaced, and comes back from its text") {
  Choices choices(kCpu, kTarget);
  CHECK(choices.Find(Key()) == nullptr);
  std::map<int64_t, std::string> expected;
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const auto channels = static_cast<int64_t>(random() % 100);
    const std::string name = "tile " + std::to_string(i);
    Add(choices, Key(channels), name, 1e-6 * i);
    expected[channels] = name;
    REQUIRE(choices.size() == expected.size());
  }
  Choices again("x", kTarget), other(kCpu, kTarget);
  Add(other, Key(12345), "gone", 1);
  REQUIRE(other.Parse(TextOf(choices)).ok());
  for (int64_t channels = -1; channels < 101; ++channels) {
    const std::string name = expected.count(channels) != 0 ? expected[channels] : "";
    CHECK(CandidateOf(choices, Key(channels)) == name);
    CHECK(CandidateOf(other, Key(channels)) == name);
  }
  CHECK(other.Find(Key(12345)) == nullptr);
  CHECK(TextOf(other) == TextOf(choices));
  choices.Clear();
  CHECK(choices.size() == 0);
  CHECK(choices.Find(Key(expected.begin()->first)) == nullptr);
  CHECK(choices.entries().empty());
}

TEST_CASE("Choices: the text, and times in it") {
  Choices choices(kCpu, kTarget);
  CHECK(TextOf(choices) == WithChecksum(Header("0")));
  Add(choices, Key(64), "winograd 4x4", 52.341e-6);
  Add(choices, Key(7), "8x3/71", std::numeric_limits<double>::quiet_NaN());
  CHECK(TextOf(choices) ==
        WithChecksum(Header("2") + TextOf(Key(64)) + "\t52341\twinograd 4x4\n" + TextOf(Key(7)) + "\t0\t8x3/71\n"));
  CHECK(choices.Find(Key(64))->seconds() == doctest::Approx(52.341e-6));
  for (const double no_time : {-1.0, 1e300, std::numeric_limits<double>::infinity()}) {
    Add(choices, Key(64), "8x3", no_time);
    CHECK(choices.Find(Key(64))->seconds() == 0.0);
  }
  CHECK(choices.size() == 2);
}

TEST_CASE("Choices: names that a text cannot hold are refused, the table stays") {
  Choices choices(kCpu, kTarget);
  Add(choices, Key(), "8x3", 1);
  const auto refused = [&](std::string_view name, const std::string& part) {
    CheckInvalid(choices.Insert(Key(), name, 1), part);
    CHECK(CandidateOf(choices, Key()) == "8x3");
  };
  refused("", "candidate has 0 characters, must have 1 to 63 of printable ASCII");
  refused(std::string(64, 'a'), "candidate has 64 characters, must have 1 to 63");
  refused("a\nb", "candidate has 3 characters");
  refused("a\tb", "candidate has 3 characters");
  refused("caf\xc3\xa9", "of printable ASCII");
  Add(choices, Key(), std::string(63, 'a'), 1);
  CHECK(CandidateOf(choices, Key()) == std::string(63, 'a'));
}

TEST_CASE("Choices: a full table takes no more layers, but other choices") {
  Choices choices(kCpu, kTarget);
  for (size_t i = 0; i < Choices::kMostChoices; ++i) {
    // Descending texts would take quadratic time.
    REQUIRE(choices.Insert(Key(static_cast<int64_t>(100000 + i)), "8x3", 1).ok());
  }
  CheckInvalid(choices.Insert(Key(1), "8x3", 1), "choices has 16385 layers, must have at most 16384");
  Add(choices, Key(100001), "4x6", 1);
  CHECK(CandidateOf(choices, Key(100001)) == "4x6");
  Choices again(kCpu, kTarget);
  CHECK(again.Parse(TextOf(choices)).ok());
  CHECK(again.size() == Choices::kMostChoices);
}

TEST_CASE("Choices: layers of another SIMD target are not theirs") {
  Choices choices(kCpu, kTarget);
  LayerKey key = Key();
  Add(choices, key, "8x3", 1);
  key.target = kTarget;
  CHECK(CandidateOf(choices, key) == "8x3");
  Add(choices, key, "4x6", 1);
  CHECK(choices.size() == 1);
  key.target = "AVX3";
  CHECK(choices.Find(key) == nullptr);
  CheckInvalid(choices.Insert(key, "8x3", 1), "layer.target is AVX3, must be AVX2, as of the choices");
  CHECK(choices.size() == 1);
}

TEST_CASE("Choices: any cut and any changed byte is a Status, and leaves an empty table") {
  Choices choices(kCpu, kTarget), read(kCpu, kTarget);
  Add(choices, Key(), "8x3", 1e-3);
  Add(choices, Key(7), "winograd 4x4", 2e-3);
  const std::string text = TextOf(choices);
  REQUIRE(read.Parse(text).ok());
  size_t accepted = 0;
  const auto try_text = [&](const std::string& damaged) {
    Status status = read.Insert(Key(99), "left over", 1);
    REQUIRE(status.ok());
    // In memory of its own, so that AddressSanitizer sees what is read beyond it.
    const auto apart = Buffer<char>::CopyOf({damaged.data(), damaged.size()});
    REQUIRE(apart.ok());
    status = read.Parse({apart->data(), apart->size()});
    const bool code = status.code() == StatusCode::kDataLoss || status.code() == StatusCode::kUnsupported;
    accepted += !code || read.size() != 0 || *status.message() == '\0';
  };
  for (size_t size = 0; size < text.size(); ++size) try_text(text.substr(0, size));
  for (size_t begin = 1; begin < text.size(); ++begin) try_text(text.substr(begin));
  for (const char* more : {"\n", " ", "x", "checksum 0123456789abcdef\n"}) try_text(text + more);
  try_text(text + text);
  std::string damaged = text;
  for (size_t i = 0; i < text.size(); ++i) {
    for (int change = 1; change < 256; ++change) {
      damaged[i] = static_cast<char>(text[i] ^ change);
      try_text(damaged);
    }
    damaged[i] = text[i];
  }
  CHECK(accepted == 0);
  CHECK(read.Parse(damaged).ok());
  CheckError(read.Parse(text.substr(0, text.size() - 1)), StatusCode::kDataLoss,
             "choices: the checksum is not that of the text, which is damaged or ends early");
  CheckError(read.Parse(""), StatusCode::kDataLoss, "choices: the first line is not \"lacuna choices <version>\"");
  CheckError(read.Parse("lacuna choices 2\n"), StatusCode::kDataLoss, "choices: the text ends early");
}

TEST_CASE("Choices: a text of another format, library, CPU or target is stale") {
  Choices choices(kCpu, kTarget);
  Add(choices, Key(), "8x3", 1e-3);
  const std::string text = TextOf(choices);
  const auto stale = [&](Choices&& reader, const std::string& of, const std::string& part) {
    REQUIRE(reader.Insert(Key(), "left over", 1).ok());
    CheckError(reader.Parse(of), StatusCode::kUnsupported, part);
    CHECK(reader.size() == 0);
    CHECK(reader.Find(Key()) == nullptr);
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string body = text.substr(0, text.size() - 26);
    body.replace(body.find(from), from.size(), to);
    return WithChecksum(body);
  };
  stale({"Some CPU", kTarget}, text, "choices: cpu Some CPU @ 2.00GHz is not that of this run: Some CPU");
  stale({"", kTarget}, text, "choices: cpu Some CPU @ 2.00GHz is not that of this run: ");
  stale({kCpu, "AVX3"}, text, "choices: target AVX2 is not that of this run: AVX3");
  stale({kCpu, kTarget}, with("library " LACUNA_VERSION, "library 0.0.9"),
        "choices: library 0.0.9 is not that of this run: " LACUNA_VERSION);
  stale({kCpu, kTarget}, with("choices 2", "choices 3"), "choices: version is 3, must be 2");
  stale({kCpu, kTarget}, "lacuna choices 7\nwhatever follows", "choices: version is 7, must be 2");
}

TEST_CASE("Choices: names of CPU and target that a text cannot hold are made to fit") {
  const std::string cpu = "CPU\n\xff" + std::string(200, 'x');
  Choices choices(cpu, "\t");
  CHECK(std::string(choices.cpu()) == "CPU??" + std::string(90, 'x'));
  CHECK(std::string(choices.target()) == "?");
  Add(choices, Key(), "8x3", 1);
  Choices again(cpu, "\t"), nothing("", "");
  CHECK(again.Parse(TextOf(choices)).ok());
  CHECK(again.size() == 1);
  CHECK(nothing.Parse(TextOf(nothing)).ok());
}

TEST_CASE("Choices: texts of malice, their checksum right") {
  Choices read(kCpu, kTarget);
  const auto refused = [&](const std::string& body, const std::string& part) {
    CheckError(read.Parse(WithChecksum(body)), StatusCode::kDataLoss, part);
    CHECK(read.size() == 0);
  };
  const std::string a = TextOf(Key(1)), b = TextOf(Key(2));
  REQUIRE(read.Parse(WithChecksum(Header("2") + a + "\t5\tx\n" + b + "\t6\ty\n")).ok());
  CHECK(CandidateOf(read, Key(2)) == "y");
  refused(Header("2") + a + "\t5\tx\n", "choices: line 7 is not layer, nanoseconds and candidate");
  refused(Header("1") + a + "\t5\tx\n" + b + "\t6\ty\n", "choices: there are more lines than it says");
  refused(Header("2") + b + "\t5\tx\n" + a + "\t6\ty\n", "choices: the layer of line 7 does not follow the one before");
  refused(Header("2") + a + "\t5\tx\n" + a + "\t6\ty\n", "choices: the layer of line 7 does not follow the one before");
  refused(Header("1") + a + "\t5\tx", "choices: line 6 is not layer, nanoseconds and candidate");
  refused(Header("1") + a + "\t5x\n", "choices: line 6 is not layer, nanoseconds and candidate");
  refused(Header("1") + a + "5x\n", "choices: line 6 is not layer, nanoseconds and candidate");
  refused(Header("1") + "\n", "choices: line 6 is not layer, nanoseconds and candidate");
  for (const char* number : {"", "-1", "+1", " 1", "1 ", "0x1", "1e3", "99999999999999999999", "9000000000000000000"}) {
    refused(Header("1") + a + "\t" + number + "\tx\n", "choices: line 6 has a name or a number out of range");
  }
  for (const std::string& name : {std::string(), std::string(64, 'x'), std::string("x\ty"), std::string("\x01")}) {
    refused(Header("1") + a + "\t5\t" + name + "\n", "choices: line 6 has a name or a number out of range");
  }
  refused(Header("1") + std::string(LayerKey::kTextBytes, 'x') + "\t5\tx\n", "choices: line 6 has a name or a number");
  refused(Header("1") + "\t5\tx\n", "choices: line 6 has a name or a number");
  refused(Header("1") + std::string("x\0y", 3) + "\t5\tx\n", "choices: line 6 has a name or a number");
  for (const char* count : {"", "-1", "16385", "x", "1 ", "18446744073709551617"}) {
    refused(Header(count), "choices: line 5 is not \"choices <number up to 16384>\"");
  }
  refused("lacuna choices 2\nLibrary 0\n", "choices: line 2 is not \"library <name>\"");
  refused("lacuna choices 2\nlibrary " LACUNA_VERSION, "choices: line 2 is not \"library <name>\"");
  refused("lacuna choices 2\nlibrary " LACUNA_VERSION "\ncpu \x1b[31m\n", "choices: line 3 is not \"cpu <name>\"");
  refused("lacuna choices one\n", "choices: the first line is not");
  refused("lacuna choices 2", "choices: the first line is not");
  CheckError(read.Parse(std::string(Choices::kMostBytes + 1, 'x')), StatusCode::kDataLoss,
             "choices: the text has 16777217 bytes, must have at most 16777216");
}

TEST_CASE("Choices: saved to a file and loaded from it") {
  const std::string path = "choices_test.txt";
  std::remove(path.c_str());
  Choices choices(kCpu, kTarget), read(kCpu, kTarget);
  CheckError(read.Load(path.c_str()), StatusCode::kNotFound, "choices: cannot read choices_test.txt");
  for (int64_t channels = 0; channels < 1000; ++channels) Add(choices, Key(channels), "8x3", 1);
  REQUIRE(choices.Save(path.c_str()).ok());
  REQUIRE(read.Load(path.c_str()).ok());
  CHECK(TextOf(read) == TextOf(choices));
  CHECK(TextOf(read).size() > (size_t{1} << 16));  // more than is read at once

  std::FILE* file = std::fopen(path.c_str(), "ab");
  REQUIRE(file != nullptr);
  std::fputs("more", file);
  std::fclose(file);
  CheckError(read.Load(path.c_str()), StatusCode::kDataLoss, "choices: the checksum is not that of the text");
  CHECK(read.size() == 0);
  REQUIRE(choices.Save(path.c_str()).ok());  // replaces it
  CHECK(read.Load(path.c_str()).ok());
  std::remove(path.c_str());
  CHECK_FALSE(read.Load(path.c_str()).ok());
  CHECK(read.size() == 0);
  CHECK_FALSE(read.Load(".").ok());  // a folder
  CheckError(choices.Save("no/such/folder/choices.txt"), StatusCode::kNotFound,
             "choices: cannot write no/such/folder/choices.txt");
}

}  // namespace
}  // namespace lacuna::test
