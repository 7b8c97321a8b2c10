// TypedView: a TensorView whose type of elements is known at run time only.

#ifndef LACUNA_CORE_TYPED_VIEW_H_
#define LACUNA_CORE_TYPED_VIEW_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/core/view.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace lacuna::inline LACUNA_ABI {

template <class T>
inline constexpr ValueType kValueTypeOf = ValueType::kF32;
template <>
inline constexpr ValueType kValueTypeOf<uint8_t> = ValueType::kU8;
template <>
inline constexpr ValueType kValueTypeOf<int8_t> = ValueType::kS8;

// Byte is std::byte, or const std::byte for what is only read. Strides count elements.
template <class Byte, int kRank>
struct TypedView {
  Byte* data = nullptr;
  ValueType type = ValueType::kU8;
  Extents<kRank> extent{};
  Extents<kRank> stride{};

  TensorView<Byte, kRank> untyped() const { return {data, extent, stride}; }

  TypedView() = default;
  // Implicit on purpose, of views of float, uint8_t and int8_t.
  template <class T>
  requires(std::is_const_v<Byte> || !std::is_const_v<T>) TypedView(const TensorView<T, kRank>& view)
      : data(reinterpret_cast<Byte*>(view.data)),
        type(kValueTypeOf<std::remove_const_t<T>>),
        extent(view.extent),
        stride(view.stride) {
    using Element = std::remove_const_t<T>;
    static_assert(std::is_same_v<Element, float> || std::is_same_v<Element, uint8_t> || std::is_same_v<Element, int8_t>,
                  "elements are float, uint8_t or int8_t");
  }
};

// As CheckView, of elements of that type.
template <class Byte, int kRank>
Status CheckTypedView(const char* name, const TypedView<Byte, kRank>& view, ValueType type,
                      const std::type_identity_t<Extents<kRank>>& extent) {
  if (view.type != type) {
    return Status::InvalidArgument("%s is of %s, must be of %s", name, ValueTypeName(view.type), ValueTypeName(type));
  }
  return CheckView(name, view.untyped(), extent);
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_TYPED_VIEW_H_
