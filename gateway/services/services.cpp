// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/services.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/version.hpp"
#include "gateway/services/unary.hpp"
#include "google/protobuf/stubs/common.h"
#include "jina.pb.h"
#include "nghttp2/nghttp2ver.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

// What reflection lists and health knows: what is really served, and no more.
constexpr std::array<std::string_view, 9> kOffered = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "jina.JinaDiscoverEndpointsRPC",
    "jina.JinaGatewayDryRunRPC",
    "jina.JinaInfoRPC",
    "jina.JinaRPC",
    "jina.JinaSingleDataRequestRPC",
    "jina.JinaSingleDocumentRequestRPC",
};

}  // namespace

bool offers(std::string_view service) {
  return std::ranges::find(kOffered, service) != kOffered.end();
}

std::vector<std::string> offered_services() { return {kOffered.begin(), kOffered.end()}; }

absl::Status stopping() {
  return core::error(absl::StatusCode::kUnavailable, "the gateway is stopping");
}

std::map<std::string, std::string> version_info() {
  utsname system = {};
  uname(&system);
  return {
      {"flow-host", core::kVersion},
      {"jina-protocol", core::kJinaProtocol},
      {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
      {"nghttp2", NGHTTP2_VERSION},
      {"platform", system.sysname},
      {"platform-release", system.release},
      {"architecture", system.machine},
  };
}

std::map<std::string, std::string> environment_info() {
  std::map<std::string, std::string> settings;
  for (const char* name : {"FLOW_LOG_LEVEL", "JINA_LOG_LEVEL"}) {
    const char* value = std::getenv(name);
    settings[name] = value == nullptr ? "(unset)" : value;
  }
  return settings;
}

Services::Services(ServiceContext& context, DeepDryRun& deep_dry_run)
    : context_(context), deep_dry_run_(deep_dry_run) {
  const auto unary = [this](std::string path, UnaryHandler::Method method) {
    methods_[std::move(path)] = [method = std::move(method)](GrpcCall& call) {
      return std::make_unique<UnaryHandler>(call, method);
    };
  };
  const UnaryHandler::Method dry_run = [this](const std::string&) {
    return absl::StatusOr<std::string>(context_.readiness.verdict().dry_run_grpc);
  };
  methods_["/jina.JinaGatewayDryRunRPC/dry_run"] =
      [this, dry_run](GrpcCall& call) -> std::unique_ptr<GrpcHandler> {
    if (call.metadata().get("flow-dry-run") == "deep")
      return make_deep_dry_run(deep_dry_run_, call);
    return std::make_unique<UnaryHandler>(call, dry_run);
  };
  unary("/jina.JinaDiscoverEndpointsRPC/endpoint_discovery", [this](const std::string&) {
    jina::EndpointsProto answer;
    for (const auto& [path, offers] : context_.executors.endpoints().all()) {
      answer.add_endpoints(path);
      google::protobuf::Struct schema = combined_schema(offers);
      if (schema.fields().empty()) continue;
      *(*answer.mutable_schemas()->mutable_fields())[path].mutable_struct_value() =
          std::move(schema);
    }
    return absl::StatusOr<std::string>(wire::frame(answer.SerializeAsString()));
  });
  unary("/jina.JinaInfoRPC/_status", [](const std::string&) {
    jina::JinaInfoProto answer;
    for (const auto& [key, value] : version_info()) (*answer.mutable_jina())[key] = value;
    for (const auto& [key, value] : environment_info()) (*answer.mutable_envs())[key] = value;
    return absl::StatusOr<std::string>(wire::frame(answer.SerializeAsString()));
  });
  methods_["/jina.JinaSingleDataRequestRPC/process_single_data"] = [this](GrpcCall& call) {
    return make_data_call(context_, call);
  };
  methods_["/jina.JinaRPC/Call"] = [this](GrpcCall& call) {
    return make_data_stream(context_, call);
  };
  methods_["/jina.JinaSingleDocumentRequestRPC/stream_doc"] = [this](GrpcCall& call) {
    return make_document_stream(context_, call);
  };
  methods_["/grpc.health.v1.Health/Check"] = [this](GrpcCall& call) {
    return make_health_check(context_, call);
  };
  methods_["/grpc.health.v1.Health/Watch"] = [this](GrpcCall& call) {
    return make_health_watch(context_, call);
  };
  methods_["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] = make_reflection_v1;
  methods_["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"] =
      make_reflection_v1alpha;
}

std::unique_ptr<GrpcHandler> Services::open(std::string_view path, GrpcCall& call) {
  if (!context_.config.gateway.protocols.grpc) return nullptr;
  const auto method = methods_.find(path);
  return method == methods_.end() ? nullptr : method->second(call);
}

}  // namespace flow::gateway
