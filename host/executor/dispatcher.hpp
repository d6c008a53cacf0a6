// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "host/executor/attendant.hpp"
#include "host/executor/call_pool.hpp"
#include "host/executor/plugin_executor.hpp"

namespace flow::host {

// How many threads may be inside process() at once, by the plugin's flags.
std::size_t worker_count(std::uint32_t plugin_flags, std::size_t cores);

// The threads that run a plugin's code: gRPC's never do. The first one creates the executor, works,
// and destroys it, which is all that FLOW_AFFINE asks for; FLOW_CONCURRENT plugins get more for the
// work between. Calls wait in one queue, whose bound is the pool's. Thread-safe.
class Dispatcher {
 public:
  Dispatcher(PluginExecutor& executor, Attendant& attendant, std::size_t workers);
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;
  // Stops if nobody did.
  ~Dispatcher();

  // Runs create() and waits for it; if it went well, the workers wait for calls.
  absl::Status start();
  // A queued call. Its end is told to its origin, perhaps before this returns.
  void submit(Call& call);
  // Ends what is queued, and whatever is submitted from now on, as UNAVAILABLE and not started.
  void refuse_all(const std::string& why);
  // Runs what is queued, ends the workers, runs destroy() and waits for it.
  void stop();

 private:
  void live_as_first_worker();
  void work();
  Call* next();

  PluginExecutor& executor_;
  Attendant& attendant_;
  const std::size_t workers_;
  std::promise<absl::Status> created_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Call*> queue_;
  std::optional<std::string> refusal_;
  bool stopping_ = false;
  std::thread first_;
};

}  // namespace flow::host
