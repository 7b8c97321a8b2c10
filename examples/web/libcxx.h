// What lacuna uses of C++20 and libc++ 14 lacks, which is emscripten 3.1.6's. Included before everything.

#ifndef LACUNA_EXAMPLES_WEB_LIBCXX_H_
#define LACUNA_EXAMPLES_WEB_LIBCXX_H_

#include <algorithm>
#include <bit>
#include <type_traits>

#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 15000
namespace std {

#if !defined(__cpp_lib_bit_cast)
template <class To, class From>
constexpr To bit_cast(const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From) && is_trivially_copyable_v<To> && is_trivially_copyable_v<From>);
  return __builtin_bit_cast(To, from);
}
#endif

namespace ranges {
template <class A, class B>
constexpr bool equal(const A& a, const B& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}
template <class A, class B>
constexpr bool lexicographical_compare(const A& a, const B& b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}
template <class A, class Predicate>
constexpr auto find_if(A&& a, Predicate predicate) {
  return std::find_if(a.begin(), a.end(), predicate);
}
}  // namespace ranges

}  // namespace std
#endif

#endif  // LACUNA_EXAMPLES_WEB_LIBCXX_H_
