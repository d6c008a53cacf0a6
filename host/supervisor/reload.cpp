// SPDX-License-Identifier: Apache-2.0
//
// What makes a Flow replace its processes: changed plugins, a changed file, somebody who asks. The
// supervisor's part that turns these into events of FlowState.
#include <sys/stat.h>
#include <time.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "host/plugin/resolve.hpp"
#include "host/supervisor/config_change.hpp"
#include "host/supervisor/supervisor.hpp"

namespace flow::host {

using boost::system::error_code;

// ---- changed plugins ----------------------------------------------------------------------------

void Supervisor::watch_plugins() {
  plugin_files_.remember(config_);
  if (const absl::Status watched = plugin_watch_.watch(PluginFiles::folders(config_));
      !watched.ok()) {
    log_->warn("changed plugins are not noticed, flowctl reload is: {}", core::message(watched));
  }
}

void Supervisor::on_plugins_changed(const std::set<std::string>& paths) {
  const PluginFiles::Changes changes = plugin_files_.look(config_, paths);
  for (const PluginFiles::Stranger& stranger : changes.others) {
    if (stranger.preflight.ok()) {
      log_->info("there is a plugin {} in {}", stranger.what, stranger.path);
    } else {
      log_->warn("a file that is no plugin of ours: {}", core::message(stranger.preflight));
    }
  }
  for (const PluginFiles::Change& change : changes.executors) {
    if (change.in_place) {
      log_->warn(
          "{}: processes that have loaded it may crash; replace a plugin by a rename (mv), "
          "not by writing into its file (cp)",
          change.why);
    }
    for (const std::size_t child : children_of(change.executor)) {
      perform(change.preflight.ok() ? state_.on_replace(Moment::now(), child, change.why)
                                    : state_.on_replace_refused(Moment::now(), child,
                                                                core::message(change.preflight)));
    }
  }
}

// ---- the file -----------------------------------------------------------------------------------

// Children read this and not the file: an edit that is not finished, or wrong, must not meet a
// process that happens to be restarted.
absl::Status Supervisor::keep_snapshot() {
  const std::string path = folder_->path() + "/flow.toml";
  const std::string draft = path + ".new";
  {
    std::ofstream out(draft, std::ios::binary | std::ios::trunc);
    out << config_.text;
    out.flush();
    if (!out) {
      return core::error(absl::StatusCode::kUnavailable, fmt::format("cannot write {}", draft));
    }
  }
  if (std::rename(draft.c_str(), path.c_str()) != 0) return core::system_error(errno, path);
  plan_.snapshot = path;
  return absl::OkStatus();
}

// The children that have to be replaced. An error leaves everything as it was.
absl::StatusOr<std::set<std::size_t>> Supervisor::reread_config() {
  if (!stopping_or_ready_) {
    return core::error(absl::StatusCode::kFailedPrecondition,
                       "the Flow is still starting: ask again when it is ready");
  }
  FLOW_ASSIGN_OR_RETURN(core::FlowConfig read,
                        core::load_config(config_.file, core::process_environment()));
  const ConfigChange change = compare_configs(config_, read);
  if (!change.refused.empty()) {
    std::vector<std::string> lines;
    for (const std::string& each : change.refused) {
      lines.push_back(fmt::format("{}: {}", config_.file, each));
    }
    lines.emplace_back("nothing was changed: restart the Flow, or take that back");
    return core::error(absl::StatusCode::kFailedPrecondition,
                       fmt::format("{}", fmt::join(lines, "\n")));
  }
  FLOW_RETURN_IF_ERROR(resolve_plugins(read).status());
  std::swap(config_, read);
  if (absl::Status kept = keep_snapshot(); !kept.ok()) {
    std::swap(config_, read);
    return kept;
  }
  const FlowPlan planned = plan_flow(config_);
  for (std::size_t i = 0; i < plan_.children.size(); ++i) {
    plan_.children[i].timeout_ready = planned.children[i].timeout_ready;
  }
  state_.on_reconfigured();
  plugin_files_.remember(config_);
  plugin_watch_.watch(PluginFiles::folders(config_)).IgnoreError();  // said at the start
  std::set<std::size_t> children;
  for (const std::size_t executor : change.executors) children.merge(children_of(executor));
  return children;
}

// ---- somebody asks ------------------------------------------------------------------------------

void Supervisor::watch_reload_signal() {
  reload_signal_.async_wait([this](error_code failure, int) {
    if (failure) return;
    watch_reload_signal();
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    parent_.send(
        {{"RELOADING", "1"},
         {"MONOTONIC_USEC", std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1'000)}});
    log_->info("reading {} again", config_.file);
    replace(0, reread_config(), fmt::format("{} has changed", config_.file));
  });
}

void Supervisor::on_asked(ControlSocket::Client client,
                          const flow::v1::SupervisorRequest& request) {
  if (!request.has_reload()) {
    flow::v1::SupervisorAnswer answer;
    answer.mutable_about()->set_pid(::getpid());
    answer.mutable_about()->set_name(config_.name);
    std::error_code ignored;  // then as it is
    answer.mutable_about()->set_config(std::filesystem::absolute(config_.file, ignored));
    answer.set_last(!request.has_about());
    return control_socket_.answer(client, answer);
  }
  const std::string& executor = request.reload().executor();
  log_->info("asked to reload {}", executor.empty() ? config_.file : executor);
  if (executor.empty()) {
    replace(client, reread_config(), fmt::format("{} has changed", config_.file));
  } else {
    replace(client, children_of(executor), "somebody asked for it");
  }
}

void Supervisor::replace(ControlSocket::Client client,
                         const absl::StatusOr<std::set<std::size_t>>& children,
                         const std::string& why) {
  Asked asked{client, {}, !children.ok()};
  if (!children.ok()) {
    if (client == 0) log_->error("{}", core::message(children.status()));
    answer(asked, std::string(core::message(children.status())), true);
    return finish_if_done(asked);
  }
  asked.children = *children;
  if (children->empty()) {
    answer(asked, fmt::format("{}: no process has to be replaced", config_.file), false);
    return finish_if_done(asked);
  }
  asked_.push_back(asked);
  for (const std::size_t child : *children) {
    perform(state_.on_replace(Moment::now(), child, why));
  }
}

void Supervisor::perform(const action::Replaced& replaced) {
  for (Asked& asked : asked_) {
    if (asked.children.erase(replaced.child) == 0) continue;
    asked.failed = asked.failed || !replaced.done;
    answer(asked, replaced.text, !replaced.done);
    finish_if_done(asked);
  }
  std::erase_if(asked_, [](const Asked& asked) { return asked.children.empty(); });
}

void Supervisor::answer(const Asked& asked, const std::string& line, bool failed) {
  flow::v1::SupervisorAnswer answer;
  answer.set_line(line);
  answer.set_failed(failed);
  if (asked.client != 0) control_socket_.answer(asked.client, answer);
}

void Supervisor::finish_if_done(const Asked& asked) {
  if (!asked.children.empty()) return;
  if (asked.client == 0) return parent_.send({{"READY", "1"}});  // the end of RELOADING
  flow::v1::SupervisorAnswer answer;
  answer.set_last(true);
  answer.set_failed(asked.failed);
  control_socket_.answer(asked.client, answer);
}

std::set<std::size_t> Supervisor::children_of(std::size_t executor) const {
  std::set<std::size_t> children;
  for (std::size_t child = 0; child < plan_.children.size(); ++child) {
    for (const std::size_t replica : plan_.children[child].replicas) {
      if (plan_.replicas[replica].executor == executor) children.insert(child);
    }
  }
  return children;
}

absl::StatusOr<std::set<std::size_t>> Supervisor::children_of(const std::string& executor) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < config_.executors.size(); ++i) {
    names.push_back(config_.executors[i].name);
    if (names.back() == executor) return children_of(i);
  }
  return core::error(absl::StatusCode::kNotFound,
                     fmt::format("{} has no executor \"{}\"{}", config_.file, executor,
                                 core::suggestion(executor, names)));
}

}  // namespace flow::host
