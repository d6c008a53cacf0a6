// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/handover.hpp"

#include <optional>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

constexpr std::string_view kProcessPath = "/jina.JinaSingleDataRequestRPC/process_single_data";
constexpr std::string_view kDryRunEndpoint = "_jina_dry_run_";

absl::Status refusal(std::string_view why) {
  return core::error(absl::StatusCode::kFailedPrecondition, why);
}

absl::Status said_in(const std::string& framed) {
  const auto answer = wire::scan_data_request(wire::payload(framed));
  if (!answer.ok()) return answer.status();
  if (!answer->is_error()) return absl::OkStatus();
  jina::StatusProto status;
  status.ParseFromArray(answer->status.data(), static_cast<int>(answer->status.size()));
  return refusal(status.description());
}

}  // namespace

TrialVerdict judge_trial(TrialCounts counts, Clock::duration elapsed) {
  if (counts.failed > counts.answered) return TrialVerdict::Failed;
  const bool mostly_errors = 2 * counts.errors > counts.answered;
  if (mostly_errors && (counts.errors >= limits::kTrialErrors || elapsed >= limits::kTrialTime)) {
    return TrialVerdict::Failed;
  }
  const bool proven = counts.answered >= limits::kTrialCalls || elapsed >= limits::kTrialTime;
  return proven ? TrialVerdict::Passed : TrialVerdict::GoesOn;
}

std::uint64_t trial_calls_max(TrialCounts counts) { return counts.answered - counts.errors + 1; }

// One request that no caller made, straight to the successor.
class Handover::DryRun final : public ClientCall {
 public:
  explicit DryRun(Handover& handover) : handover_(handover) {}

 private:
  void on_reply(std::string framed) override { answer_ = std::move(framed); }
  void on_done(const absl::Status& status) override {
    if (!status.ok()) return handover_.on_dry_run(status);
    handover_.on_dry_run(answer_ ? said_in(*answer_) : refusal("there was no answer"));
  }

  Handover& handover_;
  std::optional<std::string> answer_;
};

Handover::Handover(Loop& loop, std::unique_ptr<Replica> successor, std::int64_t pid,
                   Decided decided)
    : loop_(loop),
      other_(std::move(successor)),
      pid_(pid),
      decided_(std::move(decided)),
      stage_since_(Clock::now()) {
  look_soon();
}

Handover::~Handover() = default;

TrialCounts Handover::counts() const {
  const CallStats& stats = other_->stats();
  return {stats.answered(), stats.failed(), stats.errors()};
}

Replica* Handover::for_next_call(Rival rival) {
  if (stage_ != Stage::Trial || !other_->ready()) return nullptr;
  // Found out already, though nobody has looked since.
  if (judge_trial(counts(), Clock::duration::zero()) == TrialVerdict::Failed) return nullptr;
  const bool its_turn = rival == Rival::None || other_->in_flight() < trial_calls_max(counts());
  return its_turn ? other_.get() : nullptr;
}

void Handover::look_soon() {
  if (stage_ != Stage::Decided) alarm_.set(loop_.alarms(), Clock::now(), [this] { look(); });
}

void Handover::look() {
  look_at(Clock::now());
  if (stage_ == Stage::Decided) return;
  alarm_.set(loop_.alarms(), Clock::now() + limits::kTrialLook, [this] { look(); });
}

void Handover::look_at(Clock::time_point now) {
  const Clock::duration elapsed = now - stage_since_;
  if (!other_->ready()) {
    const ReplicaStatus status = other_->view().status;
    if (stage_ != Stage::Meeting) {
      return decide(refusal(fmt::format("it is {}: {}", core::name(status.state), status.reason)));
    }
    if (elapsed < limits::kMeetingTimeout) return;
    return decide(
        refusal(fmt::format("it does not serve within {} s: {}",
                            limits::kMeetingTimeout / std::chrono::seconds(1), status.reason)));
  }
  switch (stage_) {
    case Stage::Meeting:
      return ask();
    case Stage::DryRun:
      if (elapsed < limits::kDeepDryRunTimeout) return;
      return decide(refusal(fmt::format("it does not answer a dry run within {} s",
                                        limits::kDeepDryRunTimeout / std::chrono::seconds(1))));
    case Stage::Trial:
      switch (judge_trial(counts(), elapsed)) {
        case TrialVerdict::GoesOn:
          return;
        case TrialVerdict::Passed:
          return decide(absl::OkStatus());
        case TrialVerdict::Failed:
          return decide(refusal(fmt::format("of its first {} calls {} failed",
                                            counts().answered + counts().failed,
                                            counts().failed + counts().errors)));
      }
      return;
    case Stage::Decided:
      return;
  }
}

void Handover::ask() {
  stage_ = Stage::DryRun;
  stage_since_ = Clock::now();
  dry_run_ = std::make_unique<DryRun>(*this);
  const std::string id = fmt::format("{:032x}", pid_);
  other_->call(*dry_run_, kProcessPath, wire::executor_request({}, id, kDryRunEndpoint),
               limits::kDeepDryRunTimeout);
}

void Handover::on_dry_run(const absl::Status& result) {
  if (stage_ != Stage::DryRun) return;
  if (!result.ok()) {
    return decide(refusal(fmt::format("its dry run fails: {}", core::message(result))));
  }
  stage_ = Stage::Trial;
  stage_since_ = Clock::now();
  other_->set_on_trial(true);
}

void Handover::decide(const absl::Status& outcome) {
  stage_ = Stage::Decided;
  // One that is refused stays it for the calls that it still has.
  if (outcome.ok()) other_->set_on_trial(false);
  alarm_.cancel();
  decided_(outcome);
}

void Handover::settle(std::function<void()> settled) {
  settled_ = std::move(settled);
  stage_since_ = Clock::now();
  look_whether_settled();
}

void Handover::look_whether_settled() {
  const Clock::time_point now = Clock::now();
  if (other_->in_flight() == 0 || now - stage_since_ >= limits::kSettleTime) return settled_();
  alarm_.set(loop_.alarms(), now + limits::kTrialLook, [this] { look_whether_settled(); });
}

void Handover::exchange(std::unique_ptr<Replica>& place) {
  place.swap(other_);
  moved_ = !moved_;
}

}  // namespace flow::gateway
