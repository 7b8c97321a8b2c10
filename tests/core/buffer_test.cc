#include "lacuna/core/buffer.h"

#include "lacuna/core/shared.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace lacuna {
namespace {

bool Aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % kAlignment == 0; }

TEST_CASE("RoundUp and DivideUp") {
  CHECK(RoundUp(0, 64) == 0);
  CHECK(RoundUp(1, 64) == 64);
  CHECK(RoundUp(64, 64) == 64);
  CHECK(DivideUp(0, 8) == 0);
  CHECK(DivideUp(8, 8) == 1);
  CHECK(DivideUp(9, 8) == 2);
}

TEST_CASE("Buffer: made zeroed and aligned, for any size") {
  for (const size_t size : {size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{4099}}) {
    CAPTURE(size);
    Result<Buffer<float>> made = Buffer<float>::Make(size);
    REQUIRE(made.ok());
    const Buffer<float>& buffer = *made;
    CHECK(buffer.owned());
    CHECK(buffer.size() == size);
    CHECK(buffer.size_bytes() == size * sizeof(float));
    CHECK(Aligned(buffer.data()));
    bool zero = true;
    for (const float value : buffer) zero = zero && value == 0.0f;
    CHECK(zero);
  }
}

TEST_CASE("Buffer: of nothing is valid and empty") {
  Result<Buffer<uint16_t>> made = Buffer<uint16_t>::Make(0);
  REQUIRE(made.ok());
  CHECK(made->size() == 0);
  CHECK(made->begin() == made->end());
  REQUIRE(Buffer<uint16_t>::CopyOf({}).ok());
}

TEST_CASE("Buffer: a size that cannot be allocated is a Status") {
  for (const size_t size : {std::numeric_limits<size_t>::max(), std::numeric_limits<size_t>::max() / sizeof(double),
                            std::numeric_limits<size_t>::max() / sizeof(double) - kAlignment}) {
    CAPTURE(size);
    const Result<Buffer<double>> made = Buffer<double>::Make(size);
    CHECK_FALSE(made.ok());
    CHECK(made.status().code() == StatusCode::kOutOfMemory);
  }
}

TEST_CASE("Buffer: a copy is its own memory, a view is the caller's") {
  std::array<int, 3> values{1, 2, 3};
  Result<Buffer<int>> copy = Buffer<int>::CopyOf(values);
  REQUIRE(copy.ok());
  const Buffer<int> view = Buffer<int>::View(values);
  values[1] = 20;
  CHECK((*copy)[1] == 2);
  CHECK(view[1] == 20);
  CHECK(view.data() == values.data());
  CHECK_FALSE(view.owned());
  const std::span<const int> span = view;
  CHECK(span.size() == 3);
}

TEST_CASE("Buffer: moving hands the memory over") {
  Result<Buffer<int>> made = Buffer<int>::Make(4);
  REQUIRE(made.ok());
  Buffer<int> first = *std::move(made);
  first[3] = 9;
  const int* memory = first.data();
  Buffer<int> second;
  second = std::move(first);
  CHECK(second.data() == memory);
  CHECK(second[3] == 9);
  CHECK(first.size() == 0);  // NOLINT(bugprone-use-after-move): the moved-from state is part of the contract
  CHECK(first.data() == nullptr);
  Buffer<int>& alias = second;
  second = std::move(alias);
  CHECK(second.data() == memory);
}

TEST_CASE("Buffer: Truncate only shortens") {
  Result<Buffer<int>> made = Buffer<int>::Make(8);
  REQUIRE(made.ok());
  made->Truncate(3);
  CHECK(made->size() == 3);
  made->Truncate(100);
  CHECK(made->size() == 3);
}

struct Counted {
  explicit Counted(int* count) : alive(count) { ++*alive; }
  Counted(Counted&& other) noexcept : alive(other.alive) { ++*alive; }
  ~Counted() { --*alive; }
  int* alive;
};

TEST_CASE("Shared: the object lives exactly as long as its last owner") {
  int alive = 0;
  {
    Result<Shared<Counted>> made = Shared<Counted>::Make(Counted(&alive));
    REQUIRE(made.ok());
    CHECK(alive == 1);
    Shared<Counted> first = *std::move(made);
    Shared<Counted> second = first;
    CHECK(&*first == &*second);
    CHECK(first->alive == &alive);
    first = Shared<Counted>();
    CHECK_FALSE(static_cast<bool>(first));
    CHECK(alive == 1);
    Shared<Counted> third = std::move(second);
    CHECK_FALSE(static_cast<bool>(second));  // NOLINT(bugprone-use-after-move)
    Shared<Counted>& alias = third;
    third = alias;
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

}  // namespace
}  // namespace lacuna
