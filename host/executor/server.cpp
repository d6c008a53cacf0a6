// SPDX-License-Identifier: Apache-2.0
#include "host/executor/server.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "core/net_address.hpp"
#include "core/status.hpp"
#include "core/unique_fd.hpp"
#include "fmt/format.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "grpcpp/health_check_service_interface.h"
#include "host/executor/reflection_service.hpp"
#include "host/executor/stream_service.hpp"

namespace flow::host {
namespace {

struct ReflectionV1 {
  using CallbackService = grpc::reflection::v1::ServerReflection::CallbackService;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};
struct ReflectionV1Alpha {
  using CallbackService = grpc::reflection::v1alpha::ServerReflection::CallbackService;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

std::vector<std::string> jina_services() {
  return {jina::JinaDataRequestRPC::service_full_name(),
          jina::JinaDiscoverEndpointsRPC::service_full_name(),
          jina::JinaInfoRPC::service_full_name(),
          jina::JinaSingleDataRequestRPC::service_full_name(),
          jina::JinaSingleDocumentRequestRPC::service_full_name()};
}

std::vector<std::string> reflected_services() {
  auto names = jina_services();
  // Naming the health service's message links its description in; gRPC's own service has another.
  const auto* health = grpc::health::v1::HealthCheckRequest::descriptor()->file()->service(0);
  names.insert(names.begin(),
               {health->full_name(), grpc::reflection::v1::ServerReflection::service_full_name(),
                grpc::reflection::v1alpha::ServerReflection::service_full_name()});
  return names;
}

// gRPC says only that it could not bind; trying it ourselves says why.
std::string why_not_bound(const std::string& address) {
  const auto parsed = core::parse_address(address);
  if (!parsed.ok()) return std::string(core::message(parsed.status()));
  if (parsed->is_unix()) {
    return "is its folder there, and may this user write to it?";
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const auto port = std::to_string(parsed->port);
  if (const int error = ::getaddrinfo(parsed->host.c_str(), port.c_str(), &hints, &found);
      error != 0) {
    return ::gai_strerror(error);
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  const core::UniqueFd socket(
      ::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(socket.get(), 1) != 0) {
    return std::strerror(errno);
  }
  return "no reason was found";
}

absl::Status not_bound(const Identity& self, const std::string& address) {
  return core::error(
      absl::StatusCode::kUnavailable,
      fmt::format("{} cannot listen on {}: {}", self.name(), address, why_not_bound(address)));
}

void set_options(std::uint64_t bytes_max, grpc::ServerBuilder& builder) {
  const int message_max = static_cast<int>(std::min<std::uint64_t>(bytes_max, INT_MAX));
  builder.SetMaxReceiveMessageSize(message_max);
  builder.SetMaxSendMessageSize(message_max);
  // The supervisor reserves the port by a bound socket that does not listen.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 1);
  // Gateways ping idle connections, ours every 250 ms; gRPC would take that for an attack.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

}  // namespace

struct ExecutorServer::Services {
  explicit Services(const ServiceContext& context_of_executor)
      : context(context_of_executor),
        single_data(context),
        data(context),
        stream(context),
        discovery(context.self),
        info(context.self),
        reflection(reflected_services()),
        reflection_alpha(reflected_services()) {}

  ServiceContext context;
  SingleDataService single_data;
  DataService data;
  StreamService stream;
  DiscoveryService discovery;
  InfoService info;
  ReflectionService<ReflectionV1> reflection;
  ReflectionService<ReflectionV1Alpha> reflection_alpha;
};

ExecutorServer::ExecutorServer(std::unique_ptr<Services> services)
    : health_names_(jina_services()), services_(std::move(services)) {
  health_names_.insert(health_names_.begin(), {"", services_->context.self.executor});
}

ExecutorServer::~ExecutorServer() { shut_down(std::chrono::nanoseconds(0)); }

absl::StatusOr<std::unique_ptr<ExecutorServer>> ExecutorServer::start(const ServiceContext& context,
                                                                      const ListenSpec& listen) {
  FLOW_ASSIGN_OR_RETURN(core::NetAddress address, core::parse_address(listen.tcp_address));
  std::unique_ptr<ExecutorServer> self(new ExecutorServer(std::make_unique<Services>(context)));

  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  set_options(context.bytes_max, builder);
  const auto credentials = grpc::InsecureServerCredentials();
  builder.AddListeningPort(listen.tcp_address, credentials, &self->port_);
  int unix_bound = 1;
  const auto unix_address = "unix:" + listen.unix_path;
  if (!listen.unix_path.empty()) {
    builder.AddListeningPort(unix_address, credentials, &unix_bound);
  }
  auto& services = *self->services_;
  builder.RegisterService(&services.single_data)
      .RegisterService(&services.data)
      .RegisterService(&services.stream)
      .RegisterService(&services.discovery)
      .RegisterService(&services.info)
      .RegisterService(&services.reflection)
      .RegisterService(&services.reflection_alpha);
  self->server_ = builder.BuildAndStart();

  if (self->server_ == nullptr || self->port_ <= 0 || unix_bound <= 0) {
    return not_bound(context.self, self->port_ <= 0 ? listen.tcp_address : unix_address);
  }
  address.port = static_cast<std::uint16_t>(self->port_);
  self->tcp_address_ = core::format_address(address);
  return self;
}

void ExecutorServer::set_serving(bool serving) {
  auto* health = server_->GetHealthCheckService();
  for (const auto& name : health_names_) health->SetServingStatus(name, serving);
}

void ExecutorServer::shut_down(std::chrono::nanoseconds grace) {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() +
                    std::chrono::duration_cast<std::chrono::system_clock::duration>(grace));
  server_->Wait();
  server_.reset();
}

}  // namespace flow::host
