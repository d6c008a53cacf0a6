// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"
#include "gateway/services/services.hpp"
#include "gateway/services/unary.hpp"
#include "grpc/health/v1/health.pb.h"
#include "wire/grpc.hpp"

// grpc.health.v1.Health of the gateway. Names: "" is the whole Flow, "liveness" the gateway's loop
// (that an answer comes is the answer), an executor's name that executor; a gRPC service that the
// gateway offers stands for the Flow behind it.
namespace flow::gateway {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

std::optional<std::string> requested_service(std::string_view framed) {
  HealthCheckRequest request;
  const std::string_view bytes = wire::payload(framed);
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return request.service();
}

std::optional<HealthCheckResponse::ServingStatus> status_of(const ServiceContext& context,
                                                            const std::string& service) {
  const auto serving = [](bool yes) {
    return yes ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  };
  const Verdict& verdict = context.readiness.verdict();
  if (service.empty()) return serving(verdict.ready);
  if (service == "liveness") return HealthCheckResponse::SERVING;
  const auto& executors = context.executors.names();
  const auto executor = std::ranges::find(executors, service);
  if (executor != executors.end()) {
    return serving(verdict.executors_ready[static_cast<std::size_t>(executor - executors.begin())]);
  }
  if (offers(service)) return serving(verdict.ready);
  return std::nullopt;
}

std::string framed_status(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  return wire::frame(response.SerializeAsString());
}

// One caller of Watch: told the status at once, then whenever it changes.
class WatchHandler final : public GrpcHandler {
 public:
  WatchHandler(ServiceContext& context, GrpcCall& call) : context_(context), call_(call) {}

  void on_message(std::string framed) override {
    if (subscription_) return;
    const auto service = requested_service(framed);
    if (!service) {
      return call_.finish(core::error(absl::StatusCode::kInvalidArgument,
                                      "cannot parse the request as HealthCheckRequest"));
    }
    service_ = *service;
    subscription_.emplace(context_.readiness, [this] { tell(); });
    tell();
  }

  void on_end() override {
    if (!subscription_) {
      call_.finish(core::error(absl::StatusCode::kInternal, "Watch takes one request message"));
    }
  }

  bool streaming() const override { return true; }
  void on_drain() override { call_.finish(stopping()); }

 private:
  void tell() {
    const auto status =
        status_of(context_, service_).value_or(HealthCheckResponse::SERVICE_UNKNOWN);
    if (std::exchange(told_, status) != status) call_.send(framed_status(status));
  }

  ServiceContext& context_;
  GrpcCall& call_;
  std::string service_;
  std::optional<HealthCheckResponse::ServingStatus> told_;
  std::optional<Readiness::Subscription> subscription_;
};

}  // namespace

std::unique_ptr<GrpcHandler> make_health_check(ServiceContext& context, GrpcCall& call) {
  return std::make_unique<UnaryHandler>(
      call, [&context](const std::string& framed) -> absl::StatusOr<std::string> {
        const auto service = requested_service(framed);
        if (!service) {
          return core::error(absl::StatusCode::kInvalidArgument,
                             "cannot parse the request as HealthCheckRequest");
        }
        const auto status = status_of(context, *service);
        if (!status) {
          return core::error(absl::StatusCode::kNotFound,
                             fmt::format("unknown service \"{}\"", *service));
        }
        return framed_status(*status);
      });
}

std::unique_ptr<GrpcHandler> make_health_watch(ServiceContext& context, GrpcCall& call) {
  return std::make_unique<WatchHandler>(context, call);
}

}  // namespace flow::gateway
