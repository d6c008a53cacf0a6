// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/ejections.hpp"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace flow::gateway {

namespace limits = core::limits;

Ejections::Standing Ejections::standing(std::size_t replica, Time now) const {
  const Record& record = records_[replica];
  if (!record.out) return Standing::In;
  return now >= record.until && !record.trial_runs ? Standing::Trial : Standing::Out;
}

bool Ejections::call_started(std::size_t replica, Time now) {
  if (standing(replica, now) != Standing::Trial) return false;
  return records_[replica].trial_runs = true;
}

void Ejections::count(Record& record, Time now, bool failed) {
  if (now - record.window_start > limits::kEjectWindow) {
    record.window_start = now;
    record.calls = 0;
    record.failures = 0;
  }
  ++record.calls;
  if (failed) ++record.failures;
  record.failures_in_a_row = failed ? record.failures_in_a_row + 1 : 0;
}

bool Ejections::succeeded(std::size_t replica, Time now, bool trial) {
  Record& record = records_[replica];
  if (!record.out) {
    count(record, now, false);
    return false;
  }
  // A call that started before the replica was ejected proves nothing.
  if (!trial) return false;
  record.until = now;
  return let_in(replica);
}

std::optional<Ejections::Ejected> Ejections::failed(std::size_t replica, Time now, bool trial,
                                                    bool others, std::string_view what) {
  Record& record = records_[replica];
  if (record.out) {
    if (!trial) return std::nullopt;
    record.trial_runs = false;
    return eject(record, now, fmt::format("its trial call failed: {}", what));
  }
  count(record, now, true);
  if (!others || (out_ + 1) * 2 > records_.size()) return std::nullopt;
  if (record.failures_in_a_row >= limits::kEjectAfter) {
    return eject(record, now,
                 fmt::format("{} calls in a row failed, last: {}", record.failures_in_a_row, what));
  }
  if (record.calls >= limits::kEjectCallsMin && record.failures * 2 >= record.calls) {
    return eject(
        record, now,
        fmt::format("{} of {} calls failed, last: {}", record.failures, record.calls, what));
  }
  return std::nullopt;
}

Ejections::Ejected Ejections::eject(Record& record, Time now, std::string why) {
  const bool again = record.out || now - record.until < limits::kEjectLast;
  record.length = again && record.length > Clock::duration::zero()
                      ? std::min<Clock::duration>(2 * record.length, limits::kEjectLast)
                      : limits::kEjectFirst;
  record.until = now + record.length;
  if (!std::exchange(record.out, true)) ++out_;
  return {record.length, std::move(why)};
}

void Ejections::abandoned(std::size_t replica, bool trial) {
  if (trial) records_[replica].trial_runs = false;
}

bool Ejections::let_in(std::size_t replica) {
  Record& record = records_[replica];
  const bool was_out = std::exchange(record.out, false);
  if (was_out) --out_;
  record.trial_runs = false;
  record.failures_in_a_row = 0;
  record.calls = 0;
  record.failures = 0;
  return was_out;
}

}  // namespace flow::gateway
