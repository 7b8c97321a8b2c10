#include "graph/window.h"

#include <doctest/doctest.h>

namespace {

graph::Node Pool(std::map<std::string, graph::Attribute> attributes) {
  return {"pool", "MaxPool", {"x"}, {"y"}, std::move(attributes)};
}

graph::Shape OutputOf(const graph::Shape& x, std::map<std::string, graph::Attribute> attributes) {
  const auto window = graph::PoolWindow(Pool(std::move(attributes)), x);
  REQUIRE_MESSAGE(window.ok(), std::string(window.status().message()));
  return window->output;
}

using graph::Shape;

TEST_CASE("output extents of floor, ceil and same padding") {
  const Shape x = {1, 1, 7, 8};
  CHECK(OutputOf(x, {{"kernel_shape", Shape{2, 2}}}) == Shape{6, 7});
  CHECK(OutputOf(x, {{"kernel_shape", Shape{2, 2}}, {"strides", Shape{2, 2}}}) == Shape{3, 4});
  CHECK(OutputOf(x, {{"kernel_shape", Shape{2, 2}}, {"strides", Shape{2, 2}}, {"ceil_mode", int64_t{1}}}) ==
        Shape{4, 4});
  CHECK(
      OutputOf(x, {{"kernel_shape", Shape{3, 3}}, {"strides", Shape{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}) ==
      Shape{4, 4});
  CHECK(OutputOf(x, {{"kernel_shape", Shape{3, 3}}, {"dilations", Shape{2, 2}}}) == Shape{3, 4});
}

TEST_CASE("a window that would begin behind the input is dropped") {
  // Starts at 0, 3, 6 of 5 padded to 6: the last one has nothing to pool.
  CHECK(OutputOf({1, 1, 5, 5}, {{"kernel_shape", Shape{2, 2}},
                                {"strides", Shape{3, 3}},
                                {"pads", Shape{0, 0, 1, 1}},
                                {"ceil_mode", int64_t{1}}}) == Shape{2, 2});
}

TEST_CASE("geometry that is refused") {
  const auto refused = [](std::map<std::string, graph::Attribute> attributes, const std::string& word) {
    const auto window = graph::PoolWindow(Pool(std::move(attributes)), {1, 1, 5, 5});
    REQUIRE_FALSE(window.ok());
    const std::string message = window.status().message();
    CHECK_MESSAGE(message.find(word) != std::string::npos, message);
    CHECK(message.find("'pool'") != std::string::npos);
  };
  refused({}, "kernel_shape");
  refused({{"kernel_shape", Shape{0, 2}}}, "[0, 2]");
  refused({{"kernel_shape", Shape{6, 6}}}, "6 inputs");
  refused({{"kernel_shape", Shape{2, 2}}, {"pads", Shape{2, 0, 0, 0}}}, "pads");
  refused({{"kernel_shape", Shape{2, 2}}, {"dilations", Shape{1}}}, "dilations");
  refused({{"kernel_shape", Shape{2, 2}}, {"auto_pad", std::string("HALF")}}, "HALF");
}

}  // namespace
