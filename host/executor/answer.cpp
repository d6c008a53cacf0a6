// SPDX-License-Identifier: Apache-2.0
#include "host/executor/answer.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/version.hpp"
#include "fmt/format.h"
#include "google/protobuf/stubs/common.h"
#include "grpcpp/grpcpp.h"
#include "host/executor/endpoint_schemas.hpp"
#include "host/executor/status_text.hpp"

namespace flow::host {
namespace {

constexpr std::string_view kDryRun = "_jina_dry_run_";
constexpr std::string_view kDefault = "/default";
constexpr std::string_view kRoot = "/";

bool lists(const flow::v1::PluginInfo& plugin, std::string_view path) {
  return std::any_of(plugin.endpoints().begin(), plugin.endpoints().end(),
                     [&](const auto& endpoint) { return endpoint.path() == path; });
}

}  // namespace

std::string Identity::name() const { return fmt::format("{}/rep-{}", executor, replica); }

std::string_view endpoint(const jina::DataRequestProto& request) {
  const auto& header = request.header();
  return header.has_exec_endpoint() && !header.exec_endpoint().empty()
             ? std::string_view(header.exec_endpoint())
             : kRoot;
}

Route route(const flow::v1::PluginInfo& plugin, const jina::DataRequestProto& request) {
  const auto asked = endpoint(request);
  if (!lists(plugin, asked)) {
    if (asked == kDryRun) return Route::DryRun;
    const bool takes_any = plugin.endpoints().empty() || lists(plugin, kDefault);
    if (!takes_any) return Route::Skip;
  }
  return request.data().has_docs_bytes() ? Route::Unsupported : Route::Process;
}

void merge(jina::DataRequestListProto& requests, jina::DataRequestProto& into) {
  if (requests.requests().empty()) return;
  into.Swap(requests.mutable_requests(0));
  const auto has_route = [&](const std::string& executor) {
    return std::any_of(into.routes().begin(), into.routes().end(),
                       [&](const auto& known) { return known.executor() == executor; });
  };
  std::vector<docarray::DocumentProto*> moved;
  for (int i = 1; i < requests.requests_size(); ++i) {
    auto& other = *requests.mutable_requests(i);
    for (auto& known : *other.mutable_routes()) {
      if (!has_route(known.executor())) into.add_routes()->Swap(&known);
    }
    if (other.data().has_docs_bytes() && !into.data().has_docs_bytes()) {
      // To be refused like a single request of that form.
      into.mutable_data()->Swap(other.mutable_data());
    }
    if (other.data().docs().docs().empty() || into.data().has_docs_bytes()) continue;
    auto& from = *other.mutable_data()->mutable_docs()->mutable_docs();
    auto& to = *into.mutable_data()->mutable_docs()->mutable_docs();
    moved.resize(static_cast<std::size_t>(from.size()));
    from.ExtractSubrange(0, from.size(), moved.data());
    for (auto* document : moved) to.AddAllocated(document);
  }
  requests.Clear();
}

void add_route(const Identity& self, jina::DataRequestProto& answer) {
  answer.add_routes()->set_executor(self.executor);
}

jina::StatusProto error_status(const Identity& self, std::string_view endpoint, flow_status status,
                               std::string_view text, const std::vector<std::string>& stack) {
  const std::string reason =
      text.empty() ? "the plugin gave no reason" : valid_utf8(std::string(text));
  jina::StatusProto result;
  result.set_code(jina::StatusProto::ERROR);
  result.set_description(reason);
  auto& exception = *result.mutable_exception();
  exception.set_name(std::string(status_name(status)));
  exception.add_args(reason);
  exception.add_stacks(fmt::format("{}@{}: process(\"{}\") of plugin \"{}\" {} returned {}: {}\n",
                                   self.name(), self.pid, endpoint, self.plugin.id(),
                                   self.plugin.version(), status_name(status), reason));
  for (const std::string& line : stack) exception.add_stacks(line + '\n');
  exception.set_executor(self.executor);
  return result;
}

void set_error(const Identity& self, flow_status status, std::string_view text,
               jina::DataRequestProto& answer, const std::vector<std::string>& stack) {
  *answer.mutable_header()->mutable_status() =
      error_status(self, endpoint(answer), status, text, stack);
}

std::vector<std::string> endpoint_paths(const flow::v1::PluginInfo& plugin) {
  std::vector<std::string> paths;
  for (const auto& endpoint : plugin.endpoints()) paths.push_back(endpoint.path());
  if (paths.empty()) paths.emplace_back(kDefault);
  if (!lists(plugin, kDryRun)) paths.emplace_back(kDryRun);
  return paths;
}

jina::EndpointsProto endpoints(const flow::v1::PluginInfo& plugin) {
  jina::EndpointsProto answer;
  for (auto& path : endpoint_paths(plugin)) answer.add_endpoints(std::move(path));
  *answer.mutable_schemas() = endpoint_schemas(plugin);
  return answer;
}

jina::JinaInfoProto info(const Identity& self, std::chrono::seconds uptime,
                         const core::Environment& environment) {
  jina::JinaInfoProto answer;
  auto& facts = *answer.mutable_jina();
  facts["flow-host"] = core::kVersion;
  facts["plugin"] = self.plugin.id();
  facts["plugin-version"] = self.plugin.version();
  facts["abi"] = fmt::format("{}.{}", FLOW_ABI_MAJOR, FLOW_ABI_MINOR);
  facts["build-id"] = self.build_id;
  facts["protobuf"] = google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION);
  facts["grpc"] = grpc::Version();
  facts["uptime"] = fmt::format("{}", uptime.count());
  for (const auto* name : {"FLOW_LOG_LEVEL", "JINA_LOG_LEVEL"}) {
    (*answer.mutable_envs())[name] = environment(name).value_or("(unset)");
  }
  return answer;
}

}  // namespace flow::host
