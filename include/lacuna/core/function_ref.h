// FunctionRef: a callable of the caller, by reference.

#ifndef LACUNA_CORE_FUNCTION_REF_H_
#define LACUNA_CORE_FUNCTION_REF_H_

#include "lacuna/core/abi.h"

#include <concepts>
#include <type_traits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// A callable of the caller, by reference (C++26's std::function_ref): the object must outlive it. May be null.
template <class Signature>
class FunctionRef;
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  constexpr FunctionRef() = default;
  // Implicit on purpose. Temporaries are refused: they would not live long enough.
  template <class F>
  requires(!std::same_as<std::remove_const_t<F>, FunctionRef> && std::is_object_v<F> &&
           std::is_invocable_r_v<R, F&, Args...>) constexpr FunctionRef(F& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, Args... args) -> R { return (*static_cast<F*>(object))(std::forward<Args>(args)...); }) {
  }

  constexpr explicit operator bool() const { return call_ != nullptr; }
  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_ = nullptr;
  R (*call_)(void*, Args...) = nullptr;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_FUNCTION_REF_H_
