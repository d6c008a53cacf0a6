// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace flow::core {

inline constexpr const char* kVersion = FLOW_VERSION;  // the project's in CMakeLists.txt
// The release of the reference implementation whose wire protocol is spoken.
inline constexpr const char* kJinaProtocol = "3.20";

}  // namespace flow::core
