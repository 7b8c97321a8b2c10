// CheckError: a failure has the code and says what it must.

#ifndef LACUNA_TESTS_SUPPORT_CHECK_ERROR_H_
#define LACUNA_TESTS_SUPPORT_CHECK_ERROR_H_

#include "lacuna/core/status.h"

#include <doctest/doctest.h>

#include <string>

namespace lacuna::test {

// `part` must occur in the message.
inline void CheckError(const Status& status, StatusCode code, const std::string& part) {
  const std::string message = status.message();
  CAPTURE(message);
  CAPTURE(part);
  CHECK(std::string(StatusCodeName(status.code())) == StatusCodeName(code));
  CHECK(message.find(part) != std::string::npos);
}
inline void CheckInvalid(const Status& status, const std::string& part) {
  CheckError(status, StatusCode::kInvalidArgument, part);
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_CHECK_ERROR_H_
