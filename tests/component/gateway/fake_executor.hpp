// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "gateway/front/listener.hpp"
#include "gateway/services/deep_dry_run.hpp"
#include "gateway/services/services.hpp"
#include "gtest/gtest.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"

// Executors that answer when the test says so, on sockets of the same loop as the gateway's.
namespace flow::gateway {

template <typename Message>
Message parsed(std::string_view framed) {
  Message message;
  const std::string_view bytes = wire::payload(framed);
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

// Says nothing of its endpoints and its health: so it is taken to serve everything, and well.
class FakeExecutor final : public GrpcServices, public HttpRoutes {
 public:
  // A call that waits for its answer.
  class Pending final : public GrpcHandler {
   public:
    Pending(FakeExecutor& executor, std::string_view its_path, GrpcCall& its_call)
        : path(its_path), call(its_call), executor_(executor) {
      executor_.pending.push_back(this);
    }
    ~Pending() override { std::erase(executor_.pending, this); }
    void on_message(std::string framed) override { request = std::move(framed); }
    void on_end() override { ready = true; }

    void answer(const std::string& framed) {
      call.send(framed);
      call.finish(absl::OkStatus());
    }
    void echo() { answer(request); }
    std::string id() const { return parsed<jina::DataRequestProto>(request).header().request_id(); }

    const std::string path;
    GrpcCall& call;
    std::string request;
    bool ready = false;

   private:
    FakeExecutor& executor_;
  };

  explicit FakeExecutor(Loop& loop)
      : listener_(loop, core::make_logger("fake", {.level = "off"}), front_) {
    EXPECT_TRUE(listener_.listen({.host = "127.0.0.1"}).ok());
  }
  std::uint16_t port() const { return listener_.port(); }

  std::unique_ptr<GrpcHandler> open(std::string_view path, GrpcCall& call) override {
    const bool known = path.ends_with("/process_single_data") || path.ends_with("/stream_doc");
    return known ? std::make_unique<Pending>(*this, path, call) : nullptr;
  }
  std::unique_ptr<HttpHandler> open(HttpRequest, HttpExchange& exchange) override {
    exchange.respond({.status = 404});
    return nullptr;
  }

  std::size_t waiting() const {
    return static_cast<std::size_t>(std::ranges::count_if(pending, &Pending::ready));
  }
  Pending& call_of(std::string_view id) {
    for (Pending* one : pending) {
      if (one->ready && one->id() == id) return *one;
    }
    ADD_FAILURE() << "no request " << id;
    std::abort();
  }

  std::vector<Pending*> pending;

 private:
  Front front_{*this, *this, 1 << 28};
  Listener listener_;
};

// The gateway's services with fake executors "a", "b", ... in a chain.
class FlowOfFakes {
 public:
  explicit FlowOfFakes(std::size_t executors, std::function<void(core::GatewayConfig&)> edit = {}) {
    if (edit) edit(config.gateway);
    for (std::size_t i = 0; i < executors; ++i) {
      fakes.push_back(std::make_unique<FakeExecutor>(loop));
      core::ExecutorConfig executor;
      executor.name = std::string(1, static_cast<char>('a' + i));
      executor.host = "127.0.0.1";
      executor.port = fakes.back()->port();
      if (i > 0) executor.needs = {config.executors.back().name};
      config.executors.push_back(executor);
    }
    world_ = std::make_unique<World>(*this);
    EXPECT_TRUE(world_->executors.use_configured_addresses(config).ok());
    wait("the executors to be ready", [&] { return world_->readiness.verdict().ready; });
  }

  // One executor "a" with replicas, of which the test speaks as the supervisor would.
  struct Replicas {
    std::uint32_t count;
    bool awaited = true;  // are they ready before anything else happens?
  };
  explicit FlowOfFakes(Replicas replicas, const std::function<void(core::FlowConfig&)>& edit = {}) {
    core::ExecutorConfig executor;
    executor.name = "a";
    executor.replicas = replicas.count;
    config.executors.push_back(executor);
    if (edit) edit(config);
    world_ = std::make_unique<World>(*this);
    fakes.resize(replicas.count);
    for (std::uint32_t i = 0; i < replicas.count; ++i) start_process(i, 100 + i);
    if (!replicas.awaited) return;
    wait("the replicas to be ready",
         [&] { return std::ranges::all_of(executors().replicas(0), &Replica::ready); });
  }
  // The replica has a new process.
  void start_process(std::uint32_t replica, std::int64_t pid) {
    fakes[replica] = std::make_unique<FakeExecutor>(loop);
    say(replica, flow::v1::READY, pid, "serves");
  }
  // Its process dies, and nobody says so yet.
  void kill(std::uint32_t replica) { fakes[replica].reset(); }
  // What the supervisor says of it.
  void say(std::uint32_t replica, flow::v1::ReplicaState state, std::int64_t pid,
           const std::string& reason, const std::pair<std::int64_t, std::string>& ended = {}) {
    flow::v1::ReplicaUpdate update;
    update.set_executor("a");
    update.set_replica(replica);
    update.set_state(state);
    update.set_pid(pid);
    update.set_reason(reason);
    if (fakes[replica]) addresses_[replica] = fmt::format("127.0.0.1:{}", fakes[replica]->port());
    update.set_tcp_address(addresses_[replica]);
    if (ended.first != 0) {
      update.mutable_ended()->set_pid(ended.first);
      update.mutable_ended()->set_cause(ended.second);
    }
    executors().update(update);
  }
  Executors& executors() { return world_->executors; }

  ServiceContext& context() { return world_->context; }
  DeepDryRun& deep_dry_run() { return world_->deep_dry_run; }

  // Turns the loop until it is so.
  void wait(std::string_view what, const std::function<bool()>& so) {
    const Clock::time_point patience = Clock::now() + std::chrono::seconds(20);
    while (!so()) {
      ASSERT_LT(Clock::now(), patience) << "waited for " << what;
      loop.io().restart();
      loop.io().run_one_for(std::chrono::seconds(1));
    }
  }

  Loop loop;
  core::FlowConfig config;
  std::vector<std::unique_ptr<FakeExecutor>> fakes;

 private:
  struct World {
    explicit World(FlowOfFakes& flow)
        : executors(flow.loop, core::make_logger("test", {.level = "off"}), flow.config,
                    [this] { readiness.publish(executors.view(false)); }),
          readiness(executors.view(false)),
          context{flow.loop,
                  flow.config,
                  executors,
                  readiness,
                  {executors.names(),
                   [this](std::size_t executor, std::string_view endpoint) {
                     return executors.endpoints().serves(executor, endpoint);
                   },
                   [this] { return fmt::format("made-{}", ++ids); }}},
          deep_dry_run(context) {}

    int ids = 0;
    Executors executors;
    Readiness readiness;
    ServiceContext context;
    DeepDryRun deep_dry_run;
  };
  std::map<std::uint32_t, std::string> addresses_;
  std::unique_ptr<World> world_;
};

}  // namespace flow::gateway
