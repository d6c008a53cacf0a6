// SPDX-License-Identifier: Apache-2.0
#include "flow/nd_array.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow {
namespace {

static_assert(std::endian::native == std::endian::little, "dtype_of says '<'");

// An IEEE 754 number of 16 bits.
struct Half {
  std::uint16_t bits;
  explicit operator double() const {
    const int exponent = bits >> 10 & 0x1f;
    const int fraction = bits & 0x3ff;
    double value = 0;
    if (exponent == 0x1f) {
      value = fraction == 0 ? std::numeric_limits<double>::infinity()
                            : std::numeric_limits<double>::quiet_NaN();
    } else if (exponent == 0) {
      value = std::ldexp(fraction, -24);
    } else {
      value = std::ldexp(fraction + 0x400, exponent - 25);
    }
    return (bits & 0x8000) == 0 ? value : -value;
  }
};

template <class Element, class To>
std::vector<To> convert(std::string_view data, bool big_endian) {
  std::vector<To> values;
  values.reserve(data.size() / sizeof(Element));
  for (std::size_t at = 0; at + sizeof(Element) <= data.size(); at += sizeof(Element)) {
    char bytes[sizeof(Element)];
    std::memcpy(bytes, data.data() + at, sizeof(Element));
    if (big_endian) std::reverse(bytes, bytes + sizeof(Element));
    Element element;
    std::memcpy(&element, bytes, sizeof(Element));
    if constexpr (std::is_same_v<Element, Half>) {
      values.push_back(static_cast<To>(static_cast<double>(element)));
    } else {
      values.push_back(static_cast<To>(element));
    }
  }
  return values;
}

template <class To>
using Convert = std::vector<To> (*)(std::string_view, bool);

template <class To>
struct ElementType {
  std::string_view name;
  std::size_t size;
  Convert<To> convert;
};

template <class To, class Element>
constexpr ElementType<To> element_type(std::string_view name) {
  return {name, sizeof(Element), &convert<Element, To>};
}

template <class To>
constexpr ElementType<To> kElementTypes[] = {
    element_type<To, float>("f4"),        element_type<To, double>("f8"),
    element_type<To, Half>("f2"),         element_type<To, std::uint8_t>("b1"),
    element_type<To, std::int8_t>("i1"),  element_type<To, std::uint8_t>("u1"),
    element_type<To, std::int16_t>("i2"), element_type<To, std::uint16_t>("u2"),
    element_type<To, std::int32_t>("i4"), element_type<To, std::uint32_t>("u4"),
    element_type<To, std::int64_t>("i8"), element_type<To, std::uint64_t>("u8"),
};

// Elements that a shape means; nullopt beyond what memory can hold.
std::optional<std::size_t> element_count(const std::vector<std::uint32_t>& shape) {
  std::size_t count = 1;
  for (const std::uint32_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  }
  return count;
}

template <class To>
absl::StatusOr<std::vector<To>> convert_all(const NdArray& array) {
  const auto refuse = [](std::string text) -> absl::Status {
    return core::error(absl::StatusCode::kInvalidArgument, text);
  };
  if (array.coordinates) return refuse("the array is sparse, expected a dense one");
  std::string_view name = array.dtype;
  const bool big_endian = name.starts_with('>');
  if (!name.empty() && std::string_view("<>|=").find(name[0]) != std::string_view::npos) {
    name.remove_prefix(1);
  }
  const auto type = std::ranges::find(kElementTypes<To>, name, &ElementType<To>::name);
  if (type == std::end(kElementTypes<To>)) {
    return refuse(fmt::format("the elements' type is {}, expected numbers like \"<f4\"",
                              core::in_quotes(array.dtype)));
  }
  const auto count = element_count(array.shape);
  // Dividing the one instead of multiplying the other: it cannot overflow.
  if (!count || array.data.size() % type->size != 0 || array.data.size() / type->size != *count) {
    return refuse(
        fmt::format("{} bytes of data are not the elements of type {} that the shape says",
                    array.data.size(), core::in_quotes(array.dtype)));
  }
  return type->convert(array.data, big_endian);
}

}  // namespace

absl::StatusOr<std::vector<float>> NdArray::to_floats() const { return convert_all<float>(*this); }

absl::StatusOr<std::vector<double>> NdArray::to_doubles() const {
  return convert_all<double>(*this);
}

}  // namespace flow
