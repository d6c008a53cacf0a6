// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "docarray.pb.h"
#include "flow/plugin.h"

// Between NumPy's type strings, which stand on the wire, and DLPack's types, which plugins see.
namespace flow::host {

// The type that "<f4" or its like names; nullopt for what the ABI has no type for: objects,
// strings, dates, and elements in big-endian order.
std::optional<flow_dtype> parse_dtype(std::string_view text);

// "<f4" and its like; nullopt for a type without a name in NumPy.
std::optional<std::string_view> format_dtype(flow_dtype type);

// Bytes of one element.
std::uint64_t element_size(flow_dtype type);

// Bytes of a tensor; nullopt if they do not fit into 64 bits.
std::optional<std::uint64_t> tensor_size(flow_dtype type, std::span<const std::uint32_t> shape);

// Copies of what would otherwise be misaligned; they live as long as this.
using AlignedCopies = std::vector<std::unique_ptr<std::byte[]>>;

// `bytes`, or a copy of them in `copies` if they do not lie at a multiple of `alignment`.
const void* aligned(std::string_view bytes, std::uint64_t alignment, AlignedCopies& copies);

// A view of a tensor: absent if it is sparse or of a type that the ABI has not. An error if its
// shape and type do not make up its bytes.
absl::StatusOr<flow_tensor> view_tensor(const docarray::NdArrayProto& array, AlignedCopies& copies);

}  // namespace flow::host
