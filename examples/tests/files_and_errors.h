// Files of a test, and what tests check of a Status.

#ifndef LACUNA_EXAMPLES_TESTS_FILES_AND_ERRORS_H_
#define LACUNA_EXAMPLES_TESTS_FILES_AND_ERRORS_H_

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "graph/graph.h"
#include "tests/support/check_error.h"

namespace test {

using lacuna::test::CheckError;
using lacuna::test::CheckInvalid;

// The value of a Result that must have one.
template <class T>
T Value(graph::Result<T> result) {
  REQUIRE_MESSAGE(result.ok(), std::string(result.status().message()));
  return *std::move(result);
}

inline void CheckOk(const graph::Status& status) { CHECK_MESSAGE(status.ok(), std::string(status.message())); }

// A folder for the files of a test, gone at the end.
struct TemporaryFolder {
  explicit TemporaryFolder(const char* name)
      : path(std::filesystem::temp_directory_path() / (std::string(name) + "_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string File(const char* name) const { return (path / name).string(); }

  std::filesystem::path path;
};

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace test

#endif  // LACUNA_EXAMPLES_TESTS_FILES_AND_ERRORS_H_
