// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>

#include "core/log.hpp"
#include "core/notify.hpp"
#include "host/executor/hang_guard.hpp"

namespace flow::host {

// Says that an executor of this process hangs: to the log, and to the supervisor, which ends the
// process when the other calls had their time. If nobody does (there is no supervisor, or it is one
// that does not know the word), the process ends itself a little later. Thread-safe.
class HangReport {
 public:
  explicit HangReport(const core::Notifier& notifier) : notifier_(notifier) {}
  HangReport(const HangReport&) = delete;
  HangReport& operator=(const HangReport&) = delete;

  // There are callers now. Before, a hang ends the process as soon as all is said.
  void serving() { serving_ = true; }
  // As HangGuard::OnHang.
  void tell(const std::string& executor, spdlog::logger& logger, const Hang& hang);

 private:
  const core::Notifier& notifier_;
  std::atomic<bool> serving_{false};
  std::atomic<bool> ending_{false};
};

}  // namespace flow::host
