// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/config.hpp"
#include "core/limits.hpp"
#include "core/log.hpp"
#include "flow/plugin.h"
#include "google/protobuf/struct.pb.h"
#include "host/crash/crash_handler.hpp"
#include "host/executor/answer.hpp"
#include "host/executor/attendant.hpp"
#include "host/executor/call_pool.hpp"
#include "host/executor/dispatcher.hpp"
#include "host/executor/hang_guard.hpp"
#include "host/executor/plugin_executor.hpp"
#include "host/executor/server.hpp"

namespace flow::host {

struct ServedExecutorSpec {
  Identity identity;
  const flow_plugin* table = nullptr;
  google::protobuf::Struct config;
  ListenSpec listen;
  std::uint64_t bytes_max = 0;  // of a message
  core::FaultConfig fault;
  std::chrono::nanoseconds health_interval{0};
  std::chrono::nanoseconds stream_stall{core::limits::kStreamStall};
  std::optional<std::chrono::nanoseconds> hang_budget;  // of a call; nullopt: none
  // As HangGuard calls it; the executor takes nothing new then.
  HangGuard::OnHang on_hang = [](const Hang&) {};
};

// One executor replica with everything that belongs to it: the plugin's instance, its threads, its
// calls and its server. create(), listen(), drain() and stop() in this order, from one thread.
class ServedExecutor {
 public:
  ServedExecutor(ServedExecutorSpec spec, core::Logger logger);
  ServedExecutor(const ServedExecutor&) = delete;
  ServedExecutor& operator=(const ServedExecutor&) = delete;
  // Stops if nobody did.
  ~ServedExecutor();

  // For a watchdog to be added to; while it is, nothing of the plugin may keep us for ever
  // unnoticed.
  WatchdogClient& watched() { return guard_; }

  // When create() has to be over and what its configuration says of that. Before create().
  void create_by(std::chrono::steady_clock::time_point deadline,
                 std::chrono::nanoseconds timeout_ready) {
    guard_.create_by(deadline, timeout_ready);
  }
  // Runs the plugin's create(); may take as long as that does.
  absl::Status create();
  // Serves. An error names the address.
  absl::Status listen();
  const ExecutorServer& server() const { return *server_; }
  const Identity& identity() const { return spec_.identity; }
  spdlog::logger& logger() { return *logger_; }

  // The health service says that the executor does not serve; it still does.
  void announce_stop();
  // Refuses new requests and waits for those in hand. Shortly before the deadline their plugin is
  // told that they are cancelled, then their RPCs are cut; false if some are left even so.
  bool drain(std::chrono::steady_clock::time_point deadline);
  // Ends the server, then the plugin's threads, with destroy(). Only after drain() was true: a call
  // that does not end would keep it for ever.
  void stop();
  std::size_t calls_in_hand() const { return pool_.in_use(); }

 private:
  void on_health(const absl::Status& health);
  void on_hang(const Hang& hang);
  void publish_health();
  void stop_calls(CallOrigin::Stop how);

  const ServedExecutorSpec spec_;
  const core::Logger logger_;
  const CrashSubject subject_;
  PluginExecutor executor_;
  CallPool pool_;
  Attendant attendant_;
  Dispatcher dispatcher_;
  const CrashRegistration registration_;  // after all that a report looks at
  std::unique_ptr<ExecutorServer> server_;
  HangGuard guard_;

  std::mutex health_mutex_;  // guards what the health service is told
  bool healthy_ = true;
  bool stopping_ = false;
  bool hung_ = false;
  bool listening_ = false;
};

}  // namespace flow::host
