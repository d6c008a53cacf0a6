// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/unique_fd.hpp"
#include "flow/v1/supervisor.pb.h"

// flowctl's end of the control socket of a running flow-host on this machine.
namespace flow::ctl {

// One connection, one request. Blocks until a deadline. Confined to its thread.
class SupervisorClient {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  static absl::StatusOr<SupervisorClient> connect(const std::string& path);

  absl::Status send(const flow::v1::SupervisorRequest& request);
  absl::StatusOr<flow::v1::SupervisorAnswer> receive(Deadline deadline);

 private:
  explicit SupervisorClient(core::UniqueFd socket) : socket_(std::move(socket)) {}

  core::UniqueFd socket_;
};

// Which of the Flows that run here is meant?
struct Choice {
  std::optional<int> pid;
  std::string config;  // its file; empty: any
};

struct Running {
  flow::v1::About about;
  std::string control_path;
};

// Of those that run, the one that is meant; an error that says what runs if that is none or
// several. Pure: the rule behind find_running.
absl::StatusOr<Running> choose(const std::vector<Running>& running, const Choice& choice);

// Asks every flow-host of this user, in the folder that `parent` is, who it is.
absl::StatusOr<Running> find_running(const std::string& parent, const Choice& choice,
                                     SupervisorClient::Deadline deadline);

}  // namespace flow::ctl
