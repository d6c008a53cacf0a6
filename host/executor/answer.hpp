// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "flow/plugin.h"
#include "flow/v1/plugin_info.pb.h"
#include "jina.pb.h"

// What an executor answers, as functions of what it was asked.
namespace flow::host {

// Who answers.
struct Identity {
  std::string executor;
  std::uint32_t replica = 0;
  std::int64_t pid = 0;
  flow::v1::PluginInfo plugin;
  std::string build_id;
  std::string plugin_file{};  // its path

  std::string name() const;  // "executor0/rep-0", as logs have it
};

// What becomes of a request.
enum class Route {
  Process,      // the plugin answers
  Skip,         // the plugin does not serve this endpoint: the request is the answer
  DryRun,       // the host answers: whoever reaches it reaches the executor
  Unsupported,  // its documents are in a form that no plugin is shown
};
Route route(const flow::v1::PluginInfo& plugin, const jina::DataRequestProto& request);

// "/" if the request names none.
std::string_view endpoint(const jina::DataRequestProto& request);

// Several requests that meet: the first, with the documents of the others after its own and the
// routes that only they have. Moves; `requests` is empty afterwards.
void merge(jina::DataRequestListProto& requests, jina::DataRequestProto& into);

// Marks a request as this executor's answer.
void add_route(const Identity& self, jina::DataRequestProto& answer);

// What a failed process() says in a header. `stack`: lines about where it failed, if that is known.
jina::StatusProto error_status(const Identity& self, std::string_view endpoint, flow_status status,
                               std::string_view text, const std::vector<std::string>& stack = {});

// Marks it as an answer that failed: the transport's status stays OK, as clients expect.
void set_error(const Identity& self, flow_status status, std::string_view text,
               jina::DataRequestProto& answer, const std::vector<std::string>& stack = {});

// What the plugin serves, or "/default" if it says nothing, and the dry run.
std::vector<std::string> endpoint_paths(const flow::v1::PluginInfo& plugin);

// These, with their schemas (endpoint_schemas.hpp).
jina::EndpointsProto endpoints(const flow::v1::PluginInfo& plugin);

jina::JinaInfoProto info(const Identity& self, std::chrono::seconds uptime,
                         const core::Environment& environment);

}  // namespace flow::host
