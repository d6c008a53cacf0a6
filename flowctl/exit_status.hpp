// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace flow::ctl {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;  // what was asked for is not so, or did not succeed
inline constexpr int kExitUsage = 2;  // the command line was not understood

}  // namespace flow::ctl
