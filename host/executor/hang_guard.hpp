// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/executor/answer.hpp"
#include "host/executor/attendant.hpp"
#include "host/executor/call_pool.hpp"
#include "host/executor/dispatcher.hpp"
#include "host/executor/plugin_executor.hpp"
#include "host/executor/watchdog.hpp"

namespace flow::host {

// Why an executor is of no use any more.
struct Hang {
  std::string sentence;            // for people, without a full stop
  bool explained = false;          // is all said that will be known?
  std::vector<std::string> stack;  // where its stuck threads are, if that is known
};

// What the watchdog does for one executor. Of a plugin that is stuck in a call, in create(),
// health() or cancel() it tells the executor's owner, so that nobody else comes; refuses who waits;
// answers the callers of stuck calls, and tells the owner again when it knows where the threads
// are. An executor that hung once does not recover: its process has to end. Confined to the
// watchdog's thread, but for create_by().
class HangGuard final : public WatchdogClient {
 public:
  struct Parts {
    const Identity& self;
    PluginExecutor& executor;
    CallPool& pool;
    Attendant& attendant;
    Dispatcher& dispatcher;
  };
  // Called twice, on the watchdog's thread: before anybody else hears of it, and when it is
  // explained.
  using OnHang = std::function<void(const Hang&)>;

  // `hang_budget` is for calls; nullopt: they may take for ever.
  HangGuard(const Parts& parts, std::optional<std::chrono::nanoseconds> hang_budget,
            OnHang on_hang);

  // When create() has to be over, and what `timeout_ready` says. Before create().
  void create_by(std::chrono::steady_clock::time_point deadline,
                 std::chrono::nanoseconds timeout_ready);

  void add_watched(std::vector<Watched>& under_way) override;
  void on_overdue(std::span<const HangWatch::Overdue> overdue) override;

 private:
  enum class Function { Process, Create, Health, Cancel };
  struct Subject {
    Function function;
    Call* call = nullptr;  // of Process
    std::uint64_t since_ns = 0;
  };
  struct Stuck {
    std::string sentence;
    std::string place;     // "process()"
    pid_t thread = 0;      // 0: none is known
    Call* call = nullptr;  // whose caller waits
  };

  const Stay& stay_in(Function function) const;
  void add_stay(Function function, std::uint64_t budget_ns, std::vector<Watched>& under_way);
  // nullopt: it got on in the meantime.
  std::optional<Stuck> stuck(const Subject& subject, std::chrono::nanoseconds silent);
  std::optional<Stuck> stuck_call(const Subject& subject, std::chrono::nanoseconds silent);

  const Parts parts_;
  const std::optional<std::chrono::nanoseconds> hang_budget_;
  const OnHang on_hang_;
  std::atomic<std::uint64_t> create_by_ns_{UINT64_MAX};
  std::atomic<std::int64_t> timeout_ready_ns_{0};

  std::vector<Subject> subjects_;  // as they were added last
  bool hung_ = false;
};

}  // namespace flow::host
