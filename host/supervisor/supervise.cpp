// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/supervise.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/log.hpp"
#include "core/notify.hpp"
#include "core/status.hpp"
#include "host/plugin/resolve.hpp"
#include "host/supervisor/serve_command.hpp"
#include "host/supervisor/supervisor.hpp"

namespace flow::host {
namespace {

// The two programs are installed beside each other, wherever that is.
absl::StatusOr<Programs> find_programs() {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return core::system_error(failure.value(), "/proc/self/exe");
  return Programs{self.parent_path() / "flow-host", self.parent_path() / "flow-gateway"};
}

absl::StatusOr<int> try_supervise(const core::FlowConfig& config, const core::Notifier& parent) {
  FLOW_RETURN_IF_ERROR(core::follow_supervisor());
  FLOW_ASSIGN_OR_RETURN(const core::LogConfig log,
                        core::effective_log_config(config.log, core::process_environment()));
  FLOW_ASSIGN_OR_RETURN(Programs programs, find_programs());
  FLOW_RETURN_IF_ERROR(resolve_plugins(config).status());
  return Supervisor(config, std::move(programs), log, parent).run();
}

}  // namespace

int supervise(const core::FlowConfig& config) {
  const core::Notifier parent;  // first, so that nobody inherits the socket's name from us
  const absl::StatusOr<int> status = try_supervise(config, parent);
  if (status.ok()) return *status;
  parent.send(
      {{std::string(core::notify_key::kFailure), std::string(core::message(status.status()))}});
  std::fputs(error_lines(core::message(status.status())).c_str(), stderr);
  return 1;
}

}  // namespace flow::host
