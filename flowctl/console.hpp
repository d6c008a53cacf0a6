// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "flowctl/log_format.hpp"

// Standard output and standard error: the only place that knows them.
namespace flow::ctl {

// What standard output is right now: windows are resized.
Paper standard_output();

// Writes all of it at once, so that whoever reads a pipe sees it as it happens.
void print(std::string_view text);

// Each line as "error: line" on standard error. Gives the exit status for that.
int fail(const absl::Status& status);
// Lines on standard error that are no errors.
void remark(std::string_view line);

// Did everything that was printed get out?
bool output_failed();

}  // namespace flow::ctl
