// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace flow::host {

// Something that a plugin has in hand and should let go of, or at least get on with.
struct Watched {
  const void* what = nullptr;   // tells it from others that are watched at the same time
  std::uint64_t since_ns = 0;   // its last sign of life, on the watch's clock
  std::uint64_t budget_ns = 0;  // how long it may go without another
};

// Tells busy from hung: is shown, look by look, what is under way, and says what has been silent
// for longer than it may. Time counts only while looks follow each other closely: if nobody looked,
// the process stood still, and nothing in it could get on. Knows no thread, no clock and no plugin.
// Confined to its thread.
class HangWatch {
 public:
  // Looks further apart than `late` count as if they were `late` apart. Has to be more than
  // `interval`, the longest time that a look asks for.
  HangWatch(std::chrono::nanoseconds interval, std::chrono::nanoseconds late);

  struct Overdue {
    std::size_t place;  // in what was shown
    std::chrono::nanoseconds silent;
  };
  struct Look {
    std::vector<Overdue> overdue;
    std::uint64_t next_ns;  // when to look again
  };
  Look look(std::uint64_t now_ns, std::span<const Watched> under_way);

 private:
  struct Silence {
    std::uint64_t since_ns;
    std::uint64_t lasted_ns;
  };

  const std::uint64_t interval_ns_;
  const std::uint64_t late_ns_;
  std::uint64_t last_look_ns_ = 0;
  std::map<const void*, Silence> silences_;
};

}  // namespace flow::host
