// SPDX-License-Identifier: Apache-2.0
//
// A Flow in your program: built in code or read from a file, started, and gone with its scope.
//
//   flow::Flow flow({.port = 12345});
//   flow.add({.uses = "echo"});
//   absl::StatusOr<flow::RunningFlow> running = flow.start();
//
// The Flow runs in processes of its own, with flow-host as their parent. Whatever becomes of the
// program that started it, none of them outlives it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/client.hpp"

namespace flow {

// What a gateway is asked and told; docs/config.md says more about each.
struct FlowOptions {
  std::string name = "flow";
  Protocol protocol = Protocol::Grpc;  // by which is_flow_ready() asks; the port speaks all of them
  std::string host = "0.0.0.0";        // what the gateway binds
  std::uint16_t port = 0;              // 0: any free one
  // Folders with plugins. Without any: "plugins" here, and those that came with flow-host.
  std::vector<std::string> plugins = {};
  std::string log_level = "info";  // trace, debug, info, warning, error or off
};

// One executor; the names are those of flow.toml.
struct ExecutorSpec {
  std::string name = {};      // empty: executor0, executor1, ...
  std::string uses = "echo";  // a plugin's name, or a path; echo gives documents back as they came
  Json::Object uses_with = {};
  std::uint16_t port = 0;  // 0: any free one; replica i gets port + i
  std::uint32_t replicas = 1;
  std::vector<std::string> needs = {};  // empty: the executor before it
  std::string process = {};             // executors that name the same one share it
  std::map<std::string, std::string> env = {};
};

struct StartOptions {
  // The program; empty: $FLOW_HOST, else flow-host beside the calling program, else where CMake
  // installed it, else on the PATH.
  std::string flow_host = {};
  Duration timeout = std::chrono::minutes(2);  // until it must be ready
  // Of RunningFlow::client() and is_flow_ready(). If the gateway has TLS and this trusts nobody in
  // particular, they trust the gateway's own certificate, for the name of `server_name` or else
  // "localhost". A gateway that asks its clients for certificates needs one here.
  ClientOptions client = {};
};

// A Flow that was ready when start() returned it, and is stopped by its destructor. Its logs and
// its panel go to standard error. Thread-safe, but for moving and destroying it.
class RunningFlow {
 public:
  RunningFlow(RunningFlow&&) noexcept;
  RunningFlow& operator=(RunningFlow&&) noexcept;
  ~RunningFlow();

  std::uint16_t port() const;
  // Of the gateway, for programs on this machine: "grpc://127.0.0.1:12345".
  std::string url() const;
  // Asks the gateway.
  bool is_flow_ready(Duration timeout = std::chrono::seconds(3)) const;
  // A client of it, valid as long as this object.
  Client& client() const;

  // Waits until SIGINT or SIGTERM comes and then stops the Flow, which is OK, or until the Flow
  // ends by itself, which is an error. The signals get their former meaning back.
  absl::Status block();
  // Lets it finish what it is doing, for at most its drain_timeout; after that it is killed, which
  // is an error. OK if it was stopped already.
  absl::Status stop();

 private:
  friend class Flow;
  struct State;
  explicit RunningFlow(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // the Flow sees it too, as long as it runs
};

// What is to be started. Confined to one thread at a time.
class Flow {
 public:
  explicit Flow(FlowOptions options = {});
  // From a flow.toml, which is read again by flow-host. Everything that is wrong with it is in the
  // error's message, one line each.
  static absl::StatusOr<Flow> load(const std::string& file, Protocol protocol = Protocol::Grpc);
  Flow(Flow&&) noexcept;
  Flow& operator=(Flow&&) noexcept;
  ~Flow();

  // Appends an executor. Has no effect on a Flow that was loaded from a file or that runs already.
  Flow& add(ExecutorSpec executor = {});

  // Starts it and waits until it is ready. The error says what is wrong with the Flow, or why it
  // did not become ready.
  absl::StatusOr<RunningFlow> start(const StartOptions& options = {});
  // True while it runs and is ready: false after its scope.
  bool is_flow_ready(Duration timeout = std::chrono::seconds(3)) const;

  // The graph as a Mermaid flowchart.
  absl::StatusOr<std::string> plot() const;
  // The flow.toml of it.
  absl::StatusOr<std::string> to_toml() const;

 private:
  struct State;
  explicit Flow(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace flow
