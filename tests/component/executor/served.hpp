// SPDX-License-Identifier: Apache-2.0
//
// An executor as its clients meet it, for tests: a real plugin behind real gRPC.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/status.hpp"
#include "host/executor/served_executor.hpp"
#include "host/plugin/library.hpp"
#include "host/plugin/resolve.hpp"
#include "jina.grpc.pb.h"

namespace flow::host {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;  // a sanitizer makes a thousand calls slow

// One executor, served on a free port, and a client's channel to it.
class Served {
 public:
  explicit Served(const std::string& uses, const std::string& uses_with = "{}",
                  std::uint64_t bytes_max = 4 << 20)
      : Served(spec_of(uses, uses_with, bytes_max)) {}
  explicit Served(ServedExecutorSpec spec)
      : executor_(std::make_unique<ServedExecutor>(
            std::move(spec),
            core::make_logger("executor0/rep-0", core::LogConfig{.level = "off"}))) {}
  // With a plugin that is no library, but the test's own.
  static ServedExecutorSpec spec_of(const flow_plugin& table, flow::v1::PluginInfo info) {
    ServedExecutorSpec spec;
    spec.table = &table;
    spec.identity = {"executor0", 0, 4711, std::move(info), ""};
    spec.listen.tcp_address = "127.0.0.1:0";
    spec.bytes_max = 4 << 20;
    spec.health_interval = 10ms;
    return spec;
  }
  static ServedExecutorSpec spec_of(const std::string& uses, const std::string& uses_with,
                                    std::uint64_t bytes_max) {
    auto config = core::parse_config(
        "[[executors]]\nname = \"executor0\"\nuses = \"" + uses + "\"\nuses_with = " + uses_with,
        "/tmp/flow.toml", core::process_environment());
    EXPECT_TRUE(config.ok()) << config.status();
    config->plugins = {FLOW_TEST_PLUGINS, FLOW_PLUGINS};
    auto resolved = resolve_plugins(*config);
    EXPECT_TRUE(resolved.ok()) << resolved.status();
    auto& plugin = resolved->front();
    auto spec = spec_of(**load_plugin(plugin.path, plugin.info), plugin.info);
    spec.config = plugin.config;
    spec.bytes_max = bytes_max;
    return spec;
  }
  absl::Status start() {
    FLOW_RETURN_IF_ERROR(executor_->create());
    FLOW_RETURN_IF_ERROR(executor_->listen());
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ = grpc::CreateCustomChannel(executor_->server().tcp_address(),
                                         grpc::InsecureChannelCredentials(), arguments);
    return absl::OkStatus();
  }
  ~Served() {
    if (channel_ != nullptr) {
      EXPECT_TRUE(executor_->drain(std::chrono::steady_clock::now() + kPatience));
    }
    executor_->stop();
  }
  // Without a drain.
  void stop() {
    executor_->stop();
    channel_.reset();
  }
  ServedExecutor& operator*() { return *executor_; }
  ServedExecutor* operator->() { return executor_.get(); }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  struct Reply {
    grpc::Status status;
    jina::DataRequestProto answer;
    bool is_error = false;
  };
  Reply post(const jina::DataRequestProto& request, std::chrono::milliseconds timeout = kPatience) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    Reply reply;
    reply.status = jina::JinaSingleDataRequestRPC::NewStub(channel_)->process_single_data(
        &context, request, &reply.answer);
    const auto& trailers = context.GetServerTrailingMetadata();
    const auto found = trailers.find("is-error");
    reply.is_error = found != trailers.end() && found->second == "true";
    return reply;
  }

 private:
  std::unique_ptr<ServedExecutor> executor_;
  std::shared_ptr<grpc::Channel> channel_;
};

inline jina::DataRequestProto request(const std::string& endpoint, std::vector<std::string> texts) {
  jina::DataRequestProto message;
  message.mutable_header()->set_request_id("r");
  message.mutable_header()->set_exec_endpoint(endpoint);
  for (auto& text : texts) {
    auto& document = *message.mutable_data()->mutable_docs()->add_docs();
    document.set_id("id-" + text);
    document.set_text(std::move(text));
  }
  return message;
}
inline std::vector<std::string> texts(const jina::DataRequestProto& message) {
  std::vector<std::string> result;
  for (const auto& document : message.data().docs().docs()) result.push_back(document.text());
  return result;
}

}  // namespace flow::host
