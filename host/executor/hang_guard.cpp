// SPDX-License-Identifier: Apache-2.0
#include "host/executor/hang_guard.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "fmt/format.h"
#include "host/executor/hang_text.hpp"
#include "host/executor/stuck_threads.hpp"

namespace flow::host {
namespace {

constexpr std::uint64_t kPromptBudgetNs =
    std::chrono::nanoseconds(core::limits::kPromptBudget).count();

}  // namespace

HangGuard::HangGuard(const Parts& parts, std::optional<std::chrono::nanoseconds> hang_budget,
                     OnHang on_hang)
    : parts_(parts), hang_budget_(hang_budget), on_hang_(std::move(on_hang)) {}

void HangGuard::create_by(std::chrono::steady_clock::time_point deadline,
                          std::chrono::nanoseconds timeout_ready) {
  const std::chrono::nanoseconds since_boot = deadline.time_since_epoch();
  create_by_ns_ = static_cast<std::uint64_t>(since_boot.count());
  timeout_ready_ns_ = timeout_ready.count();
}

const Stay& HangGuard::stay_in(Function function) const {
  if (function == Function::Create) return parts_.executor.in_create();
  return function == Function::Health ? parts_.executor.in_health() : parts_.executor.in_cancel();
}

void HangGuard::add_watched(std::vector<Watched>& under_way) {
  subjects_.clear();
  if (hang_budget_) {
    const auto budget_ns = static_cast<std::uint64_t>(hang_budget_->count());
    parts_.pool.for_each([&](Call& call) {
      const auto since_ns = call.silent_since();
      if (!since_ns) return;
      under_way.push_back({&call, *since_ns, budget_ns});
      subjects_.push_back({Function::Process, &call, *since_ns});
    });
  }
  if (hung_) return;
  const auto created = parts_.executor.in_create().inside();
  const std::uint64_t by_ns = create_by_ns_;
  if (created && by_ns != UINT64_MAX) {
    add_stay(Function::Create, by_ns - std::min(by_ns, created->since_ns), under_way);
  }
  add_stay(Function::Health, kPromptBudgetNs, under_way);
  add_stay(Function::Cancel, kPromptBudgetNs, under_way);
}

void HangGuard::add_stay(Function function, std::uint64_t budget_ns,
                         std::vector<Watched>& under_way) {
  const Stay& stay = stay_in(function);
  const auto inside = stay.inside();
  if (!inside) return;
  under_way.push_back({&stay, inside->since_ns, budget_ns});
  subjects_.push_back({function, nullptr, inside->since_ns});
}

void HangGuard::on_overdue(std::span<const HangWatch::Overdue> overdue) {
  std::vector<Stuck> all;
  for (const auto& each : overdue) {
    if (auto one = stuck(subjects_[each.place], each.silent)) all.push_back(*std::move(one));
  }
  if (all.empty()) return;

  Hang hang;
  StuckThreads threads;
  const bool first = !std::exchange(hung_, true);
  if (first) {
    hang.sentence = all.front().sentence;
    if (all.size() > 1) hang.sentence += fmt::format(", and so with {} more", all.size() - 1);
    for (const auto& each : all) {
      if (each.thread != 0) threads.add(each.thread, each.place);
    }
    on_hang_(hang);
    parts_.dispatcher.refuse_all(
        fmt::format("{} hangs: {}; this call was not started", parts_.self.name(), hang.sentence));
  }
  for (const auto& each : all) {
    if (each.call == nullptr) continue;
    each.call->answer_given_up(
        FLOW_DEADLINE_EXCEEDED,
        fmt::format("{}: {}; it is given up", parts_.self.name(), each.sentence));
  }
  if (!first) return;
  hang.explained = true;
  hang.stack = threads.lines();
  on_hang_(hang);
}

std::optional<HangGuard::Stuck> HangGuard::stuck(const Subject& subject,
                                                 std::chrono::nanoseconds silent) {
  if (subject.function == Function::Process) return stuck_call(subject, silent);
  const auto inside = stay_in(subject.function).inside();
  if (!inside || inside->since_ns != subject.since_ns) return std::nullopt;
  const auto& plugin = parts_.self.plugin.id();
  if (subject.function == Function::Create) {
    const std::chrono::nanoseconds timeout_ready(timeout_ready_ns_);
    return Stuck{stuck_create_text(plugin, timeout_ready), "create()", inside->thread};
  }
  const std::string name = subject.function == Function::Health ? "health()" : "cancel()";
  return Stuck{stuck_function_text(name, plugin, silent, core::limits::kPromptBudget), name,
               inside->thread};
}

std::optional<HangGuard::Stuck> HangGuard::stuck_call(const Subject& subject,
                                                      std::chrono::nanoseconds silent) {
  Call& call = *subject.call;
  const auto given_up = call.give_up(subject.since_ns);
  if (!given_up) return std::nullopt;
  if (given_up->tell_cancel) parts_.attendant.cancel(call);
  const auto where = given_up->thread == 0 ? Where::Pending : Where::InProcess;
  return Stuck{stuck_call_text(call.spec().message->header().request_id(), call.spec().endpoint,
                               where, silent),
               "process()", given_up->thread, &call};
}

}  // namespace flow::host
