// TextWriter: text into memory of the caller, cut where it does not fit, as snprintf does it. Nothing is allocated.

#ifndef LACUNA_CORE_TEXT_WRITER_H_
#define LACUNA_CORE_TEXT_WRITER_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"

#include <cstdarg>
#include <cstddef>
#include <cstdio>

namespace lacuna::inline LACUNA_ABI {

class TextWriter {
 public:
  // `text` may be null if `bytes` is 0. Zero-terminated from the beginning, if there is room for that.
  TextWriter(char* text, size_t bytes) : text_(text), bytes_(bytes) {
    if (bytes_ > 0) text_[0] = '\0';
  }

  void Add(const char* format, ...) LACUNA_PRINTF(2) {
    const size_t used = length_ < bytes_ ? length_ : bytes_;
    va_list args;
    va_start(args, format);
    const int added = std::vsnprintf(used == bytes_ ? nullptr : text_ + used, bytes_ - used, format, args);
    va_end(args);
    if (added > 0) length_ += static_cast<size_t>(added);
  }

  // Of the whole text, without the terminating zero.
  size_t length() const { return length_; }

 private:
  char* text_;
  size_t bytes_;
  size_t length_ = 0;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_TEXT_WRITER_H_
