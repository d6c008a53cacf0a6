// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/config.hpp"
#include "host/crash/crash_report.hpp"

// The folder in which processes leave their reports. It outlives Flows, several of them may share
// it, and whoever writes into it keeps it small.
namespace flow::host {

inline constexpr std::string_view kCrashSuffix = ".crash";
// By which a supervisor tells its processes the folder; empty: there is none to write into.
inline constexpr std::string_view kCrashFolderVariable = "FLOW_CRASH_REPORTS";

// Where the reports of a Flow are: [supervise] crash_reports; else flow-host/crashes in the state
// folder: $STATE_DIRECTORY (of systemd), $XDG_STATE_HOME, ~/.local/state. Empty: there is none.
std::string crash_folder(const std::string& configured, const core::Environment& environment);

// What to say then, and what to say of one that cannot be used: with what to do.
absl::Status no_crash_folder();
absl::Status crash_folder_unusable(const absl::Status& why);

// Makes the folder if there is none, for this user alone, and removes its oldest reports if they
// are too many (kCrashReportsMax, kCrashFolderBytesMax). An error if nothing can be written there.
absl::Status prepare_crash_folder(const std::string& folder);
// The removal alone. Files that are no reports stay.
void bound_crash_folder(const std::string& folder);

struct CrashFile {
  std::string name;  // "normalize-rep-0-20261122T101807.439-24317": without folder and suffix
  std::chrono::system_clock::time_point written;
  std::uint64_t bytes = 0;
};
// The oldest first; a report is a file with such a name, and no link. An error if the folder cannot
// be read; none of them if it is not there.
absl::StatusOr<std::vector<CrashFile>> list_crashes(const std::string& folder);

// By its name as above, whoever wrote it. Does not block.
absl::StatusOr<CrashReport> read_crash(const std::string& folder, const std::string& name);

// The report of a process of this user's that ended just now and was started at `since`; nullopt if
// it left none that can be read. Does not block.
std::optional<CrashReport> crash_of(const std::string& folder, pid_t process,
                                    std::chrono::system_clock::time_point since);

}  // namespace flow::host
