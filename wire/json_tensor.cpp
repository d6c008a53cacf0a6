// SPDX-License-Identifier: Apache-2.0
#include "wire/json_tensor.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "docarray.pb.h"
#include "fmt/format.h"
#include "wire/json_text.hpp"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

using Array = docarray::NdArrayProto;
using Dense = docarray::DenseNdArrayProto;
using Kind = JsonCursor::Kind;
using core::limits::kTensorDimensionsMax;

// What docarray sets for everything that came as lists.
constexpr std::string_view kNumpy = "numpy";

// Of an embedding, as a guess.
constexpr std::size_t kTypicalSize = 4096;

template <typename Number>
void append_raw(std::string& buffer, Number value) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  buffer.append(bytes, sizeof(value));
}

// Reads nested lists and appends their elements to `buffer`.
class TensorReader {
 public:
  TensorReader(JsonCursor& cursor, std::string& buffer)
      : cursor_(cursor), buffer_(buffer), start_(buffer.size()) {}

  void read(std::size_t level = 0) {
    const Kind kind = cursor_.kind();
    const std::size_t start = cursor_.position();
    switch (kind) {
      case Kind::None:
        break;
      case Kind::List:
        list(level);
        break;
      case Kind::Number:
        if (is_leaf(level)) number(cursor_.number(), start);
        break;
      case Kind::Null:
        if (is_leaf(level)) {
          cursor_.take_null();
          number({std::numeric_limits<double>::quiet_NaN(), std::nullopt}, start);
        }
        break;
      case Kind::Boolean:
        if (is_leaf(level)) boolean(start);
        break;
      default:
        cursor_.fail(start, "expected nested lists of numbers", "type_error.list");
    }
  }

  std::string_view dtype() const {
    switch (elements_) {
      case Elements::Booleans:
        return "|b1";
      case Elements::Integers:
        return "<i8";
      default:
        return "<f8";
    }
  }
  // Complete after a read that did not fail.
  std::span<const std::uint32_t> shape() const { return {shape_.data(), rank_.value_or(0)}; }

 private:
  enum class Elements : std::uint8_t { None, Booleans, Integers, Floats };

  void ragged() {
    cursor_.fail(cursor_.position(), "ragged: lists side by side must have the same shape");
  }
  void mixed(std::size_t element) {
    cursor_.fail(element, "booleans and numbers do not go into one array");
  }

  // The first element says how many dimensions there are.
  bool is_leaf(std::size_t level) {
    if (!rank_) rank_ = level;
    if (*rank_ == level) return true;
    ragged();
    return false;
  }

  void list(std::size_t level) {
    const std::size_t start = cursor_.position();
    if (rank_ && level >= *rank_) return ragged();
    if (level == kTensorDimensionsMax) {
      return cursor_.fail(start, fmt::format("more than {} dimensions", kTensorDimensionsMax));
    }
    cursor_.enter_list();
    std::uint32_t length = 0;
    for (; cursor_.next_element(); ++length) read(level + 1);
    if (!cursor_.ok()) return;
    if (!rank_) rank_ = level + 1;  // an empty list, and no element before it
    if (!length_known_[level]) {
      shape_[level] = length;
      length_known_[level] = true;
    } else if (shape_[level] != length) {
      cursor_.fail(start, fmt::format("ragged: this list has {} elements, those before it {}",
                                      length, shape_[level]));
    }
  }

  void number(JsonCursor::Number number, std::size_t start) {
    if (elements_ == Elements::Booleans) return mixed(start);
    if (elements_ == Elements::None) elements_ = Elements::Integers;
    if (elements_ == Elements::Integers && !number.integer) {
      elements_ = Elements::Floats;
      make_floats();
    }
    if (elements_ == Elements::Integers) {
      append_raw(buffer_, *number.integer);
    } else {
      append_raw(buffer_, number.value);
    }
  }

  void boolean(std::size_t start) {
    if (elements_ == Elements::None) elements_ = Elements::Booleans;
    if (elements_ != Elements::Booleans) return mixed(start);
    buffer_ += cursor_.boolean() ? '\1' : '\0';
  }

  // All elements until now were integers.
  void make_floats() {
    for (std::size_t at = start_; at < buffer_.size(); at += sizeof(double)) {
      std::int64_t integer = 0;
      std::memcpy(&integer, buffer_.data() + at, sizeof(integer));
      const auto value = static_cast<double>(integer);
      std::memcpy(buffer_.data() + at, &value, sizeof(value));
    }
  }

  JsonCursor& cursor_;
  std::string& buffer_;
  const std::size_t start_;
  Elements elements_ = Elements::None;
  std::optional<std::size_t> rank_;
  std::array<std::uint32_t, kTensorDimensionsMax> shape_{};
  std::array<bool, kTensorDimensionsMax> length_known_{};
};

// ---- writing
// -------------------------------------------------------------------------------------

// A type of elements: NumPy's word for it, and how one is written.
struct Dtype {
  std::string_view name;
  std::size_t size;
  void (*append)(std::string& out, const char* element);
};

template <typename Number>
void append_number(std::string& out, const char* element) {
  Number value = 0;
  std::memcpy(&value, element, sizeof(value));
  if constexpr (std::is_floating_point_v<Number>) {
    append_json_float(out, value);
  } else {
    append_json_integer(out, value);
  }
}

void append_boolean(std::string& out, const char* element) {
  out += *element != 0 ? "true" : "false";
}

// IEEE 754 binary16: a sign, five bits of exponent, ten of fraction.
void append_half(std::string& out, const char* element) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, element, sizeof(bits));
  const int exponent = bits >> 10 & 0x1f;
  const int fraction = bits & 0x3ff;
  float value = std::numeric_limits<float>::quiet_NaN();  // or infinity: both are null
  if (exponent == 0) value = std::ldexp(static_cast<float>(fraction), -24);
  if (exponent > 0 && exponent < 31) {
    value = std::ldexp(static_cast<float>(fraction | 0x400), exponent - 25);
  }
  append_json_float(out, (bits & 0x8000) != 0 ? -value : value);
}

constexpr Dtype kDtypes[] = {
    {"<f4", 4, append_number<float>},
    {"<f8", 8, append_number<double>},
    {"<f2", 2, append_half},
    {"<i8", 8, append_number<std::int64_t>},
    {"<i4", 4, append_number<std::int32_t>},
    {"<i2", 2, append_number<std::int16_t>},
    {"|i1", 1, append_number<std::int8_t>},
    {"<i1", 1, append_number<std::int8_t>},
    {"<u8", 8, append_number<std::uint64_t>},
    {"<u4", 4, append_number<std::uint32_t>},
    {"<u2", 2, append_number<std::uint16_t>},
    {"|u1", 1, append_number<std::uint8_t>},
    {"<u1", 1, append_number<std::uint8_t>},
    {"|b1", 1, append_boolean},
};

absl::Status refused(std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument, fmt::format("NdArrayProto: {}", what));
}

// A DenseNdArrayProto, cut.
struct DenseView {
  std::string_view buffer;
  std::string_view dtype;
  std::vector<std::uint32_t> shape;
};

// One field of a repeated uint32, packed or not. False if it is malformed.
bool add_dimensions(const WireField& field, std::vector<std::uint32_t>& shape) {
  // A packed field is varints side by side.
  std::string_view packed = field.bytes;
  if (field.type == WireType::Varint) {
    shape.push_back(static_cast<std::uint32_t>(field.varint));
  } else {
    while (!packed.empty() && shape.size() <= kTensorDimensionsMax) {
      const std::optional<std::uint64_t> dimension = take_varint(packed);
      if (!dimension) return false;
      shape.push_back(static_cast<std::uint32_t>(*dimension));
    }
  }
  return true;
}

absl::StatusOr<DenseView> read_dense(std::string_view message) {
  DenseView dense;
  WireReader reader(message);
  while (const auto field = reader.next()) {
    if (field->number > Dense::kDtypeFieldNumber) continue;
    const bool dimension = field->number == Dense::kShapeFieldNumber;
    if (field->type != WireType::Bytes && !(dimension && field->type == WireType::Varint)) {
      return refused("field of another type");
    }
    if (!dimension) {
      (field->number == Dense::kBufferFieldNumber ? dense.buffer : dense.dtype) = field->bytes;
    } else if (!add_dimensions(*field, dense.shape)) {
      return refused("the shape is malformed");
    }
    if (dense.shape.size() > kTensorDimensionsMax) {
      return refused(fmt::format("more than {} dimensions", kTensorDimensionsMax));
    }
  }
  if (reader.malformed()) return refused("not a protobuf message");
  return dense;
}

// The number of elements, if 64 bits can count them.
std::optional<std::uint64_t> element_count(std::span<const std::uint32_t> shape) {
  std::uint64_t count = 1;
  for (const std::uint32_t length : shape) {
    if (__builtin_mul_overflow(count, length, &count)) return std::nullopt;
  }
  return count;
}

// Appends the elements from `element` on, and moves it past them.
void append_elements(std::string& out, const Dtype& dtype, std::span<const std::uint32_t> shape,
                     const char*& element) {
  if (shape.empty()) {
    dtype.append(out, element);
    element += dtype.size;
    return;
  }
  out += '[';
  for (std::uint32_t i = 0; i < shape.front(); ++i) {
    if (i > 0) out += ',';
    append_elements(out, dtype, shape.subspan(1), element);
  }
  out += ']';
}

absl::Status write_dense(std::string_view message, std::string& out) {
  FLOW_ASSIGN_OR_RETURN(const DenseView dense, read_dense(message));
  const std::optional<std::uint64_t> count = element_count(dense.shape);
  if (dense.buffer.empty() && (dense.shape.empty() || count == 0)) {
    out += dense.shape.empty() ? "null" : "[]";
    return absl::OkStatus();
  }
  for (const Dtype& dtype : kDtypes) {
    if (dtype.name != dense.dtype) continue;
    if (count != dense.buffer.size() / dtype.size || dense.buffer.size() % dtype.size != 0) {
      return refused(fmt::format("shape [{}] of {} does not fit a buffer of {} bytes",
                                 fmt::join(dense.shape, ", "), dtype.name, dense.buffer.size()));
    }
    const char* element = dense.buffer.data();
    append_elements(out, dtype, dense.shape, element);
    return absl::OkStatus();
  }
  return refused(fmt::format("dtype {} cannot be written as JSON", core::in_quotes(dense.dtype)));
}

}  // namespace

void read_tensor(JsonCursor& cursor, std::string& out) {
  const OpenField dense = open_field(out, Array::kDenseFieldNumber, kTypicalSize);
  const OpenField buffer = open_field(out, Dense::kBufferFieldNumber, kTypicalSize);
  TensorReader reader(cursor, out);
  reader.read();
  close_field(out, buffer);
  const OpenField shape = open_field(out, Dense::kShapeFieldNumber);
  for (const std::uint32_t length : reader.shape()) append_varint(out, length);
  close_field(out, shape);
  append_bytes_field(out, Dense::kDtypeFieldNumber, reader.dtype());
  close_field(out, dense);
  append_bytes_field(out, Array::kClsNameFieldNumber, kNumpy);
}

absl::Status write_tensor(std::string_view message, std::string& out) {
  std::optional<std::string_view> dense;
  WireReader reader(message);
  while (const auto field = reader.next()) {
    if (field->number == Array::kSparseFieldNumber) {
      return core::error(absl::StatusCode::kUnimplemented,
                         "NdArrayProto: a sparse array cannot be written as JSON");
    }
    if (field->number != Array::kDenseFieldNumber) continue;
    if (field->type != WireType::Bytes) return refused("field of another type");
    if (dense) return refused("field occurs twice");
    dense = field->bytes;
  }
  if (reader.malformed()) return refused("not a protobuf message");
  return write_dense(dense.value_or(""), out);
}

}  // namespace flow::wire
