// SPDX-License-Identifier: Apache-2.0
#include "host/executor/hang_watch.hpp"

#include <algorithm>
#include <utility>

namespace flow::host {

HangWatch::HangWatch(std::chrono::nanoseconds interval, std::chrono::nanoseconds late)
    : interval_ns_(static_cast<std::uint64_t>(interval.count())),
      late_ns_(static_cast<std::uint64_t>(late.count())) {}

HangWatch::Look HangWatch::look(std::uint64_t now_ns, std::span<const Watched> under_way) {
  const std::uint64_t passed_ns = std::min(now_ns - std::exchange(last_look_ns_, now_ns), late_ns_);
  Look look{{}, now_ns + interval_ns_};
  std::map<const void*, Silence> silences;
  for (std::size_t place = 0; place < under_way.size(); ++place) {
    const Watched& watched = under_way[place];
    const auto before = silences_.find(watched.what);
    std::uint64_t silent_ns = 0;
    if (before != silences_.end() && before->second.since_ns == watched.since_ns) {
      silent_ns = before->second.lasted_ns + passed_ns;
    } else if (now_ns > watched.since_ns) {
      silent_ns = std::min(now_ns - watched.since_ns, passed_ns);
    }
    silences.emplace(watched.what, Silence{watched.since_ns, silent_ns});
    if (silent_ns >= watched.budget_ns) {
      look.overdue.push_back({place, std::chrono::nanoseconds(silent_ns)});
    } else {
      look.next_ns = std::min(look.next_ns, now_ns + (watched.budget_ns - silent_ns));
    }
  }
  silences_ = std::move(silences);
  return look;
}

}  // namespace flow::host
