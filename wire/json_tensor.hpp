// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "wire/json_cursor.hpp"

// docarray.NdArrayProto as nested JSON lists, the way NumPy's array() and tolist() see them.
namespace flow::wire {

// Appends the content of the NdArrayProto that the lists which come next become: dtype "<i8" if all
// elements are integers of 64 bits, "|b1" if all are booleans, else "<f8", where null is NaN (JSON
// has no word for it). A number alone is an array without dimensions. Ragged lists fail, and more
// than core::limits::kTensorDimensionsMax dimensions.
void read_tensor(JsonCursor& cursor, std::string& out);

// Appends nested lists: floats in their shortest form, NaN and infinity as null. An array without
// elements is `[]` whatever its shape, one without shape and elements is null. Not for sparse
// arrays, nor for complex numbers, texts and big-endian buffers.
absl::Status write_tensor(std::string_view message, std::string& out);

}  // namespace flow::wire
