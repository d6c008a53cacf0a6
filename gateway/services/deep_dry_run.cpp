// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/deep_dry_run.hpp"

#include <optional>
#include <utility>

#include "core/limits.hpp"
#include "gateway/services/error_answer.hpp"
#include "gateway/services/services.hpp"
#include "gateway/services/traversal.hpp"
#include "gateway/services/unary.hpp"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

constexpr std::string_view kEndpoint = "_jina_dry_run_";

// What the executors made of it: their own handlers may have found something wrong.
DryRunAnswer answer_of(const absl::StatusOr<std::string>& result, const Verdict& verdict) {
  if (!result.ok()) return dry_run_failure(error_status(result.status(), verdict));
  const auto view = wire::scan_data_request(wire::payload(*result));
  if (!view.ok()) return dry_run_failure(error_status(view.status(), verdict));
  if (!view->is_error()) return dry_run_success();
  jina::StatusProto status;
  status.ParseFromArray(view->status.data(), static_cast<int>(view->status.size()));
  return dry_run_failure(status);
}

// jina.JinaGatewayDryRunRPC/dry_run with the metadata "flow-dry-run: deep".
class DeepDryRunCall final : public OneRequestHandler {
 public:
  DeepDryRunCall(DeepDryRun& run, GrpcCall& call) : OneRequestHandler(call), question_(run) {}

 private:
  void on_request(std::string) override {
    question_.ask([this](const DryRunAnswer& answer) {
      call().send(answer.grpc);
      call().finish(absl::OkStatus());
    });
  }

  DeepDryRun::Question question_;
};

}  // namespace

DeepDryRun::DeepDryRun(ServiceContext& context) : context_(context) {}
DeepDryRun::~DeepDryRun() = default;

void DeepDryRun::Question::ask(std::function<void(const DryRunAnswer&)> answer) {
  const Verdict& verdict = run_.context_.readiness.verdict();
  // What is known to be in the way need not be found out.
  if (!verdict.ready) return answer({false, verdict.dry_run_grpc, verdict.dry_run_json});
  answer_ = std::move(answer);
  run_.asking_.push_back(this);
  if (!run_.traversal_) run_.start();
}

DeepDryRun::Question::~Question() {
  if (!answer_) return;
  run_.asking_.remove(this);
  if (run_.asking_.empty() && !run_.telling_) run_.traversal_.reset();
}

void DeepDryRun::start() {
  traversal_ = std::make_unique<Traversal>(context_, Traversal::Asker::Probe);
  wire::DataRequestView request;
  traversal_->start(wire::executor_request(request, context_.route.new_request_id(), kEndpoint),
                    Clock::now() + core::limits::kDeepDryRunTimeout,
                    [this](const absl::StatusOr<std::string>& result) { finish(result); });
}

void DeepDryRun::finish(const absl::StatusOr<std::string>& result) {
  const DryRunAnswer answer = answer_of(result, context_.readiness.verdict());
  telling_ = true;
  while (!asking_.empty()) {
    Question* question = asking_.front();
    asking_.pop_front();
    std::exchange(question->answer_, nullptr)(answer);
  }
  telling_ = false;
  traversal_.reset();
}

std::unique_ptr<GrpcHandler> make_deep_dry_run(DeepDryRun& deep_dry_run, GrpcCall& call) {
  return std::make_unique<DeepDryRunCall>(deep_dry_run, call);
}

}  // namespace flow::gateway
