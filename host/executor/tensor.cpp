// SPDX-License-Identifier: Apache-2.0
#include "host/executor/tensor.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/status.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::host {
namespace {

struct NamedType {
  std::string_view name;
  flow_dtype type;
};

// NumPy has no bfloat16 of its own; the packages that add one use this name.
constexpr std::array kTypes = {
    NamedType{"|b1", {FLOW_BOOLEAN, 8, 1}},     NamedType{"|i1", {FLOW_INT, 8, 1}},
    NamedType{"<i2", {FLOW_INT, 16, 1}},        NamedType{"<i4", {FLOW_INT, 32, 1}},
    NamedType{"<i8", {FLOW_INT, 64, 1}},        NamedType{"|u1", {FLOW_UINT, 8, 1}},
    NamedType{"<u2", {FLOW_UINT, 16, 1}},       NamedType{"<u4", {FLOW_UINT, 32, 1}},
    NamedType{"<u8", {FLOW_UINT, 64, 1}},       NamedType{"<f2", {FLOW_FLOAT, 16, 1}},
    NamedType{"<f4", {FLOW_FLOAT, 32, 1}},      NamedType{"<f8", {FLOW_FLOAT, 64, 1}},
    NamedType{"<c8", {FLOW_COMPLEX, 64, 1}},    NamedType{"<c16", {FLOW_COMPLEX, 128, 1}},
    NamedType{"bfloat16", {FLOW_BFLOAT, 16, 1}}};

constexpr bool equal(flow_dtype a, flow_dtype b) {
  return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}

// "<f4", "=f4", "|f4" and "f4" mean the same on a little-endian machine; so does ">i1".
std::string_view without_byte_order(std::string_view text) {
  const bool one_byte = text.size() == 3 && text.back() == '1';
  const bool marked = !text.empty() && (text.front() == '<' || text.front() == '=' ||
                                        text.front() == '|' || (text.front() == '>' && one_byte));
  return marked ? text.substr(1) : text;
}

}  // namespace

std::optional<flow_dtype> parse_dtype(std::string_view text) {
  const auto wanted = without_byte_order(text);
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const NamedType& known) {
    return without_byte_order(known.name) == wanted;
  });
  if (found == kTypes.end()) return std::nullopt;
  return found->type;
}

std::optional<std::string_view> format_dtype(flow_dtype type) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const NamedType& known) { return equal(known.type, type); });
  if (found == kTypes.end()) return std::nullopt;
  return found->name;
}

std::uint64_t element_size(flow_dtype type) {
  return (std::uint64_t{type.bits} * type.lanes + 7) / 8;
}

std::optional<std::uint64_t> tensor_size(flow_dtype type, std::span<const std::uint32_t> shape) {
  std::uint64_t size = element_size(type);
  for (const auto extent : shape) {
    if (__builtin_mul_overflow(size, std::uint64_t{extent}, &size)) return std::nullopt;
  }
  return size;
}

const void* aligned(std::string_view bytes, std::uint64_t alignment, AlignedCopies& copies) {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  if (alignment == 0 || address % alignment == 0) return bytes.data();
  // new aligns for every fundamental type, which is as much as any element needs.
  static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= 16);
  auto& copy = copies.emplace_back(new std::byte[std::max<std::size_t>(bytes.size(), 1)]);
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy.get();
}

absl::StatusOr<flow_tensor> view_tensor(const docarray::NdArrayProto& array,
                                        AlignedCopies& copies) {
  constexpr flow_tensor kAbsent{nullptr, 0, nullptr, 0, {0, 0, 0}};
  if (!array.has_dense()) return kAbsent;
  const auto& dense = array.dense();
  const auto type = parse_dtype(dense.dtype());
  if (!type) return kAbsent;
  const std::span<const std::uint32_t> shape(dense.shape().data(),
                                             static_cast<std::size_t>(dense.shape_size()));
  const auto size = tensor_size(*type, shape);
  if (!size || *size != dense.buffer().size()) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("a tensor of shape [{}] and type \"{}\" has {} bytes, not {}",
                                   fmt::join(shape, ", "), dense.dtype(), dense.buffer().size(),
                                   size ? fmt::format("{}", *size) : "more than there can be"));
  }
  return flow_tensor{aligned(dense.buffer(), element_size(*type), copies), *size, shape.data(),
                     static_cast<std::uint32_t>(shape.size()), *type};
}

}  // namespace flow::host
