// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "flow/client.hpp"
#include "flowctl/log_format.hpp"

namespace flow::ctl {

// Why a check that was not good was not: what was said, by whom, and the evidence; or why nothing
// was said. `who`: what was asked for, "Flow" or "gateway".
Message explain(const CheckResult& check, std::string_view who);

}  // namespace flow::ctl
