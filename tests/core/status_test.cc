#include "lacuna/core/status.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace lacuna {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Status::InvalidArgument("value is %d, must be even", value);
  return value / 2;
}

Status CheckQuarter(int value, int& quarter) {
  LACUNA_ASSIGN_OR_RETURN(half, Half(value));
  LACUNA_ASSIGN_OR_RETURN(result, Half(half));
  quarter = result;
  return Status();
}

Status CheckTwice(int first, int second) {
  LACUNA_RETURN_IF_ERROR(Half(first).status());
  LACUNA_RETURN_IF_ERROR(Half(second).status());
  return Status();
}

TEST_CASE("Status: the default is ok and has no message") {
  const Status status;
  CHECK(status.ok());
  CHECK(status.code() == StatusCode::kOk);
  CHECK(std::string(status.message()).empty());
}

TEST_CASE("Status: carries code and formatted message") {
  const Status invalid = Status::InvalidArgument("rate is %g, must be at least %d", 0.5, 1);
  CHECK_FALSE(invalid.ok());
  CHECK(invalid.code() == StatusCode::kInvalidArgument);
  CHECK(std::string(invalid.message()) == "rate is 0.5, must be at least 1");

  const Status lost = Status::Make(StatusCode::kDataLoss, "%s ends after %d bytes", "model.onnx", 12);
  CHECK(lost.code() == StatusCode::kDataLoss);
  CHECK(std::string(lost.message()) == "model.onnx ends after 12 bytes");

  const Status memory = Status::OutOfMemory("Buffer", 4096);
  CHECK(memory.code() == StatusCode::kOutOfMemory);
  CHECK(std::string(memory.message()) == "Buffer: cannot allocate 4096 bytes");
}

TEST_CASE("Status: a message longer than the inline buffer is cut, never written past it") {
  const std::string name(10'000, 'n');
  const Status status = Status::InvalidArgument("%s is unknown", name.c_str());
  const std::string message = status.message();
  CHECK(message.size() < name.size());
  CHECK(message == name.substr(0, message.size()));
}

TEST_CASE("Status: every code has a name of its own") {
  CHECK(std::string(StatusCodeName(StatusCode::kOk)) == "ok");
  CHECK(std::string(StatusCodeName(StatusCode::kUnsupported)) == "unsupported");
  CHECK(std::string(StatusCodeName(StatusCode::kNotFound)) == "not found");
  CHECK(std::string(StatusCodeName(static_cast<StatusCode>(200))) == "unknown");
}

TEST_CASE("Status: travels without allocation") { CHECK(std::is_trivially_copyable_v<Status>); }

TEST_CASE("Result: holds a value or the reason why there is none") {
  const Result<int> good = Half(4);
  REQUIRE(good.ok());
  CHECK(static_cast<bool>(good));
  CHECK(*good == 2);
  CHECK(good.value() == 2);
  CHECK(good.status().ok());

  const Result<int> bad = Half(3);
  CHECK_FALSE(bad.ok());
  CHECK_FALSE(bad.has_value());
  CHECK(std::string(bad.status().message()) == "value is 3, must be even");
}

TEST_CASE("Result: a move-only value is moved out") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  REQUIRE(result.ok());
  const std::unique_ptr<int> value = *std::move(result);
  CHECK(*value == 7);
}

TEST_CASE("Status macros: return the first error, else go on") {
  int quarter = 0;
  CHECK(CheckQuarter(8, quarter).ok());
  CHECK(quarter == 2);
  CHECK(std::string(CheckQuarter(6, quarter).message()) == "value is 3, must be even");
  CHECK(CheckTwice(2, 4).ok());
  CHECK(std::string(CheckTwice(5, 7).message()) == "value is 5, must be even");
}

}  // namespace
}  // namespace lacuna
