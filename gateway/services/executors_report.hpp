// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "gateway/executors/executors.hpp"
#include "gateway/readiness/verdict.hpp"

namespace flow::gateway {

// What GET /executors answers: every replica, where it stands and why, and what it has to do. Made
// when it is asked for.
std::string executors_report(const Executors& executors, const Verdict& verdict, Now now);

}  // namespace flow::gateway
