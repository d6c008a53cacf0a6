// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/json.hpp"

namespace flow {

// NumPy's name of a C++ type, as it stands on the wire: "<f4", "<i8", "|u1".
template <class T>
requires std::is_arithmetic_v<T> std::string dtype_of() {
  if constexpr (std::same_as<T, bool>) return "|b1";
  const char kind = std::floating_point<T> ? 'f' : std::signed_integral<T> ? 'i' : 'u';
  return {sizeof(T) == 1 ? '|' : '<', kind, static_cast<char>('0' + sizeof(T))};
}

// An n-dimensional array: a tensor or an embedding.
//
//   document.embedding = flow::NdArray{0.1f, 0.2f, 0.3f};
//   document.content = flow::NdArray(pixels, {height, width, 3});
//   absl::StatusOr<std::vector<float>> vector = document.embedding->to_floats();
//
// A value, without invariants: what a server sends is kept as it is, and only reading elements
// finds out whether dtype, shape and data fit together.
class NdArray {
 public:
  // Where the elements of a sparse array are, as the wire has it.
  struct Coordinates {
    std::string dtype;
    std::vector<std::uint32_t> shape;
    std::string data;
    std::vector<std::uint32_t> values_shape;
    bool operator==(const Coordinates&) const = default;
  };

  NdArray() = default;  // no elements, no type
  NdArray(std::initializer_list<float> values)
      : NdArray(std::span(values.begin(), values.size())) {}
  // One dimension.
  template <class T>
  requires std::is_arithmetic_v<T>
  explicit NdArray(std::span<const T> values)
      : NdArray(values, {static_cast<std::uint32_t>(values.size())}) {}
  template <class T>
  requires std::is_arithmetic_v<T>
  explicit NdArray(const std::vector<T>& values) : NdArray(std::span<const T>(values)) {}
  // Elements in C order, the last dimension fastest; as many as the shape says.
  template <class T>
  requires std::is_arithmetic_v<T> NdArray(std::span<const T> values,
                                           std::vector<std::uint32_t> shape_of_values)
      : dtype(dtype_of<T>()),
        shape(std::move(shape_of_values)),
        data(reinterpret_cast<const char*>(values.data()), values.size_bytes()) {}
  template <class T>
  requires std::is_arithmetic_v<T> NdArray(const std::vector<T>& values,
                                           std::vector<std::uint32_t> shape_of_values)
      : NdArray(std::span<const T>(values), std::move(shape_of_values)) {}

  // Copies the elements of a dense array, converted from whichever number type they have (dtype b1,
  // i1 to i8, u1 to u8, f2, f4, f8, either byte order). INVALID_ARGUMENT if they have another one,
  // or if there are not as many as the shape says.
  absl::StatusOr<std::vector<float>> to_floats() const;
  absl::StatusOr<std::vector<double>> to_doubles() const;

  // The elements where they are, without a copy; nothing if they are no little-endian T.
  // Valid as long as the array is unchanged.
  template <class T>
  std::optional<std::span<const T>> view() const {
    const bool aligned = reinterpret_cast<std::uintptr_t>(data.data()) % alignof(T) == 0;
    if (dtype != dtype_of<T>() || coordinates || data.size() % sizeof(T) != 0 || !aligned) {
      return std::nullopt;
    }
    return std::span(reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T));
  }

  bool operator==(const NdArray&) const = default;

  std::string dtype;                 // NumPy's type string: "<f4"
  std::vector<std::uint32_t> shape;  // the outermost dimension first
  std::string data;                  // the elements' bytes; of a sparse array its values
  std::string cls_name;     // which library the sender used: "numpy", "torch"; may be empty
  Json::Object parameters;  // of that library; usually empty
  std::optional<Coordinates> coordinates;  // of a sparse array
};

}  // namespace flow
