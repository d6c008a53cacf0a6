// SPDX-License-Identifier: Apache-2.0
#include "host/executor/hang_report.hpp"

#include <cstdlib>
#include <thread>
#include <utility>

#include "core/limits.hpp"

namespace flow::host {
namespace {

// sysexits(3): an internal software error.
constexpr int kExitSoftware = 70;

}  // namespace

void HangReport::tell(const std::string& executor, spdlog::logger& logger, const Hang& hang) {
  core::NotifyMessage message{{std::string(core::notify_key::kExecutor), executor},
                              {std::string(core::notify_key::kHung), hang.sentence}};
  if (hang.explained) {
    message.emplace(core::notify_key::kStack, core::joined_lines(hang.stack));
  }
  notifier_.send(message);
  if (!hang.explained) return logger.error("{}", hang.sentence);

  for (const auto& line : hang.stack) logger.error("{}", line);
  // Without destructors: threads are inside a plugin that does not return.
  if (!serving_) std::_Exit(kExitSoftware);
  if (ending_.exchange(true)) return;
  std::thread([] {
    std::this_thread::sleep_for(2 * core::limits::kHangGrace);
    std::_Exit(kExitSoftware);
  }).detach();
}

}  // namespace flow::host
