// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "flow/plugin.h"
#include "google/protobuf/struct.pb.h"

// google.protobuf.Value and its kin, which stand on the wire, as the ABI's flow_value. A node of a
// flow_value points to the message itself, so walking a tree copies nothing.
namespace flow::host {

flow_value view(const google::protobuf::Value& value);
flow_value view(const google::protobuf::Struct& map);
flow_value view(const google::protobuf::ListValue& list);

// What flow_host offers under these names.
flow_value value_get(const flow_value* map, flow_str key) noexcept;
flow_value value_at(const flow_value* list, std::uint64_t index) noexcept;
flow_str value_key(const flow_value* map, std::uint64_t index) noexcept;

// Copies what a plugin passed. False for a kind that does not exist, a number that JSON has not,
// text that is not UTF-8 or a list or map without a node; `to` is unchanged then.
bool assign(const flow_value& from, google::protobuf::Value& to);

// A flow_str's text; its pointer may be NULL if its size is 0.
bool is_readable(flow_str text);

}  // namespace flow::host
