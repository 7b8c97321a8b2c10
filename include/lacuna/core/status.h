// Status and Result: how every fallible function of lacuna reports failure.
//
// No exceptions, no allocation: the message lives inside the Status, so that running out of memory can be reported too.

#ifndef LACUNA_CORE_STATUS_H_
#define LACUNA_CORE_STATUS_H_

#include "lacuna/core/abi.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <type_traits>
#include <utility>

#if defined(__GNUC__) || defined(__clang__)
#define LACUNA_PRINTF(format_index) __attribute__((format(printf, format_index, format_index + 1)))
#else
#define LACUNA_PRINTF(format_index)
#endif

namespace lacuna::inline LACUNA_ABI {

enum class StatusCode : uint8_t {
  kOk,
  kInvalidArgument,  // an argument breaks a documented limit
  kUnsupported,      // a valid request that this build or target cannot serve
  kOutOfMemory,      // an allocation failed
  kDataLoss,         // a file or blob is damaged or truncated
  kNotFound,         // a file or name does not exist
};

inline const char* StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return "ok";
    case StatusCode::kInvalidArgument: return "invalid argument";
    case StatusCode::kUnsupported: return "unsupported";
    case StatusCode::kOutOfMemory: return "out of memory";
    case StatusCode::kDataLoss: return "data loss";
    case StatusCode::kNotFound: return "not found";
  }
  return "unknown";
}

// Success, or a code with a message that names the argument, its value and the limit. Trivially copyable; messages
// longer than the inline buffer are cut.
class [[nodiscard]] Status {
 public:
  Status() = default;

  static Status InvalidArgument(const char* format, ...) LACUNA_PRINTF(1) {
    va_list args;
    va_start(args, format);
    const Status status(StatusCode::kInvalidArgument, format, args);
    va_end(args);
    return status;
  }

  static Status Make(StatusCode code, const char* format, ...) LACUNA_PRINTF(2) {
    va_list args;
    va_start(args, format);
    const Status status(code, format, args);
    va_end(args);
    return status;
  }

  static Status OutOfMemory(const char* what, size_t bytes) {
    return Make(StatusCode::kOutOfMemory, "%s: cannot allocate %zu bytes", what, bytes);
  }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const char* message() const { return message_; }

 private:
  Status(StatusCode code, const char* format, va_list args) : code_(code) {
    std::vsnprintf(message_, sizeof(message_), format, args);
  }

  StatusCode code_ = StatusCode::kOk;
  char message_[239] = {};
};

// A value or the Status that says why there is none: the subset of std::expected that lacuna needs.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // Implicit on purpose: `return value;` and `return Status::...;` both read as intended. `error` must not be ok.
  Result(T value) : value_(std::move(value)) {}
  Result(const Status& error) : status_(error) {}

  bool ok() const { return value_.has_value(); }
  bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // Preconditions: ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace lacuna::inline LACUNA_ABI

// Leaves the calling function with the Status of `expression` unless that is ok.
#define LACUNA_RETURN_IF_ERROR(expression)                                      \
  do {                                                                          \
    if (::lacuna::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

// Declares `name` as the value of the Result `expression`, or leaves the calling function with its Status.
#define LACUNA_ASSIGN_OR_RETURN(name, expression)         \
  auto name##_result = (expression);                      \
  if (!name##_result.ok()) return name##_result.status(); \
  auto& name = *name##_result

#endif  // LACUNA_CORE_STATUS_H_
