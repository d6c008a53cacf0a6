// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "flow/plugin.h"

namespace flow::host {

// "INVALID_ARGUMENT". A number that is no status counts as UNKNOWN (rule A12).
std::string_view status_name(flow_status status);

// The text with each byte that is not part of UTF-8 as '?': what a plugin says goes into protobuf
// strings, which must be UTF-8.
std::string valid_utf8(std::string text);

}  // namespace flow::host
