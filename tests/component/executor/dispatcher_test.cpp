// SPDX-License-Identifier: Apache-2.0
//
// Threads, ends of calls and refusals around a plugin that this file plays itself.
#include "host/executor/dispatcher.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <set>

#include "host/executor/call_pool.hpp"

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kPatience = 10s;

// A plugin whose functions are this test's; one at a time.
struct FakePlugin {
  std::function<flow_status(const flow_request*, flow_call*)> process = [](auto*, auto*) {
    return flow_status{FLOW_OK};
  };
  std::function<void(flow_call*)> cancel = [](auto*) {};
  flow_status create_status = FLOW_OK;
  const flow_host* host = nullptr;
  std::vector<std::thread::id> setup_threads;
  flow_plugin table{};

  static FakePlugin*& current() {
    static FakePlugin* plugin = nullptr;
    return plugin;
  }
  FakePlugin() {
    current() = this;
    table.size = sizeof table;
    table.create = [](const flow_host* given, const flow_value*, flow_executor**) noexcept {
      current()->host = given;
      current()->setup_threads.push_back(std::this_thread::get_id());
      constexpr std::string_view kReason = "out of luck";
      if (current()->create_status != FLOW_OK) {
        given->error(given, nullptr, {kReason.data(), kReason.size()});
      }
      return current()->create_status;
    };
    table.destroy = [](flow_executor*) noexcept {
      current()->setup_threads.push_back(std::this_thread::get_id());
    };
    table.process = [](flow_executor*, const flow_request* request, flow_call* call) noexcept {
      return current()->process(request, call);
    };
    table.cancel = [](flow_executor*, flow_call* call) noexcept { current()->cancel(call); };
  }
};

// An RPC as far as a call knows.
struct FakeOrigin final : CallOrigin {
  void call_finished(const Outcome& outcome) override {
    // Under the lock: who was waited for may be gone the moment it is released.
    const std::lock_guard lock(mutex);
    outcomes.push_back(outcome);
    changed.notify_all();
  }
  void call_stopping(Stop) override {}
  std::vector<Outcome> wait(std::size_t count = 1) {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, kPatience, [&] { return outcomes.size() >= count; }));
    if (Call* done = std::exchange(call, nullptr)) done->release();  // as an RPC does at its end
    return outcomes;
  }
  Call* call = nullptr;
  jina::DataRequestProto message;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Outcome> outcomes;
};

class DispatcherTest : public testing::Test {
 protected:
  void start(std::size_t workers = 1, std::size_t calls_max = 64) {
    logger_ = core::make_logger("test/rep-0", core::LogConfig{.level = "off"});
    executor_.emplace(plugin_.table, google::protobuf::Struct(), logger_);
    pool_.emplace(calls_max, 16, logger_);
    attendant_.emplace(*executor_, 10ms, [](const absl::Status&) {});
    dispatcher_.emplace(*executor_, *attendant_, workers);
    created_ = dispatcher_->start();
    attendant_->start();
  }
  Call* take(FakeOrigin& origin, std::uint64_t deadline_ns = UINT64_MAX) {
    CallSpec spec;
    spec.origin = &origin;
    spec.message = &origin.message;
    spec.endpoint = "/index";
    spec.deadline_ns = deadline_ns;
    return origin.call = pool_->take(spec);
  }
  Call& submit(FakeOrigin& origin, std::uint64_t deadline_ns = UINT64_MAX) {
    Call* call = take(origin, deadline_ns);
    EXPECT_NE(call, nullptr);
    dispatcher_->submit(*call);
    return *call;
  }
  void TearDown() override {
    if (dispatcher_) dispatcher_->stop();
  }

  FakePlugin plugin_;
  core::Logger logger_;
  std::optional<PluginExecutor> executor_;
  std::optional<CallPool> pool_;
  std::optional<Attendant> attendant_;
  std::optional<Dispatcher> dispatcher_;
  absl::Status created_;
};

TEST_F(DispatcherTest, CreatesProcessesAndDestroysOnOneThreadIfThereIsOneWorker) {
  plugin_.process = [&](auto*, auto*) {
    plugin_.setup_threads.push_back(std::this_thread::get_id());
    return flow_status{FLOW_OK};
  };
  start();
  FakeOrigin origin;
  submit(origin);
  origin.wait();
  dispatcher_->stop();

  ASSERT_EQ(plugin_.setup_threads.size(), 3U);
  EXPECT_EQ(std::set(plugin_.setup_threads.begin(), plugin_.setup_threads.end()).size(), 1U);
  EXPECT_NE(plugin_.setup_threads[0], std::this_thread::get_id());
}

TEST_F(DispatcherTest, RunsAsManyCallsAtOnceAsThereAreWorkers) {
  std::latch all_inside(3);
  plugin_.process = [&](auto*, auto*) {
    all_inside.arrive_and_wait();  // would never return with fewer threads
    return flow_status{FLOW_OK};
  };
  start(3);
  std::array<FakeOrigin, 3> origins;
  for (auto& origin : origins) submit(origin);
  for (auto& origin : origins) EXPECT_EQ(origin.wait()[0].status, FLOW_OK);
}

TEST_F(DispatcherTest, PassesOnWhyCreateFailedAndDoesNotDestroy) {
  plugin_.create_status = FLOW_UNAVAILABLE;
  start();
  dispatcher_->stop();

  EXPECT_THAT(std::string(created_.message()),
              HasSubstr("create() returned UNAVAILABLE: out of luck"));
  EXPECT_EQ(plugin_.setup_threads.size(), 1U);
}

TEST_F(DispatcherTest, PassesOnWhatThePluginSaysAboutAnError) {
  plugin_.process = [&](auto*, flow_call* call) {
    constexpr std::string_view kReason = "no such index";
    plugin_.host->error(plugin_.host, call, {kReason.data(), kReason.size()});
    return flow_status{FLOW_NOT_FOUND};
  };
  start();
  FakeOrigin origin;
  submit(origin);

  const auto outcome = origin.wait()[0];
  EXPECT_EQ(outcome.status, FLOW_NOT_FOUND);
  EXPECT_EQ(outcome.text, "no such index");
}

TEST_F(DispatcherTest, DoesNotStartWhatNobodyWaitsFor) {
  std::atomic<int> processed = 0;
  plugin_.process = [&](auto*, auto*) {
    ++processed;
    return flow_status{FLOW_OK};
  };
  start();
  FakeOrigin expired, cancelled;
  submit(expired, 1);
  Call* call = take(cancelled);
  EXPECT_FALSE(call->caller_left());
  dispatcher_->submit(*call);

  EXPECT_EQ(expired.wait()[0].status, FLOW_DEADLINE_EXCEEDED);
  EXPECT_EQ(expired.wait()[0].started, Outcome::Started::No);
  EXPECT_EQ(cancelled.wait()[0].status, FLOW_CANCELLED);
  EXPECT_EQ(processed, 0);
}

TEST_F(DispatcherTest, RefusesAMalformedTensorBeforeThePluginSeesIt) {
  std::atomic<int> processed = 0;
  plugin_.process = [&](auto*, auto*) {
    ++processed;
    return flow_status{FLOW_OK};
  };
  start();
  FakeOrigin origin;
  auto& dense =
      *origin.message.mutable_data()->mutable_docs()->add_docs()->mutable_tensor()->mutable_dense();
  dense.set_dtype("<f4");
  dense.add_shape(3);
  dense.set_buffer("12345");
  submit(origin);

  const auto outcome = origin.wait()[0];
  EXPECT_EQ(outcome.status, FLOW_INVALID_ARGUMENT);
  EXPECT_THAT(outcome.text, HasSubstr("document 0 (id \"\"): a tensor of shape [3]"));
  EXPECT_EQ(processed, 0);
}

TEST_F(DispatcherTest, EndsAPendingCallOnceHoweverOftenThePluginFinishesIt) {
  plugin_.table.flags = FLOW_ASYNC;
  std::promise<flow_call*> pending;
  plugin_.process = [&](auto*, flow_call* call) {
    pending.set_value(call);
    return flow_status{FLOW_PENDING};
  };
  start();
  FakeOrigin origin;
  submit(origin);
  flow_call* call = pending.get_future().get();
  plugin_.host->call_finish(call, FLOW_ABORTED);
  plugin_.host->call_finish(call, FLOW_OK);
  origin.wait();
  plugin_.host->call_finish(call, FLOW_OK);  // long dead

  EXPECT_EQ(origin.wait().size(), 1U);
  EXPECT_EQ(origin.wait()[0].status, FLOW_ABORTED);
}

TEST_F(DispatcherTest, LetsCallFinishWinOverWhatProcessReturnsAfterIt) {
  plugin_.table.flags = FLOW_ASYNC;
  plugin_.process = [&](auto*, flow_call* call) {
    plugin_.host->call_finish(call, FLOW_DATA_LOSS);
    plugin_.host->call_finish(call, FLOW_OK);
    return flow_status{FLOW_OK};
  };
  start();
  FakeOrigin origin;
  submit(origin);

  EXPECT_EQ(origin.wait()[0].status, FLOW_DATA_LOSS);
}

TEST_F(DispatcherTest, TurnsPendingWithoutTheFlagIntoAnError) {
  plugin_.process = [](auto*, auto*) { return flow_status{FLOW_PENDING}; };
  start();
  FakeOrigin origin;
  submit(origin);

  EXPECT_EQ(origin.wait()[0].status, FLOW_INTERNAL);
  EXPECT_THAT(origin.wait()[0].text, HasSubstr("lack FLOW_ASYNC"));
}

TEST_F(DispatcherTest, TellsAPendingPluginOnceThatItsCallerLeft) {
  plugin_.table.flags = FLOW_ASYNC;
  std::atomic<int> told = 0;
  std::promise<void> pending;
  plugin_.process = [&](auto*, auto*) {
    pending.set_value();
    return flow_status{FLOW_PENDING};
  };
  plugin_.cancel = [&](flow_call* call) {
    ++told;
    EXPECT_NE(plugin_.host->call_cancelled(call), 0);
    plugin_.host->call_finish(call, FLOW_CANCELLED);
  };
  start();
  FakeOrigin origin;
  Call& call = submit(origin);
  pending.get_future().get();
  // Pending or not quite yet: either way the plugin hears of it.
  for (int i = 0; i < 2; ++i) {
    if (call.caller_left()) attendant_->cancel(call);
  }

  EXPECT_EQ(origin.wait()[0].status, FLOW_CANCELLED);
  EXPECT_TRUE(pool_->wait_until_idle(std::chrono::steady_clock::now() + kPatience));
  EXPECT_EQ(told, 1);
}

TEST_F(DispatcherTest, CollectsThePartsOfAnAnswerInItsOneMessage) {
  plugin_.table.flags = FLOW_STREAMS;
  plugin_.process = [&](auto*, flow_call* call) {
    const void* doc = nullptr;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(plugin_.host->call_emit(call), FLOW_OK);
      EXPECT_EQ(plugin_.host->doc_append(call, nullptr, FLOW_ROOT, &doc), FLOW_OK);
    }
    return flow_status{FLOW_OK};
  };
  start();
  FakeOrigin origin;
  origin.message.mutable_data()->mutable_docs()->add_docs()->set_id("asked");
  submit(origin);

  EXPECT_EQ(origin.wait()[0].status, FLOW_OK);
  ASSERT_EQ(origin.message.data().docs().docs_size(), 3);
  EXPECT_EQ(origin.message.data().docs().docs(0).id(), "asked");
}

TEST_F(DispatcherTest, RefusesPartsFromAPluginThatDidNotSayThatItStreams) {
  plugin_.process = [&](auto*, flow_call* call) { return plugin_.host->call_emit(call); };
  start();
  FakeOrigin origin;
  submit(origin);

  EXPECT_EQ(origin.wait()[0].status, FLOW_UNIMPLEMENTED);
  EXPECT_EQ(plugin_.host->call_emit(nullptr), FLOW_INVALID_ARGUMENT);
}

TEST_F(DispatcherTest, RefusesPartsOfACallThatIsOver) {
  plugin_.table.flags = FLOW_STREAMS;
  flow_call* over = nullptr;
  plugin_.process = [&](auto*, flow_call* call) {
    over = call;
    return flow_status{FLOW_OK};
  };
  start();
  FakeOrigin origin;
  submit(origin);
  origin.wait();

  EXPECT_EQ(plugin_.host->call_emit(over), FLOW_INVALID_ARGUMENT);
}

TEST_F(DispatcherTest, TellsCallersWhoseTurnNeverCameThatTheExecutorStopped) {
  std::promise<void> go;
  plugin_.process = [&, gone = go.get_future().share()](auto*, auto*) {
    gone.wait();
    return flow_status{FLOW_OK};
  };
  start();
  FakeOrigin working, waiting;
  submit(working);
  Call& call = submit(waiting);
  EXPECT_FALSE(call.stop(CallOrigin::Stop::Ask));
  go.set_value();

  EXPECT_EQ(working.wait()[0].status, FLOW_OK);
  EXPECT_EQ(waiting.wait()[0].status, FLOW_UNAVAILABLE);
  EXPECT_EQ(waiting.wait()[0].started, Outcome::Started::No);
}

TEST_F(DispatcherTest, RefusesCallsBeyondTheBoundAndAfterClosing) {
  std::promise<void> go;
  plugin_.process = [&, gone = go.get_future().share()](auto*, auto*) {
    gone.wait();
    return flow_status{FLOW_OK};
  };
  start(1, 3);
  std::array<FakeOrigin, 3> origins;
  FakeOrigin refused;
  for (auto& origin : origins) submit(origin);

  EXPECT_EQ(take(refused), nullptr);
  go.set_value();
  for (auto& origin : origins) origin.wait();
  EXPECT_TRUE(pool_->wait_until_idle(std::chrono::steady_clock::now() + kPatience));
  submit(refused);
  EXPECT_EQ(refused.wait()[0].status, FLOW_OK);
  pool_->close();
  EXPECT_EQ(take(refused), nullptr);
}

TEST(WorkerCount, FollowsThePluginsFlags) {
  EXPECT_EQ(worker_count(0, 8), 1U);
  EXPECT_EQ(worker_count(FLOW_AFFINE, 8), 1U);
  EXPECT_EQ(worker_count(FLOW_BLOCKS, 8), 1U);
  EXPECT_EQ(worker_count(FLOW_CONCURRENT, 8), 8U);
  EXPECT_EQ(worker_count(FLOW_CONCURRENT, 0), 1U);
  EXPECT_EQ(worker_count(FLOW_CONCURRENT | FLOW_BLOCKS, 8), 32U);
}

}  // namespace
}  // namespace flow::host
