// Command-line tools run by tests.

#ifndef LACUNA_EXAMPLES_TESTS_COMMAND_H_
#define LACUNA_EXAMPLES_TESTS_COMMAND_H_

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstdio>
#include <string>

namespace test {

struct Outcome {
  int code;
  std::string text;  // stdout and stderr
};

inline Outcome Execute(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Outcome outcome{};
  char buffer[4096];
  for (size_t size; (size = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) outcome.text.append(buffer, size);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

// What the command printed.
inline std::string CheckOutcome(const std::string& command, int code, const std::string& word) {
  const Outcome outcome = Execute(command);
  CAPTURE(command);
  CAPTURE(outcome.text);
  CHECK(outcome.code == code);
  CHECK(outcome.text.find(word) != std::string::npos);
  return outcome.text;
}

}  // namespace test

#endif  // LACUNA_EXAMPLES_TESTS_COMMAND_H_
