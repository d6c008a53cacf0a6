// SPDX-License-Identifier: Apache-2.0
#include "host/crash/crash_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <tuple>

#include "core/file.hpp"
#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "core/unique_fd.hpp"
#include "fmt/format.h"

namespace flow::host {
namespace {

namespace fs = std::filesystem;
namespace limits = core::limits;
using std::chrono::system_clock;

std::string path_of(const std::string& folder, std::string_view name) {
  return fmt::format("{}/{}{}", folder, name, kCrashSuffix);
}

// Takes what the pattern stands for off the end of `text`: '9' for a digit, the rest for itself.
bool take_end(std::string_view& text, std::string_view pattern) {
  if (text.size() < pattern.size()) return false;
  const std::string_view end = text.substr(text.size() - pattern.size());
  const bool fits = std::equal(end.begin(), end.end(), pattern.begin(), [](char is, char wanted) {
    return wanted == '9' ? is >= '0' && is <= '9' : is == wanted;
  });
  if (fits) text.remove_suffix(pattern.size());
  return fits;
}

// "<process>-<yyyymmdd>T<hhmmss.mmm>-<pid>": others have files that end in .crash as well (apport
// in /var/crash), and these are not ours to read or to remove.
bool is_report_name(std::string_view name) {
  const std::size_t before = name.size();
  while (take_end(name, "9")) {
  }
  return name.size() < before && take_end(name, "-99999999T999999.999-") && !name.empty();
}

std::optional<CrashFile> file_at(const fs::path& path) {
  if (path.extension() != kCrashSuffix || !is_report_name(path.stem().native())) {
    return std::nullopt;
  }
  struct stat status {};
  // Not through links: where those lead is not ours to read or to remove.
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const auto since_1970 = std::chrono::seconds(status.st_mtim.tv_sec) +
                          std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return CrashFile{
      path.stem().string(),
      system_clock::time_point(std::chrono::duration_cast<system_clock::duration>(since_1970)),
      static_cast<std::uint64_t>(status.st_size)};
}

enum class Writer { Anybody, OurUser };

absl::StatusOr<CrashReport> read_report(const std::string& folder, const std::string& name,
                                        Writer writer) {
  const std::string path = path_of(folder, name);
  const auto none = [&] {
    return core::error(absl::StatusCode::kNotFound,
                       fmt::format("{} has no crash report {}", folder, core::in_quotes(name)));
  };
  if (name.find('/') != std::string::npos || !is_report_name(name)) return none();
  // O_NONBLOCK: whatever else lies there must not hold us up.
  const core::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno != ENOENT && errno != ELOOP) {
    return core::system_error(errno, fmt::format("cannot read {}", path));
  }
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return none();
  if (writer == Writer::OurUser && status.st_uid != ::geteuid()) return none();
  auto text = core::read_file(fd.get(), path, limits::kCrashReportBytesMax);
  if (!text.ok()) return text.status();
  auto report = parse_crash_report(*text);
  if (!report.ok()) return core::with_context(report.status(), path);
  return report;
}

}  // namespace

std::string crash_folder(const std::string& configured, const core::Environment& environment) {
  if (!configured.empty()) return configured;
  const auto absolute = [&](const std::string& variable) {
    auto value = environment(variable).value_or("");
    value.resize(std::min(value.find(':'), value.size()));  // systemd lists several so
    return value.starts_with('/') ? value : std::string();
  };
  // systemd names a folder of ours there, the others are everybody's.
  if (const auto folder = absolute("STATE_DIRECTORY"); !folder.empty()) return folder + "/crashes";
  if (const auto folder = absolute("XDG_STATE_HOME"); !folder.empty()) {
    return folder + "/flow-host/crashes";
  }
  if (const auto home = absolute("HOME"); !home.empty()) {
    return home + "/.local/state/flow-host/crashes";
  }
  return {};
}

absl::Status no_crash_folder() {
  return core::error(absl::StatusCode::kNotFound,
                     "none of $STATE_DIRECTORY, $XDG_STATE_HOME and $HOME is an absolute path");
}

absl::Status crash_folder_unusable(const absl::Status& why) {
  return core::error(
      why.code(),
      fmt::format(
          "there will be no crash reports: {}; set crash_reports in [supervise] to a folder "
          "that can be written",
          core::message(why)));
}

absl::Status prepare_crash_folder(const std::string& folder) {
  std::error_code failure;
  fs::create_directories(fs::path(folder).parent_path(), failure);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return core::system_error(errno, folder);
  }
  if (!fs::is_directory(folder, failure)) {
    return core::error(absl::StatusCode::kFailedPrecondition,
                       fmt::format("{} is no folder", folder));
  }
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) return core::system_error(errno, folder);
  bound_crash_folder(folder);
  return absl::OkStatus();
}

void bound_crash_folder(const std::string& folder) {
  const auto files = list_crashes(folder);
  if (!files.ok()) return;
  std::uint64_t bytes = 0;
  for (const CrashFile& file : *files) bytes += file.bytes;
  std::size_t count = files->size();
  for (const CrashFile& oldest : *files) {
    if (count <= limits::kCrashReportsMax && bytes <= limits::kCrashFolderBytesMax) return;
    ::unlink(path_of(folder, oldest.name).c_str());
    --count;
    bytes -= oldest.bytes;
  }
}

absl::StatusOr<std::vector<CrashFile>> list_crashes(const std::string& folder) {
  std::vector<CrashFile> files;
  std::error_code failure;
  fs::directory_iterator entries(folder, failure);
  if (failure == std::errc::no_such_file_or_directory) return files;
  for (; !failure && entries != fs::directory_iterator(); entries.increment(failure)) {
    if (auto file = file_at(entries->path())) files.push_back(*std::move(file));
  }
  if (failure) return core::system_error(failure.value(), folder);
  std::sort(files.begin(), files.end(), [](const CrashFile& a, const CrashFile& b) {
    return std::tie(a.written, a.name) < std::tie(b.written, b.name);
  });
  return files;
}

absl::StatusOr<CrashReport> read_crash(const std::string& folder, const std::string& name) {
  return read_report(folder, name, Writer::Anybody);
}

std::optional<CrashReport> crash_of(const std::string& folder, pid_t process,
                                    system_clock::time_point since) {
  const auto files = list_crashes(folder);
  if (!files.ok()) return std::nullopt;
  const std::string end = fmt::format("-{}", process);
  for (auto file = files->rbegin(); file != files->rend(); ++file) {
    if (file->written < since || !file->name.ends_with(end)) continue;
    auto report = read_report(folder, file->name, Writer::OurUser);
    // Process ids come again, and in containers that share a folder they mean different processes.
    if (report.ok() && report->process == process) return *std::move(report);
  }
  return std::nullopt;
}

}  // namespace flow::host
