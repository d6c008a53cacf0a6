// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "wire/json_cursor.hpp"

// google.protobuf.Struct: tags and parameters. `depth` is how many messages the Struct is inside
// of; core::limits::kProtobufDepthMax bounds it on both ways.
namespace flow::wire {

// Appends the content of the Struct that the object which comes next becomes. Failures stay in the
// cursor. A key that occurs twice is there twice; protobuf takes the last.
void read_struct(JsonCursor& cursor, std::size_t depth, std::string& out);

// Appends an object. Numbers are doubles and read as such ("1.0"). Keys are in the order of the
// message, and as often as they are there.
absl::Status write_struct(std::string_view message, std::size_t depth, std::string& out);

}  // namespace flow::wire
