// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace flow::host {

// "flow_fn(int)" of "_Z7flow_fni"; what is not mangled, as it is. Cut if it is very long.
std::string demangle(std::string_view name);
// "std::runtime_error" of what std::type_info::name() gives.
std::string demangle_type(std::string_view name);

}  // namespace flow::host
