// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "core/value.hpp"

// Values in the form that flow.toml has them.
namespace flow::ctl {

std::string toml_string(std::string_view text);
// Bare if it can be.
std::string toml_key(std::string_view key);
// On one line. Null, which TOML does not have, is left out of maps and lists.
std::string toml_value(const core::Value& value);

}  // namespace flow::ctl
