// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/supervise.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/log.hpp"
#include "core/notify.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "host/plugin/resolve.hpp"
#include "host/supervisor/gateway_check.hpp"
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

int fail(const absl::Status& status) {
  std::fputs(core::error_lines(core::message(status)).c_str(), stderr);
  return 1;
}

// Are the plugins and the gateway's files in order? All that is wrong with them.
absl::Status check_files(const core::FlowConfig& config, const Programs& programs) {
  const absl::Status plugins = resolve_plugins(config).status();
  const absl::StatusOr<bool> gateway = check_gateway(config, programs.gateway);
  const absl::Status refused =
      gateway.ok() && !*gateway
          ? core::error(absl::StatusCode::kFailedPrecondition, "the gateway refuses its files")
          : gateway.status();
  if (plugins.ok()) return refused;
  if (refused.ok()) return plugins;
  return core::error(plugins.code(),
                     fmt::format("{}\n{}", core::message(plugins), core::message(refused)));
}

absl::StatusOr<int> try_supervise(const core::FlowConfig& config, const core::Notifier& parent) {
  FLOW_RETURN_IF_ERROR(core::follow_supervisor());
  FLOW_ASSIGN_OR_RETURN(const core::LogConfig log,
                        core::effective_log_config(config.log, core::process_environment()));
  FLOW_ASSIGN_OR_RETURN(Programs programs, find_programs());
  FLOW_RETURN_IF_ERROR(check_files(config, programs));
  return Supervisor(config, std::move(programs), log, parent).run();
}

}  // namespace

int supervise(const core::FlowConfig& config) {
  const core::Notifier parent;  // first, so that nobody inherits the socket's name from us
  const absl::StatusOr<int> status = try_supervise(config, parent);
  if (status.ok()) return *status;
  parent.send(
      {{std::string(core::notify_key::kFailure), std::string(core::message(status.status()))}});
  return fail(status.status());
}

int check(const core::FlowConfig& config) {
  const auto programs = find_programs();
  if (!programs.ok()) return fail(programs.status());
  if (const absl::Status files = check_files(config, *programs); !files.ok()) return fail(files);
  const std::size_t count = config.executors.size();
  std::puts(
      fmt::format("{}: ok ({} executor{})", config.file, count, count == 1 ? "" : "s").c_str());
  return 0;
}

}  // namespace flow::host
