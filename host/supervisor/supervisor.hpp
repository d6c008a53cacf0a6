// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/posix/stream_descriptor.hpp"
#include "boost/asio/signal_set.hpp"
#include "boost/asio/steady_timer.hpp"
#include "core/config.hpp"
#include "core/log.hpp"
#include "core/notify.hpp"
#include "host/supervisor/child_process.hpp"
#include "host/supervisor/control_channel.hpp"
#include "host/supervisor/control_socket.hpp"
#include "host/supervisor/flow_plan.hpp"
#include "host/supervisor/flow_state.hpp"
#include "host/supervisor/notify_socket.hpp"
#include "host/supervisor/plugin_files.hpp"
#include "host/supervisor/plugin_watch.hpp"
#include "host/supervisor/reserved_port.hpp"
#include "host/supervisor/runtime_folder.hpp"
#include "host/supervisor/terminal.hpp"

namespace flow::host {

// The shell around FlowState: owns the ports, the sockets and the processes of one Flow, turns what
// happens to them into events and performs the actions that come back. One thread; nothing blocks.
// Confined to its loop.
class Supervisor {
 public:
  // `log` is config.log, or what the environment makes of it.
  Supervisor(const core::FlowConfig& config, Programs programs, const core::LogConfig& log,
             const core::Notifier& parent);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Brings the Flow up, keeps it up until it is told to stop, and returns the exit status.
  int run();

 private:
  struct Child {
    pid_t pid;
    boost::asio::posix::stream_descriptor pidfd;
    std::chrono::system_clock::time_point started;
    std::uint64_t memory_kills;  // of the kernel, when it was started
  };

  using Children = std::vector<std::unique_ptr<Child>>;  // by place; null: no process

  absl::Status prepare();
  void prepare_crash_reports();
  absl::Status reserve_ports();

  void perform(Actions actions);
  void perform(const action::Spawn& spawn);
  void perform(const action::Signal& signal);
  void perform(const action::Promote& promote);
  void perform(const action::Replaced& replaced);
  void perform(const action::Publish& publish);
  void perform(const action::AnnounceReady&);
  void perform(const action::ReportError& error);
  void perform(const action::Log& log);
  void perform(const action::TellParent& tell);
  void perform(const action::Quit& quit);
  absl::StatusOr<pid_t> spawn_child(std::size_t place, Seat seat);
  void name_paths_beside(std::size_t place);
  void forget_paths_beside(std::size_t place);
  Children& processes(Seat seat) { return seat == Seat::Serving ? children_ : beside_; }

  void watch_signals();
  void watch_notify_socket();
  void receive_notifications();
  void watch_child(Child& child);
  void on_child_ended(pid_t pid);
  CrashEvidence crash_evidence(const Child& child, const ProcessExit& exit) const;
  void watch_orphans();
  void reap_orphans();
  void arm_timer();
  void show_progress();
  void feed_watchdog(std::chrono::microseconds interval);

  // Replacing processes: reload.cpp.
  struct Asked {                       // somebody who waits for replacements
    ControlSocket::Client client = 0;  // 0: it was SIGHUP
    std::set<std::size_t> children;    // that are not replaced yet
    bool failed = false;
  };
  void watch_reload_signal();
  void watch_plugins();
  void on_plugins_changed(const std::set<std::string>& paths);
  absl::Status keep_snapshot();
  absl::StatusOr<std::set<std::size_t>> reread_config();
  absl::StatusOr<std::set<std::size_t>> children_of(const std::string& executor) const;
  std::set<std::size_t> children_of(std::size_t executor) const;
  void on_asked(ControlSocket::Client client, const flow::v1::SupervisorRequest& request);
  void replace(ControlSocket::Client client, const absl::StatusOr<std::set<std::size_t>>& children,
               const std::string& why);
  void answer(const Asked& asked, const std::string& line, bool failed);
  void finish_if_done(const Asked& asked);

  core::FlowConfig config_;  // as it was last read and found right
  const Programs programs_;
  const core::LogConfig log_config_;
  const core::Logger log_;
  const core::Notifier& parent_;
  const std::map<std::string, std::string> environment_;

  boost::asio::io_context loop_;
  FlowPlan plan_;
  FlowState state_;
  Terminal terminal_;
  std::vector<ReservedPort> ports_;
  std::unique_ptr<RuntimeFolder> folder_;
  std::string crash_folder_;  // empty: there are no reports
  std::optional<NotifySocket> notify_;

  boost::asio::signal_set signals_{loop_};
  boost::asio::signal_set orphans_{loop_};
  boost::asio::posix::stream_descriptor notify_ready_{loop_};  // does not own: notify_ does
  boost::asio::steady_timer timer_{loop_};
  std::optional<std::chrono::steady_clock::time_point> timer_armed_for_;
  boost::asio::steady_timer progress_timer_{loop_};
  boost::asio::steady_timer watchdog_timer_{loop_};
  Children children_;             // those that serve
  Children beside_;               // those beside them, while they are replaced
  std::uint64_t generation_ = 0;  // of processes beside others, for their paths
  std::optional<ControlChannel> control_;

  boost::asio::signal_set reload_signal_{loop_};
  PluginFiles plugin_files_;
  PluginWatch plugin_watch_{loop_.get_executor(),
                            [this](const auto& paths) { on_plugins_changed(paths); }};
  ControlSocket control_socket_{loop_.get_executor(), [this](auto client, const auto& request) {
                                  on_asked(client, request);
                                }};
  std::vector<Asked> asked_;

  std::deque<Action> pending_;
  bool performing_ = false;
  bool stopping_or_ready_ = false;  // no more progress to show
  std::chrono::steady_clock::time_point started_;
  int exit_status_ = 0;
};

}  // namespace flow::host
