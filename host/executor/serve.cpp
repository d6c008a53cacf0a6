// SPDX-License-Identifier: Apache-2.0
#include "host/executor/serve.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/life_lock.hpp"
#include "core/limits.hpp"
#include "core/log.hpp"
#include "core/notify.hpp"
#include "core/status.hpp"
#include "core/units.hpp"
#include "fmt/format.h"
#include "host/crash/crash_folder.hpp"
#include "host/crash/crash_handler.hpp"
#include "host/executor/hang_report.hpp"
#include "host/executor/process_limits.hpp"
#include "host/executor/served_executor.hpp"
#include "host/executor/signals.hpp"
#include "host/executor/watchdog.hpp"
#include "host/plugin/library.hpp"
#include "host/plugin/resolve.hpp"
#include "host/stack/stack.hpp"

namespace flow::host {
namespace {

using Clock = std::chrono::steady_clock;
using Executors = std::vector<std::unique_ptr<ServedExecutor>>;

// What went wrong, and with which executor if with one alone.
struct Failure {
  std::string executor;
  absl::Status status;
};

const core::ExecutorConfig* find_executor(const core::FlowConfig& config, const std::string& name) {
  const auto found = std::find_if(config.executors.begin(), config.executors.end(),
                                  [&](const auto& executor) { return executor.name == name; });
  return found == config.executors.end() ? nullptr : &*found;
}

void tell_status(const core::Notifier& notifier, const Identity& identity, std::string text) {
  notifier.send(
      {{std::string(core::notify_key::kExecutor), identity.executor}, {"STATUS", std::move(text)}});
}

// Finds and loads the plugin of one replica. Only the executors that this process serves: the
// others' plugins need not even be on this machine.
absl::StatusOr<ServedExecutorSpec> prepare(const core::FlowConfig& config, const ServeSpec& spec) {
  const auto* executor = find_executor(config, spec.executor);
  if (executor == nullptr) {
    return core::error(absl::StatusCode::kNotFound,
                       fmt::format("{} has no executor \"{}\"", config.file, spec.executor));
  }
  core::FlowConfig alone = config;
  alone.executors = {*executor};
  FLOW_ASSIGN_OR_RETURN(auto resolved, resolve_plugins(alone));
  auto& plugin = resolved.front();
  FLOW_ASSIGN_OR_RETURN(const flow_plugin* table, load_plugin(plugin.path, plugin.info));

  ServedExecutorSpec served;
  served.identity = {
      spec.executor, spec.replica, ::getpid(), std::move(plugin.info), std::move(plugin.build_id),
      plugin.path};
  served.table = table;
  served.config = std::move(plugin.config);
  served.listen = {spec.tcp_address, spec.unix_path};
  served.bytes_max = config.gateway.max_message;
  served.fault = executor->fault;
  served.health_interval = config.health.heartbeat_interval;
  served.hang_budget = executor->hang_budget;
  return served;
}

// Of executors that share a process they are equal.
absl::Status limit_process(const core::FlowConfig& config, const ServeSpec& spec) {
  const core::ExecutorConfig* executor = find_executor(config, spec.executor);
  if (executor == nullptr) return absl::OkStatus();  // prepare() says so
  const auto position = static_cast<std::size_t>(executor - config.executors.data());
  return apply_limits(executor->limits, position + spec.replica);
}

// A plugin that fails for want of memory does not know how much it was granted.
absl::Status with_memory_limit(const core::FlowConfig& config, const ServedExecutor& executor,
                               const absl::Status& status) {
  const auto* configured = find_executor(config, executor.identity().executor);
  if (!absl::IsResourceExhausted(status) || configured->limits.memory == 0) return status;
  return core::error(
      status.code(),
      fmt::format("{} (its process may have {}: memory in [[executors]])", core::message(status),
                  core::size_text(configured->limits.memory)));
}

// A process that is about to run other people's code says why it died, if it does.
void report_crashes(const core::FlowConfig& config, const std::vector<ServeSpec>& specs,
                    spdlog::logger& logger) {
  prepare_stacks();
  const auto environment = core::process_environment();
  // Whoever supervises us has found out already where, and said so if that is nowhere.
  const auto given = environment(std::string(kCrashFolderVariable));
  const auto folder = given ? *given : crash_folder(config.supervise.crash_reports, environment);
  if (given && folder.empty()) return;
  const auto process = fmt::format("{}-rep-{}", specs.front().executor, specs.front().replica);
  const auto status = folder.empty() ? no_crash_folder() : install_crash_handler(folder, process);
  if (!status.ok()) logger.warn("{}", core::message(crash_folder_unusable(status)));
}

std::optional<Failure> load_all(const core::FlowConfig& config, const std::vector<ServeSpec>& specs,
                                const core::LogConfig& log, HangReport& hangs,
                                Executors& executors) {
  for (const auto& spec : specs) {
    auto served = prepare(config, spec);
    if (!served.ok()) return Failure{spec.executor, served.status()};
    auto logger = core::make_logger(served->identity.name(), log);
    logger->debug("plugin \"{}\" {} is loaded", served->identity.plugin.id(),
                  served->identity.plugin.version());
    served->on_hang = [&hangs, executor = spec.executor, logger](const Hang& hang) {
      hangs.tell(executor, *logger, hang);
    };
    executors.push_back(std::make_unique<ServedExecutor>(*std::move(served), std::move(logger)));
  }
  return std::nullopt;
}

// The supervisor counts from before this process ran, for all of its executors together: each has
// to be created a little sooner, so that its process is still there to say why it was not.
void set_create_limits(const core::FlowConfig& config, Clock::time_point started,
                       Executors& executors) {
  Clock::time_point deadline = started;
  for (auto& executor : executors) {
    const auto timeout = find_executor(config, executor->identity().executor)->timeout_ready;
    const auto margin =
        std::min<std::chrono::nanoseconds>(core::limits::kCreateMargin, timeout / 4);
    deadline += timeout;
    executor->create_by(deadline - margin, timeout);
  }
}

std::optional<Failure> create_and_listen(const core::FlowConfig& config,
                                         const core::Notifier& notifier, Executors& executors) {
  for (auto& executor : executors) {
    const auto& identity = executor->identity();
    tell_status(notifier, identity,
                fmt::format("plugin \"{}\" is in create()", identity.plugin.id()));
    if (auto status = executor->create(); !status.ok()) {
      status = with_memory_limit(config, *executor, status);
      return Failure{
          identity.executor,
          core::with_context(status, fmt::format("plugin \"{}\" {}", identity.plugin.id(),
                                                 identity.plugin.version()))};
    }
  }
  for (auto& executor : executors) {
    if (auto status = executor->listen(); !status.ok()) {
      return Failure{executor->identity().executor, status};
    }
    executor->logger().debug("start listening on {}", executor->server().tcp_address());
  }
  for (auto& executor : executors) {
    tell_status(notifier, executor->identity(), "ready and listening");
    executor->logger().debug("ready and listening");
  }
  return std::nullopt;
}

// So that gateways on this machine hear of our death at once; without it they hear of it later.
std::unique_ptr<core::LifeLock> hold_life(const std::vector<ServeSpec>& specs,
                                          spdlog::logger& logger) {
  std::vector<std::string> files;
  for (const auto& spec : specs) {
    if (!spec.unix_path.empty()) files.push_back(core::life_lock_file(spec.unix_path));
  }
  if (files.empty()) return nullptr;
  auto life = core::LifeLock::hold(files);
  if (life.ok()) return *std::move(life);
  logger.debug("no life lock: {}", core::message(life.status()));
  return nullptr;
}

// False if a plugin still holds a call when time is up.
bool drain(const core::SuperviseConfig& config, std::chrono::nanoseconds lame_duck,
           Executors& executors) {
  for (auto& executor : executors) executor->announce_stop();
  std::this_thread::sleep_for(lame_duck);
  const auto deadline = std::chrono::steady_clock::now() + config.drain_timeout;
  bool all = true;
  for (auto& executor : executors) {
    if (executor->drain(deadline)) continue;
    all = false;
    const auto calls = executor->calls_in_hand();
    executor->logger().error("{} {} did not end within drain_timeout: ending without destroy()",
                             calls, calls == 1 ? "call" : "calls");
  }
  if (!all) return false;
  for (auto executor = executors.rbegin(); executor != executors.rend(); ++executor) {
    (*executor)->stop();
  }
  return true;
}

// Without destructors: threads may be inside a plugin that does not return.
[[noreturn]] void end_at_once(int status) { std::_Exit(status); }

int report(const Failure& failure, const core::Notifier& notifier, spdlog::logger& logger) {
  const std::string text(core::message(failure.status));
  logger.error("{}", text);
  core::NotifyMessage message{{std::string(core::notify_key::kFailure), text}};
  if (!failure.executor.empty()) {
    message.emplace(core::notify_key::kExecutor, failure.executor);
  }
  notifier.send(message);
  return 1;
}

}  // namespace

int serve_executors(const core::FlowConfig& config, const std::vector<ServeSpec>& specs) {
  const auto started = Clock::now();
  // In a Flow it is the gateway that others ask before they send: it has stood still by then.
  const bool alone = std::getenv("FLOW_SUPERVISOR_PID") == nullptr;
  const auto lame_duck = alone ? config.supervise.lame_duck : std::chrono::nanoseconds(0);
  const auto followed = core::follow_supervisor();
  const core::Notifier notifier;
  StopSignals signals;
  prepare_stacks();
  // A log that nobody reads any more is no reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  const auto log = core::effective_log_config(config.log, core::process_environment());
  const auto name = specs.size() == 1
                        ? fmt::format("{}/rep-{}", specs[0].executor, specs[0].replica)
                        : std::string("flow-host");
  const auto logger = core::make_logger(name, log.value_or(config.log));
  if (!followed.ok()) return report({{}, followed}, notifier, *logger);
  if (!log.ok()) return report({{}, log.status()}, notifier, *logger);

  if (const absl::Status limited = limit_process(config, specs.front()); !limited.ok()) {
    return report({specs.front().executor, limited}, notifier, *logger);
  }
  report_crashes(config, specs, *logger);
  HangReport hangs(notifier);
  Executors executors;
  if (const auto failure = load_all(config, specs, *log, hangs, executors)) {
    return report(*failure, notifier, *logger);
  }
  set_create_limits(config, started, executors);
  Watchdog watchdog;
  for (auto& executor : executors) watchdog.add(executor->watched());

  const auto life = hold_life(specs, *logger);
  std::optional<Failure> failure;
  if (signals.wait_while([&] { failure = create_and_listen(config, notifier, executors); })) {
    // Nobody was served yet, and create() cannot be interrupted.
    notifier.send({{"STOPPING", "1"}});
    end_at_once(0);
  }
  if (failure) return report(*failure, notifier, *logger);
  hangs.serving();
  notifier.send({{"READY", "1"}});

  const int first = signals.wait();
  notifier.send({{"STOPPING", "1"}});
  logger->debug("stopping after signal {}", first);
  bool drained = false;
  if (const auto second =
          signals.wait_while([&] { drained = drain(config.supervise, lame_duck, executors); })) {
    logger->warn("stopping at once after a second signal");
    end_at_once(128 + *second);
  }
  if (!drained) end_at_once(1);
  logger->debug("stopped");
  return 0;
}

}  // namespace flow::host
