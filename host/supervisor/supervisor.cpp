// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/supervisor.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <random>
#include <string_view>
#include <utility>

#include "core/net_address.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "host/crash/crash_folder.hpp"
#include "host/supervisor/memory_kills.hpp"
#include "host/supervisor/panel.hpp"

namespace flow::host {
namespace {

using boost::system::error_code;

// Messages taken from the notify socket in a row, so that one talkative child does not keep the
// supervisor from the others. More than the kernel queues, so that all that a process said before
// it ended is heard before its end.
constexpr int kNotifyBurst = 1024;

constexpr std::chrono::milliseconds kProgressInterval{100};

std::map<std::string, std::string> process_variables() {
  std::map<std::string, std::string> variables;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view entry = *each;
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

// How often systemd wants to hear WATCHDOG=1 from us; zero: not at all.
std::chrono::microseconds watchdog_interval(const std::map<std::string, std::string>& environment) {
  const auto found = environment.find("WATCHDOG_USEC");
  const auto pid = environment.find("WATCHDOG_PID");
  if (found == environment.end()) return {};
  if (pid != environment.end() && pid->second != std::to_string(::getpid())) return {};
  std::int64_t interval = 0;
  const std::string& text = found->second;
  std::from_chars(text.data(), text.data() + text.size(), interval);
  return std::chrono::microseconds(interval / 2);  // as sd_watchdog_enabled(3) advises
}

}  // namespace

Supervisor::Supervisor(const core::FlowConfig& config, Programs programs,
                       const core::LogConfig& log, const core::Notifier& parent)
    : config_(config),
      programs_(std::move(programs)),
      log_config_(log),
      log_(core::make_logger("flow-host", log)),
      parent_(parent),
      environment_(process_variables()),
      plan_(plan_flow(config_)),
      state_(config_, plan_, std::random_device{}()),
      children_(plan_.children.size()),
      beside_(plan_.children.size()) {}

int Supervisor::run() {
  if (const absl::Status status = prepare(); !status.ok()) {
    perform(action::ReportError{std::string(core::message(status))});
    return 1;
  }
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  watch_signals();
  reload_signal_.add(SIGHUP);
  watch_reload_signal();
  watch_plugins();
  orphans_.add(SIGCHLD);
  watch_orphans();
  watch_notify_socket();
  if (const auto interval = watchdog_interval(environment_); interval.count() > 0) {
    feed_watchdog(interval);
  }

  started_ = std::chrono::steady_clock::now();
  perform(state_.start(Moment::now()));
  if (terminal_.shows_progress()) {
    show_progress();
  } else {
    log_->info("waiting for {}", fmt::join(state_.progress().waiting_for, ", "));
  }
  loop_.run();
  notify_ready_.release();  // the descriptor is notify_'s
  return exit_status_;
}

absl::Status Supervisor::prepare() {
  // Inherited dispositions that would break us: ends that are never reported, and a closed standard
  // output that kills the Flow. Children get all of them reset.
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  // What children leave behind comes to us, who reap it, and not to whoever started us.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);

  prepare_crash_reports();
  FLOW_RETURN_IF_ERROR(reserve_ports());
  FLOW_ASSIGN_OR_RETURN(folder_, RuntimeFolder::create(runtime_parent()));
  for (ReplicaPlan& replica : plan_.replicas) {
    replica.unix_path =
        folder_->socket_path(config_.executors[replica.executor].name, replica.replica);
  }
  FLOW_RETURN_IF_ERROR(keep_snapshot());
  FLOW_RETURN_IF_ERROR(control_socket_.listen(folder_->control_path()));
  FLOW_ASSIGN_OR_RETURN(notify_, NotifySocket::create());
  notify_ready_.assign(notify_->fd());
  return absl::OkStatus();
}

// A Flow serves without them as well.
void Supervisor::prepare_crash_reports() {
  crash_folder_ = crash_folder(config_.supervise.crash_reports, core::process_environment());
  const auto status =
      crash_folder_.empty() ? no_crash_folder() : prepare_crash_folder(crash_folder_);
  if (status.ok()) return;
  crash_folder_.clear();
  log_->warn("{}", core::message(crash_folder_unusable(status)));
}

absl::Status Supervisor::reserve_ports() {
  std::vector<std::string> errors;
  const auto reserve = [&](const std::string& host, std::uint32_t port, core::Location at,
                           const std::string& whose) -> std::string {
    auto reserved = port > 0xffff ? core::error(absl::StatusCode::kOutOfRange, "beyond 65535")
                                  : reserve_port(host, static_cast<std::uint16_t>(port));
    if (reserved.ok()) {
      ports_.push_back(*std::move(reserved));
      return ports_.back().address;
    }
    const bool in_use = absl::IsAlreadyExists(reserved.status());
    errors.push_back(core::at_location(
        config_, at,
        fmt::format("port {} on {}, wanted by {}: {}", port, host, whose,
                    in_use ? "port in use; choose another, or stop whoever listens there"
                           : core::message(reserved.status()))));
    return {};
  };

  const core::GatewayConfig& gateway = config_.gateway;
  plan_.gateway_address = reserve(gateway.host, gateway.port, gateway.port_at, "the gateway");
  for (ReplicaPlan& replica : plan_.replicas) {
    const core::ExecutorConfig& executor = config_.executors[replica.executor];
    const std::uint32_t port = executor.port == 0 ? 0 : executor.port + replica.replica;
    replica.tcp_address =
        reserve(executor.host, port, executor.port_at.line == 0 ? executor.at : executor.port_at,
                fmt::format("executor \"{}\"", replica_name(config_, replica)));
  }
  if (errors.empty()) return absl::OkStatus();
  return core::error(absl::StatusCode::kUnavailable, fmt::format("{}", fmt::join(errors, "\n")));
}

// Actions bring about events (a spawn its answer), whose actions queue behind those that are there.
void Supervisor::perform(Actions actions) {
  for (Action& each : actions) pending_.push_back(std::move(each));
  if (std::exchange(performing_, true)) return;
  while (!pending_.empty()) {
    const Action next = std::move(pending_.front());
    pending_.pop_front();
    std::visit([this](const auto& each) { perform(each); }, next);
  }
  performing_ = false;
  arm_timer();
}

void Supervisor::perform(const action::Spawn& spawn) {
  if (spawn.seat == Seat::Beside) name_paths_beside(spawn.child);
  const absl::StatusOr<pid_t> pid = spawn_child(spawn.child, spawn.seat);
  const Moment now = Moment::now();
  perform(pid.ok()
              ? state_.on_spawned(now, spawn.child, *pid, spawn.seat)
              : state_.on_spawn_failed(now, spawn.child, core::message(pid.status()), spawn.seat));
}

// Two processes cannot share the path of a socket, as they can a port.
void Supervisor::name_paths_beside(std::size_t place) {
  forget_paths_beside(place);
  ++generation_;
  for (const std::size_t index : plan_.children[place].replicas) {
    ReplicaPlan& replica = plan_.replicas[index];
    replica.beside_path = folder_->socket_path(config_.executors[replica.executor].name,
                                               replica.replica, generation_);
  }
}

void Supervisor::forget_paths_beside(std::size_t place) {
  for (const std::size_t index : plan_.children[place].replicas) {
    std::string& path = plan_.replicas[index].beside_path;
    if (!path.empty()) ::unlink(path.c_str());  // left behind by one that was killed
    path.clear();
  }
}

absl::StatusOr<pid_t> Supervisor::spawn_child(std::size_t place, Seat seat) {
  if (seat == Seat::Beside &&
      plan_.replicas[plan_.children[place].replicas.front()].beside_path.empty()) {
    return core::error(absl::StatusCode::kFailedPrecondition,
                       "the paths of its Unix sockets would be too long; a shorter "
                       "$XDG_RUNTIME_DIR or name helps");
  }
  const bool is_gateway = place == FlowPlan::kGateway;
  std::array<core::UniqueFd, 2> control;  // ours, the gateway's
  if (is_gateway) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
      return core::system_error(errno, "control channel");
    }
    for (std::size_t i = 0; i < pair.size(); ++i) control[i].reset(pair[i]);
  }
  const ChildWiring wiring{notify_->address(), ::getpid(), is_gateway ? kHandedOverFd : -1,
                           crash_folder_};
  FLOW_ASSIGN_OR_RETURN(ChildProcess process,
                        host::spawn({child_command(config_, plan_, place, programs_, seat),
                                     child_environment(config_, plan_, place, wiring, environment_),
                                     control[1].get()}));
  auto& child = processes(seat)[place];
  child = std::make_unique<Child>(
      Child{process.pid, boost::asio::posix::stream_descriptor(loop_, process.pidfd.release()),
            std::chrono::system_clock::now(), memory_kills()});
  watch_child(*child);
  if (is_gateway) {
    control_.emplace(loop_.get_executor(), std::move(control[0]), plan_.replicas.size(),
                     [this](std::size_t replica) {
                       return replica_update(config_, plan_.replicas[replica],
                                             state_.replicas()[replica])
                           .SerializeAsString();
                     });
  }
  return process.pid;
}

void Supervisor::perform(const action::Signal& signal) {
  if (auto& child = processes(signal.seat)[signal.child]) {
    send_signal(child->pidfd.native_handle(), signal.number);
  }
}

void Supervisor::perform(const action::Promote& promote) {
  std::swap(children_[promote.child], beside_[promote.child]);
  for (const std::size_t replica : plan_.children[promote.child].replicas) {
    std::swap(plan_.replicas[replica].unix_path, plan_.replicas[replica].beside_path);
  }
  if (!beside_[promote.child]) forget_paths_beside(promote.child);
}

void Supervisor::perform(const action::Publish& publish) {
  if (control_) control_->changed(publish.replica);
}

void Supervisor::perform(const action::AnnounceReady&) {
  stopping_or_ready_ = true;
  parent_.send({{std::string(core::notify_key::kFlowAddress), plan_.gateway_address}});
  terminal_.print(
      ready_panel(protocols_text(config_.gateway), plan_.gateway_address, first_private_ip()));
  core::make_logger("Flow", log_config_)
      ->debug(deployments_line(config_.executors.size() + 1, plan_.replicas.size() + 1));
}

void Supervisor::perform(const action::ReportError& error) {
  stopping_or_ready_ = true;
  parent_.send({{std::string(core::notify_key::kFailure), error.text}});
  terminal_.print_errors(error.text);
}

void Supervisor::perform(const action::Log& log) {
  terminal_.clear_progress();
  switch (log.level) {
    case action::Log::Level::Info:
      return log_->info(log.text);
    case action::Log::Level::Warning:
      return log_->warn(log.text);
    case action::Log::Level::Error:
      return log_->error(log.text);
  }
}

void Supervisor::perform(const action::TellParent& tell) { parent_.send(tell.message); }

void Supervisor::perform(const action::Quit& quit) {
  exit_status_ = quit.status;
  loop_.stop();
}

void Supervisor::watch_signals() {
  signals_.async_wait([this](error_code failure, int number) {
    if (failure) return;
    stopping_or_ready_ = true;
    perform(state_.on_stop_signal(Moment::now(), number));
    watch_signals();
  });
}

void Supervisor::watch_notify_socket() {
  notify_ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](error_code failure) {
                             if (failure) return;
                             receive_notifications();
                             watch_notify_socket();
                           });
}

void Supervisor::receive_notifications() {
  for (int i = 0; i < kNotifyBurst; ++i) {
    const auto received = notify_->receive();
    if (!received) return;
    perform(state_.on_notified(Moment::now(), received->sender, received->message));
  }
}

void Supervisor::watch_child(Child& child) {
  child.pidfd.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this, pid = child.pid](error_code failure) {
                           if (!failure) on_child_ended(pid);
                         });
}

void Supervisor::on_child_ended(pid_t pid) {
  // What it said last may still wait, its reason for ending above all. It may be promoted by that.
  receive_notifications();
  const auto is_it = [pid](const auto& child) { return child && child->pid == pid; };
  for (const Seat seat : {Seat::Serving, Seat::Beside}) {
    Children& all = processes(seat);
    const auto found = std::find_if(all.begin(), all.end(), is_it);
    if (found == all.end()) continue;
    const auto place = static_cast<std::size_t>(found - all.begin());
    kill_group(pid);
    auto exit = reap((*found)->pidfd.native_handle());
    if (!exit) return watch_child(**found);
    exit->memory_kills = memory_kills() != (*found)->memory_kills;
    const CrashEvidence crash = crash_evidence(**found, *exit);
    found->reset();
    if (place == FlowPlan::kGateway) control_.reset();
    perform(state_.on_exited(Moment::now(), place, *exit, seat, crash));
    if (!beside_[place]) forget_paths_beside(place);
    break;
  }
  reap_orphans();
}

CrashEvidence Supervisor::crash_evidence(const Child& child, const ProcessExit& exit) const {
  const bool may_have_one =
      exit.how == ProcessExit::How::Killed &&
      std::find(kCrashSignals.begin(), kCrashSignals.end(), exit.value) != kCrashSignals.end();
  if (!may_have_one || crash_folder_.empty()) return {};
  const auto report = crash_of(crash_folder_, child.pid, child.started);
  if (!report) return {};
  bound_crash_folder(crash_folder_);
  return explain(*report);
}

void Supervisor::watch_orphans() {
  orphans_.async_wait([this](error_code failure, int) {
    if (failure) return;
    reap_orphans();
    watch_orphans();
  });
}

// Descendants of children come to us when their parents end, and nobody else would reap them.
void Supervisor::reap_orphans() {
  siginfo_t ended{};
  while (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0) {
    const auto is_it = [&](const auto& child) { return child && child->pid == ended.si_pid; };
    const bool ours = std::any_of(children_.begin(), children_.end(), is_it) ||
                      std::any_of(beside_.begin(), beside_.end(), is_it);
    if (ours) return;  // on_child_ended reaps it, and comes back here for the others
    ::waitpid(ended.si_pid, nullptr, WNOHANG);
  }
}

void Supervisor::arm_timer() {
  const auto deadline = state_.deadline();
  if (timer_armed_for_ == deadline) return;
  timer_armed_for_ = deadline;
  timer_.cancel();
  if (!deadline) return;
  timer_.expires_at(*deadline);
  timer_.async_wait([this](error_code failure) {
    if (failure) return;
    timer_armed_for_.reset();
    perform(state_.on_tick(Moment::now()));
  });
}

void Supervisor::show_progress() {
  if (stopping_or_ready_) return terminal_.clear_progress();
  const FlowState::Progress progress = state_.progress();
  const auto elapsed = std::chrono::steady_clock::now() - started_;
  terminal_.show_progress(progress.waiting_for, progress.total,
                          std::chrono::duration_cast<std::chrono::seconds>(elapsed));
  progress_timer_.expires_after(kProgressInterval);
  progress_timer_.async_wait([this](error_code failure) {
    if (!failure) show_progress();
  });
}

// The loop turns: that is all this says, and all that systemd can act on.
void Supervisor::feed_watchdog(std::chrono::microseconds interval) {
  parent_.send({{"WATCHDOG", "1"}});
  watchdog_timer_.expires_after(interval);
  watchdog_timer_.async_wait([this, interval](error_code failure) {
    if (!failure) feed_watchdog(interval);
  });
}

}  // namespace flow::host
