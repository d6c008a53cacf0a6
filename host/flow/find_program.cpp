// SPDX-License-Identifier: Apache-2.0
#include "host/flow/find_program.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/status.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kName = "flow-host";

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

std::vector<std::string> candidates(const core::Environment& environment) {
  std::vector<std::string> all;
  std::error_code failure;
  const fs::path self = fs::read_symlink("/proc/self/exe", failure);
  if (!failure) all.push_back(self.parent_path() / kName);
  all.push_back(fs::path(FLOW_INSTALLED_PROGRAMS) / kName);
  const std::string path = environment("PATH").value_or("");
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (end != 0) all.push_back(fs::path(rest.substr(0, end)) / kName);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return all;
}

}  // namespace

absl::StatusOr<std::string> find_flow_host(const std::string& wanted,
                                           const core::Environment& environment) {
  const std::string told = wanted.empty() ? environment("FLOW_HOST").value_or("") : wanted;
  if (!told.empty()) {
    std::error_code ignored;
    if (is_program(told)) return fs::absolute(told, ignored).string();
    return core::error(absl::StatusCode::kNotFound,
                       fmt::format("{}, which {} names, is no program; expected flow-host", told,
                                   wanted.empty() ? "FLOW_HOST" : "StartOptions::flow_host"));
  }
  const std::vector<std::string> all = candidates(environment);
  const auto found = std::ranges::find_if(all, is_program);
  if (found != all.end()) return *found;
  return core::error(absl::StatusCode::kNotFound,
                     fmt::format("flow-host is not installed: neither {} exists; name it in "
                                 "StartOptions::flow_host or FLOW_HOST",
                                 fmt::join(all, " nor ")));
}

std::vector<std::string> plugin_folders_of(const std::string& flow_host) {
  const fs::path prefix = fs::path(flow_host).parent_path().parent_path();
  std::vector<std::string> folders;
  for (const fs::path& each : {prefix / "plugins", prefix / FLOW_INSTALLED_PLUGINS}) {
    std::error_code ignored;
    if (fs::is_directory(each, ignored)) folders.push_back(each);
  }
  return folders;
}

}  // namespace flow::host
