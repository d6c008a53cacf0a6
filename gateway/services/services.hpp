// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "core/config.hpp"
#include "gateway/executors/executors.hpp"
#include "gateway/front/service.hpp"
#include "gateway/readiness/readiness.hpp"
#include "gateway/route/route.hpp"
#include "gateway/services/admission.hpp"

namespace flow::gateway {

// What the services work with. Confined to its loop.
struct ServiceContext {
  Loop& loop;
  const core::FlowConfig& config;
  Executors& executors;
  Readiness& readiness;
  RouteContext route;
  Admission admission{loop, config.gateway.max_in_flight};  // of data requests
};

class DeepDryRun;

// The gRPC services of the gateway, by path. Confined to its loop.
class Services final : public GrpcServices {
 public:
  Services(ServiceContext& context, DeepDryRun& deep_dry_run);

  std::unique_ptr<GrpcHandler> open(std::string_view path, GrpcCall& call) override;

 private:
  using Factory = std::function<std::unique_ptr<GrpcHandler>(GrpcCall&)>;

  ServiceContext& context_;
  DeepDryRun& deep_dry_run_;
  std::map<std::string, Factory, std::less<>> methods_;
};

// Does the gateway offer this gRPC service ("jina.JinaGatewayDryRunRPC")?
bool offers(std::string_view service);
std::vector<std::string> offered_services();

// What a stream is told that a stop of the gateway ends.
absl::Status stopping();

// The version and platform that JinaInfoRPC and GET /status tell, and the settings that come from
// the environment. Nothing else of the environment is told: it may hold secrets.
std::map<std::string, std::string> version_info();
std::map<std::string, std::string> environment_info();

// The handlers that are more than one line.
std::unique_ptr<GrpcHandler> make_data_call(ServiceContext& context, GrpcCall& call);
std::unique_ptr<GrpcHandler> make_data_stream(ServiceContext& context, GrpcCall& call);
std::unique_ptr<GrpcHandler> make_document_stream(ServiceContext& context, GrpcCall& call);
std::unique_ptr<GrpcHandler> make_deep_dry_run(DeepDryRun& deep_dry_run, GrpcCall& call);
std::unique_ptr<GrpcHandler> make_reflection_v1(GrpcCall& call);
std::unique_ptr<GrpcHandler> make_reflection_v1alpha(GrpcCall& call);
std::unique_ptr<GrpcHandler> make_health_check(ServiceContext& context, GrpcCall& call);
std::unique_ptr<GrpcHandler> make_health_watch(ServiceContext& context, GrpcCall& call);

}  // namespace flow::gateway
