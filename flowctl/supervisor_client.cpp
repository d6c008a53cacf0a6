// SPDX-License-Identifier: Apache-2.0
#include "flowctl/supervisor_client.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "core/status.hpp"
#include "core/unix_address.hpp"
#include "fmt/format.h"
#include "host/supervisor/runtime_folder.hpp"

namespace flow::ctl {
namespace {

// What is said of one replacement: some names and a reason.
constexpr std::size_t kAnswerMax = 64 << 10;

std::string listed(const std::vector<Running>& running) {
  std::string text;
  for (const Running& each : running) {
    text += fmt::format("\n  process {}: {} ({})", each.about.pid(), each.about.name(),
                        each.about.config());
  }
  return text;
}

absl::StatusOr<flow::v1::About> ask_about(const std::string& path,
                                          SupervisorClient::Deadline deadline) {
  FLOW_ASSIGN_OR_RETURN(SupervisorClient client, SupervisorClient::connect(path));
  flow::v1::SupervisorRequest request;
  request.mutable_about();
  FLOW_RETURN_IF_ERROR(client.send(request));
  FLOW_ASSIGN_OR_RETURN(const flow::v1::SupervisorAnswer answer, client.receive(deadline));
  return answer.about();
}

}  // namespace

absl::StatusOr<SupervisorClient> SupervisorClient::connect(const std::string& path) {
  FLOW_ASSIGN_OR_RETURN(const sockaddr_un address, core::unix_address(path));
  core::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return core::system_error(errno, path);
  }
  return SupervisorClient(std::move(socket));
}

absl::Status SupervisorClient::send(const flow::v1::SupervisorRequest& request) {
  const std::string packet = request.SerializeAsString();
  if (::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
    return core::system_error(errno, "flow-host");
  }
  return absl::OkStatus();
}

absl::StatusOr<flow::v1::SupervisorAnswer> SupervisorClient::receive(Deadline deadline) {
  using std::chrono::milliseconds;
  pollfd ready{socket_.get(), POLLIN, 0};
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto wait = std::clamp<std::int64_t>(left.count(), 0, 1 << 30);
    const int count = ::poll(&ready, 1, static_cast<int>(wait));
    if (count > 0) break;
    if (count == 0 && left.count() <= 0) {
      return core::error(absl::StatusCode::kDeadlineExceeded,
                         "flow-host did not answer in time (--timeout); what was asked goes on");
    }
    if (count < 0 && errno != EINTR) return core::system_error(errno, "flow-host");
  }
  std::string packet(kAnswerMax, '\0');
  const ssize_t size = ::recv(socket_.get(), packet.data(), packet.size(), 0);
  if (size < 0) return core::system_error(errno, "flow-host");
  flow::v1::SupervisorAnswer answer;
  if (size == 0 || !answer.ParseFromArray(packet.data(), static_cast<int>(size))) {
    return core::error(absl::StatusCode::kUnavailable, "flow-host hung up: did it end?");
  }
  return answer;
}

absl::StatusOr<Running> choose(const std::vector<Running>& running, const Choice& choice) {
  std::vector<Running> meant;
  for (const Running& each : running) {
    if (choice.pid && each.about.pid() != *choice.pid) continue;
    if (!choice.config.empty() && each.about.config() != choice.config) continue;
    meant.push_back(each);
  }
  if (meant.size() == 1) return meant.front();
  if (!meant.empty()) {
    return core::error(
        absl::StatusCode::kInvalidArgument,
        fmt::format("several Flows run here; say which by --pid or --config:{}", listed(meant)));
  }
  if (running.empty()) {
    return core::error(absl::StatusCode::kNotFound, "no flow-host of this user runs here");
  }
  return core::error(absl::StatusCode::kNotFound,
                     fmt::format("no such flow-host runs here, but:{}", listed(running)));
}

absl::StatusOr<Running> find_running(const std::string& parent, const Choice& choice,
                                     SupervisorClient::Deadline deadline) {
  std::vector<Running> running;
  for (const host::RunningFlow& flow : host::running_flows(parent)) {
    // One that does not answer is another user's, or is just ending.
    if (auto about = ask_about(flow.control_path, deadline); about.ok()) {
      running.push_back({*std::move(about), flow.control_path});
    }
  }
  auto chosen = choose(running, choice);
  if (chosen.ok()) return chosen;
  return core::error(chosen.status().code(),
                     fmt::format("{} (looked in {}; $XDG_RUNTIME_DIR says where)",
                                 core::message(chosen.status()), parent));
}

}  // namespace flow::ctl
