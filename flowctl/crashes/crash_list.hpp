// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "host/crash/crash_folder.hpp"
#include "host/crash/crash_report.hpp"

namespace flow::ctl {

// One report of a folder, or why it cannot be read.
struct FoundCrash {
  std::string name;
  absl::StatusOr<host::CrashReport> report;
};

// The newest first.
absl::StatusOr<std::vector<FoundCrash>> find_crashes(const std::string& folder);

// A row for each. Reads the files of the functions that it names.
std::string crashes_text(const std::string& folder, const std::vector<FoundCrash>& crashes,
                         std::size_t width);
std::string crashes_json(const std::string& folder, const std::vector<FoundCrash>& crashes);

// All of one.
std::string crash_text(const host::CrashReport& report);
std::string crash_json(const std::string& name, const host::CrashReport& report);

}  // namespace flow::ctl
