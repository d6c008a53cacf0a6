// SPDX-License-Identifier: Apache-2.0
#include "flow/flow.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <system_error>
#include <utility>

#include "core/config.hpp"
#include "core/limits.hpp"
#include "core/net_address.hpp"
#include "core/plot.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "host/flow/find_program.hpp"
#include "host/flow/flow_toml.hpp"
#include "host/flow/keeper.hpp"
#include "host/supervisor/runtime_folder.hpp"

namespace flow {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string absolute(const std::string& path) {
  std::error_code failure;
  const fs::path made = fs::absolute(path, failure);
  return failure ? path : made.lexically_normal().string();
}

// A gateway that listens on all interfaces is asked on this one.
std::string local_host(const std::string& bound) {
  if (bound.empty() || bound == "0.0.0.0") return "127.0.0.1";
  return bound == "::" ? "::1" : bound;
}

Clock::time_point deadline_after(Duration timeout) {
  return Clock::now() +
         std::clamp<Duration>(timeout, Duration(0), Duration(core::limits::kDurationMax));
}

ClientOptions client_options(const StartOptions& options, const core::FlowConfig& config) {
  ClientOptions client = options.client;
  TlsOptions& tls = client.tls;
  if (config.gateway.tls && tls.ca_file.empty()) {
    tls.ca_file = config.gateway.tls->certificate;
    if (tls.server_name.empty()) tls.server_name = "localhost";
  }
  return client;
}

// The file that a Flow built in code is given to flow-host in.
struct WrittenFile {
  std::unique_ptr<host::RuntimeFolder> folder;
  std::string path;
};

absl::StatusOr<WrittenFile> write_file(const std::string& text) {
  WrittenFile file;
  FLOW_ASSIGN_OR_RETURN(file.folder, host::RuntimeFolder::create(host::runtime_parent()));
  file.path = file.folder->path() + "/flow.toml";
  std::ofstream stream(file.path, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) return core::system_error(errno, fmt::format("cannot write {}", file.path));
  return file;
}

}  // namespace

// ---- running ------------------------------------------------------------------------------------

struct RunningFlow::State {
  WrittenFile file;  // outlives the processes that read it
  std::unique_ptr<host::Keeper> keeper;
  ServerAddress address;
  Duration grace{0};  // between SIGTERM and SIGKILL
  std::unique_ptr<Client> client;
  std::mutex mutex;  // for what follows
  std::optional<absl::Status> stopped;

  ~State() { stop().IgnoreError(); }

  absl::Status stop() {
    const std::lock_guard lock(mutex);
    if (!stopped) stopped = stop_now();
    return *stopped;
  }

  absl::Status stop_now() {
    if (!keeper) return absl::OkStatus();  // it did not come so far
    keeper->signal(SIGTERM);
    const bool in_time = keeper->wait_end(deadline_after(grace)).has_value();
    keeper.reset();  // kills it, if it must
    if (in_time) return absl::OkStatus();
    return core::error(absl::StatusCode::kDeadlineExceeded,
                       "the Flow did not stop in time and was killed");
  }
};

RunningFlow::RunningFlow(std::shared_ptr<State> state) : state_(std::move(state)) {}
RunningFlow::RunningFlow(RunningFlow&&) noexcept = default;
RunningFlow& RunningFlow::operator=(RunningFlow&&) noexcept = default;
RunningFlow::~RunningFlow() {
  if (state_) state_->stop().IgnoreError();
}

std::uint16_t RunningFlow::port() const { return state_->address.port; }

std::string RunningFlow::url() const { return format_url(state_->address); }

bool RunningFlow::is_flow_ready(Duration timeout) const {
  return state_->client->is_flow_ready(timeout);
}

Client& RunningFlow::client() const { return *state_->client; }

absl::Status RunningFlow::block() {
  namespace asio = boost::asio;
  core::UniqueFd ended;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopped) return *state_->stopped;
    ended = state_->keeper->end_descriptor();
  }
  asio::io_context loop{1};
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  asio::posix::stream_descriptor end(loop, ended.release());
  bool told_to_stop = false;
  signals.async_wait([&](const boost::system::error_code& failure, int) {
    told_to_stop = !failure;
    end.cancel();
  });
  end.async_wait(asio::posix::stream_descriptor::wait_read,
                 [&](const boost::system::error_code&) { signals.cancel(); });
  loop.run();
  if (told_to_stop) return state_->stop();
  // Its keeper sees the same descriptor, and is about to know why.
  std::optional<std::string> how;
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->stopped) how = state_->keeper->wait_end(deadline_after(state_->grace));
  }
  if (!how) return state_->stop();
  return core::error(absl::StatusCode::kUnavailable, fmt::format("flow-host {}", *how));
}

absl::Status RunningFlow::stop() { return state_->stop(); }

// ---- to be started ------------------------------------------------------------------------------

struct Flow::State {
  FlowOptions options;
  std::vector<ExecutorSpec> executors;
  std::string file;  // of a Flow that was loaded; else empty
  std::weak_ptr<RunningFlow::State> running;

  // As it is before it is known where plugins are.
  absl::StatusOr<std::string> text(const std::vector<std::string>& more_plugins) const {
    FlowOptions complete = options;
    complete.plugins.insert(complete.plugins.end(), more_plugins.begin(), more_plugins.end());
    std::ranges::transform(complete.plugins, complete.plugins.begin(), absolute);
    std::vector<ExecutorSpec> specs = executors;
    for (ExecutorSpec& each : specs) {
      if (each.uses.find('/') != std::string::npos) each.uses = absolute(each.uses);
    }
    return host::flow_toml(complete, specs);
  }

  absl::StatusOr<core::FlowConfig> config() const {
    if (!file.empty()) return core::load_config(file, core::process_environment());
    FLOW_ASSIGN_OR_RETURN(const std::string built, text({}));
    return core::parse_config(built, absolute("flow.toml"), core::process_environment());
  }

  // Folders that a Flow without any of its own looks into.
  std::vector<std::string> default_plugins(const std::string& program) const {
    if (!options.plugins.empty()) return {};
    std::vector<std::string> folders = host::plugin_folders_of(program);
    std::error_code ignored;
    if (fs::is_directory("plugins", ignored)) folders.insert(folders.begin(), "plugins");
    return folders;
  }
};

Flow::Flow(FlowOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
}
Flow::Flow(std::unique_ptr<State> state) : state_(std::move(state)) {}
Flow::Flow(Flow&&) noexcept = default;
Flow& Flow::operator=(Flow&&) noexcept = default;
Flow::~Flow() = default;

absl::StatusOr<Flow> Flow::load(const std::string& file, Protocol protocol) {
  auto state = std::make_unique<State>();
  state->options.protocol = protocol;
  state->file = absolute(file);
  FLOW_RETURN_IF_ERROR(state->config().status());
  return Flow(std::move(state));
}

Flow& Flow::add(ExecutorSpec executor) {
  if (state_->file.empty()) state_->executors.push_back(std::move(executor));
  return *this;
}

absl::StatusOr<RunningFlow> Flow::start(const StartOptions& options) {
  const auto deadline = deadline_after(options.timeout);
  if (!state_->running.expired()) {
    return core::error(absl::StatusCode::kFailedPrecondition,
                       "this Flow runs already; stop it before it is started again");
  }
  FLOW_ASSIGN_OR_RETURN(const core::FlowConfig config, state_->config());
  FLOW_ASSIGN_OR_RETURN(const std::string program,
                        host::find_flow_host(options.flow_host, core::process_environment()));
  auto running = std::make_shared<RunningFlow::State>();
  running->file.path = state_->file;
  if (state_->file.empty()) {
    FLOW_ASSIGN_OR_RETURN(const std::string text, state_->text(state_->default_plugins(program)));
    FLOW_ASSIGN_OR_RETURN(running->file, write_file(text));
  }
  // What flow-host itself allows for each step, and a little for its own end.
  running->grace = config.supervise.lame_duck + config.supervise.drain_timeout +
                   2 * Duration(core::limits::kKillWait);
  FLOW_ASSIGN_OR_RETURN(running->keeper,
                        host::Keeper::start({program, "--config", running->file.path}));
  FLOW_ASSIGN_OR_RETURN(const std::string listening, running->keeper->wait_ready(deadline));
  FLOW_ASSIGN_OR_RETURN(const core::NetAddress address, core::parse_address(listening));
  running->address = {.protocol = state_->options.protocol,
                      .host = local_host(address.host),
                      .port = address.port,
                      .tls = config.gateway.tls.has_value()};
  running->client = std::make_unique<Client>(running->address, client_options(options, config));
  FLOW_RETURN_IF_ERROR(running->client->status());
  state_->running = running;
  return RunningFlow(std::move(running));
}

bool Flow::is_flow_ready(Duration timeout) const {
  const std::shared_ptr<RunningFlow::State> running = state_->running.lock();
  return running != nullptr && running->client->is_flow_ready(timeout);
}

absl::StatusOr<std::string> Flow::plot() const {
  FLOW_ASSIGN_OR_RETURN(const core::FlowConfig config, state_->config());
  return core::plot_mermaid(config);
}

absl::StatusOr<std::string> Flow::to_toml() const {
  if (state_->file.empty()) return state_->text({});
  return core::error(absl::StatusCode::kFailedPrecondition,
                     fmt::format("this Flow is {} already", state_->file));
}

}  // namespace flow
