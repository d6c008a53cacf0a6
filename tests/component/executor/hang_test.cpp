// SPDX-License-Identifier: Apache-2.0
//
// Plugins that do not let go: who waits for them is answered, who owns them hears of it, and what
// they still touch stays theirs. Real threads, real gRPC, short budgets.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "flow/plugin.hpp"
#include "grpc/health/v1/health.grpc.pb.h"
#include "host/executor/watchdog.hpp"
#include "host/stack/stack.hpp"
#include "served.hpp"

namespace flow::host {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr auto kBudget = 100ms;

// Where a plugin waits until the test lets it go, which it does at its end at the latest.
class Gate {
 public:
  ~Gate() { open(); }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  [[gnu::noinline]] void pass() {  // so that a stack names it
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  bool wait_inside(int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return inside_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int inside_ = 0;
};

// Executors whose behaviour a test gives; one of each at a time.
struct Scripted {
  inline static std::function<void()> on_create, on_health;
  inline static std::function<void(flow::Request&)> script;
  Scripted() {
    if (on_create) on_create();
  }
  void process(flow::Request& request) { script(request); }
  void health() const {
    if (on_health) on_health();
  }
};
struct ScriptedAsync {
  inline static std::function<void(flow::Request, flow::Completion)> script;
  inline static std::function<void()> on_cancel;
  void process(flow::Request request, flow::Completion done) { script(request, std::move(done)); }
  void cancel(flow::CallId) { on_cancel(); }
};
constexpr std::uint32_t kFlags = FLOW_STREAMS | FLOW_BLOCKS;
const flow_plugin& serial() {
  static const flow_plugin table = flow::make_plugin<Scripted>(kFlags, "{}");
  return table;
}
const flow_plugin& concurrent() {
  static const flow_plugin table = flow::make_plugin<Scripted>(kFlags | FLOW_CONCURRENT, "{}");
  return table;
}
const flow_plugin& async() {
  static const flow_plugin table = flow::make_plugin<ScriptedAsync>(FLOW_ASYNC, "{}");
  return table;
}

// An executor under a watchdog, and what its owner hears of it.
class WatchedExecutor {
 public:
  explicit WatchedExecutor(const flow_plugin& table,
                           std::optional<std::chrono::nanoseconds> budget = kBudget)
      : served_(spec_of(table, budget)) {
    watchdog_.emplace();
    watchdog_->add(served_->watched());
  }
  Served* operator->() { return &served_; }
  Served& operator*() { return served_; }

  // The first thing that was said, or with the explanation the last.
  std::optional<Hang> hang(bool explained = false) {
    std::unique_lock lock(mutex_);
    const bool said = changed_.wait_for(
        lock, kPatience, [&] { return !heard_.empty() && heard_.back().explained >= explained; });
    if (!said) return std::nullopt;
    return explained ? heard_.back() : heard_.front();
  }
  std::vector<Hang> heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  std::future<Served::Reply> post(const std::string& endpoint, const std::string& id,
                                  std::chrono::milliseconds timeout = kPatience) {
    return std::async(std::launch::async, [this, endpoint, id, timeout] {
      auto message = request(endpoint, {"a"});
      message.mutable_header()->set_request_id(id);
      return served_.post(message, timeout);
    });
  }
  bool serves() {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    const auto status =
        grpc::health::v1::Health::NewStub(served_.channel())->Check(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  }

 private:
  ServedExecutorSpec spec_of(const flow_plugin& table,
                             std::optional<std::chrono::nanoseconds> budget) {
    flow::v1::PluginInfo info;
    info.set_id("plug");
    info.add_endpoints()->set_path("/default");
    auto spec = Served::spec_of(table, std::move(info));
    spec.hang_budget = budget;
    spec.on_hang = [this](const Hang& hang) {
      const std::lock_guard lock(mutex_);
      heard_.push_back(hang);
      changed_.notify_all();
    };
    return spec;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Hang> heard_;
  Served served_;
  std::optional<Watchdog> watchdog_;  // last: it looks at the others
};

class HangTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { prepare_stacks(); }
  HangTest() {
    Scripted::on_create = nullptr;
    Scripted::on_health = nullptr;
    Scripted::script = [](flow::Request&) {};
  }
};

TEST_F(HangTest, TheCallerOfAStuckCallIsAnsweredWhileThePluginStillHasIt) {
  Gate gate;
  Scripted::script = [&](flow::Request&) { gate.pass(); };
  WatchedExecutor executor(serial());
  ASSERT_TRUE(executor->start().ok());

  const auto reply = executor.post("/index", "3f2a").get();

  EXPECT_EQ(reply.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(reply.status.error_message().find(
                "executor0/rep-0: call \"3f2a\" at /index made no progress for 0.1 s "
                "(hang_budget); it is given up"),
            0U)
      << reply.status.error_message();
  const auto hang = executor.hang();
  ASSERT_TRUE(hang);
  EXPECT_THAT(hang->sentence,
              StartsWith("call \"3f2a\" at /index made no progress for 0.1 s (hang_budget)"));
  EXPECT_FALSE(executor.serves());
  gate.open();
}

TEST_F(HangTest, TheStackOfTheStuckThreadNamesThePluginsFunction) {
  Gate gate;
  Scripted::script = [&](flow::Request&) { gate.pass(); };
  WatchedExecutor executor(serial());
  ASSERT_TRUE(executor->start().ok());
  EXPECT_FALSE(executor.post("/index", "3f2a").get().status.ok());
  const auto hang = executor.hang(true);
  ASSERT_TRUE(hang);
  ASSERT_FALSE(hang->stack.empty());
  EXPECT_THAT(hang->stack.front(), MatchesRegex("thread [0-9]+, inside process\\(\\):"));
  EXPECT_THAT(hang->stack, Contains(HasSubstr("Gate::pass()")));
  gate.open();
}

TEST_F(HangTest, WhoWaitsBehindItOrComesLaterIsNotStarted) {
  Gate gate;
  std::atomic<int> started = 0;
  Scripted::script = [&](flow::Request&) {
    ++started;
    gate.pass();
  };
  WatchedExecutor executor(serial(), 1s);
  ASSERT_TRUE(executor->start().ok());
  auto stuck = executor.post("/index", "stuck");
  ASSERT_TRUE(gate.wait_inside());
  std::vector<std::future<Served::Reply>> behind;
  for (int i = 0; i < 4; ++i) behind.push_back(executor.post("/index", "behind"));

  EXPECT_EQ(stuck.get().status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  behind.push_back(executor.post("/index", "later"));
  for (auto& each : behind) {
    const auto status = each.get().status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(),
                AllOf(HasSubstr("executor0/rep-0 hangs: call \"stuck\" at /index"),
                      HasSubstr("this call was not started")));
  }
  gate.open();
  EXPECT_EQ(started, 1);
}

TEST_F(HangTest, OtherCallsMayEndMeanwhile) {
  Gate gate;
  std::atomic<bool> done = false;
  Scripted::script = [&](flow::Request& request) {
    if (request.id() == "stuck") return gate.pass();
    while (!done) request.progress();
  };
  WatchedExecutor executor(concurrent());
  ASSERT_TRUE(executor->start().ok());
  auto works = executor.post("/x", "works"), stuck = executor.post("/x", "stuck");

  EXPECT_EQ(stuck.get().status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  done = true;
  EXPECT_TRUE(works.get().status.ok());
  gate.open();
}

TEST_F(HangTest, SeveralThatAreStuckTogetherAreAllAnsweredAndToldOnce) {
  Gate gate;
  Scripted::script = [&](flow::Request&) { gate.pass(); };
  WatchedExecutor executor(concurrent());
  ASSERT_TRUE(executor->start().ok());
  std::vector<std::future<Served::Reply>> stuck;
  for (int i = 0; i < 8; ++i) stuck.push_back(executor.post("/x", std::to_string(i)));

  for (auto& each : stuck) {
    EXPECT_EQ(each.get().status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  ASSERT_TRUE(executor.hang(true));
  EXPECT_EQ(executor.heard().size(), 2U) << "that it hangs, and where";
  gate.open();
}

TEST_F(HangTest, ALongCallThatReportsProgressIsBusy) {
  Scripted::script = [&](flow::Request& request) {
    const auto end = std::chrono::steady_clock::now() + 5 * kBudget;
    while (std::chrono::steady_clock::now() < end) request.progress();
    for (flow::Doc doc : request) doc.set_text("done");
  };
  WatchedExecutor executor(serial());
  ASSERT_TRUE(executor->start().ok());
  const auto reply = executor.post("/x", "r").get();
  ASSERT_TRUE(reply.status.ok()) << reply.status.error_message();
  EXPECT_EQ(texts(reply.answer), std::vector<std::string>{"done"});
  EXPECT_THAT(executor.heard(), IsEmpty());
  EXPECT_TRUE(executor.serves());
}

TEST_F(HangTest, WithoutABudgetACallMayTakeForEver) {
  Gate gate;
  Scripted::script = [&](flow::Request&) { gate.pass(); };
  WatchedExecutor executor(serial(), std::nullopt);
  ASSERT_TRUE(executor->start().ok());
  auto reply = executor.post("/x", "r");
  ASSERT_TRUE(gate.wait_inside());
  EXPECT_EQ(reply.wait_for(5 * kBudget), std::future_status::timeout);
  gate.open();
  EXPECT_TRUE(reply.get().status.ok());
}

TEST_F(HangTest, ACallPastItsCallersDeadlineIsCancelledAndCountsAsHungOnlyPastTheBudget) {
  Gate gate;
  std::promise<void> cancelled;
  Scripted::script = [&](flow::Request& request) {
    while (!request.cancelled()) std::this_thread::yield();
    cancelled.set_value();
    gate.pass();  // whoever answers now, it is not the plugin
  };
  WatchedExecutor executor(serial(), 30s);
  ASSERT_TRUE(executor->start().ok());
  const auto reply = executor.post("/x", "r", 50ms).get();
  EXPECT_EQ(reply.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(cancelled.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(executor.serves());
  EXPECT_THAT(executor.heard(), IsEmpty());
  gate.open();
}

TEST_F(HangTest, ACallWhoseCallerLeftHangsLikeAnyOther) {
  Gate gate;
  Scripted::script = [&](flow::Request&) { gate.pass(); };
  WatchedExecutor executor(serial(), 500ms);
  ASSERT_TRUE(executor->start().ok());
  EXPECT_EQ(executor.post("/x", "r", 100ms).get().status.error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  const auto hang = executor.hang();
  ASSERT_TRUE(hang);
  EXPECT_THAT(hang->sentence, HasSubstr("call \"r\" at /x made no progress for 0.5 s"));
  gate.open();
}

TEST_F(HangTest, APluginMayGoOnWithACallThatWasGivenUp) {
  Gate gate;
  std::promise<std::string> seen;
  Scripted::script = [&](flow::Request& request) {
    gate.pass();
    std::string text(request.endpoint());
    for (flow::Doc doc : request) {
      text += doc.text();
      doc.set_text(std::string(1 << 20, 'x'));
      doc.append_match().set_text("more");
    }
    request.append().set_text("more");
    text += request.parameters().text("name");
    text += request.cancelled() ? ", cancelled" : ", not cancelled";
    seen.set_value(text);
  };
  WatchedExecutor executor(serial());
  ASSERT_TRUE(executor->start().ok());
  auto message = request("/index", {"a"});
  (*message.mutable_parameters()->mutable_fields())["executor0__name"].set_string_value("b");
  EXPECT_EQ(executor->post(message).status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);

  gate.open();

  auto text = seen.get_future();
  ASSERT_EQ(text.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(text.get(), "/indexab, cancelled");
}

TEST_F(HangTest, AStreamThatWasGivenUpEndsAndThePluginMayGoOn) {
  Gate gate;
  std::promise<bool> emitted;
  Scripted::script = [&](flow::Request& request) {
    request.append().set_text("part");
    ASSERT_TRUE(request.emit());
    gate.pass();
    request.append().set_text("late");
    emitted.set_value(request.emit());
  };
  WatchedExecutor executor(serial());
  ASSERT_TRUE(executor->start().ok());
  grpc::ClientContext context;
  jina::SingleDocumentRequestProto message, part;
  message.mutable_header()->set_exec_endpoint("/x");
  const auto stub = jina::JinaSingleDocumentRequestRPC::NewStub(executor->channel());
  const auto reader = stub->stream_doc(&context, message);
  std::vector<std::string> parts;
  while (reader->Read(&part)) parts.push_back(part.document().text());

  const auto status = reader->Finish();

  EXPECT_EQ(parts, (std::vector<std::string>{"", "part"}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("a call at /x made no progress"));
  gate.open();
  EXPECT_FALSE(emitted.get_future().get());
}

TEST_F(HangTest, WaitingForASlowReaderIsNoHang) {
  std::atomic<int> emitted = 0;
  Scripted::script = [&](flow::Request& request) {
    const std::string text(1 << 20, 'x');
    do {
      request.append().set_text(text);
      ++emitted;
    } while (request.emit() && emitted < 64);
  };
  WatchedExecutor executor(serial());
  ASSERT_TRUE(executor->start().ok());
  grpc::ClientContext context;
  jina::SingleDocumentRequestProto message, part;
  message.mutable_header()->set_exec_endpoint("/x");
  const auto stub = jina::JinaSingleDocumentRequestRPC::NewStub(executor->channel());
  const auto reader = stub->stream_doc(&context, message);
  ASSERT_TRUE(reader->Read(&part));

  // The reader's patience is what passes here: several budgets.
  const auto end = std::chrono::steady_clock::now() + 5 * kBudget;
  while (std::chrono::steady_clock::now() < end) ASSERT_TRUE(executor.serves());
  EXPECT_LT(emitted, 64) << "it waits";
  int parts = 1;
  while (reader->Read(&part)) ++parts;

  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(parts, 65) << "the request's document and what was emitted";
  EXPECT_THAT(executor.heard(), IsEmpty());
}

TEST_F(HangTest, AnAsynchronousCallThatIsNeverFinishedHangsAndIsCancelled) {
  std::optional<flow::Completion> kept;
  std::promise<void> cancelled;
  ScriptedAsync::script = [&](flow::Request, flow::Completion done) { kept = std::move(done); };
  ScriptedAsync::on_cancel = [&] { cancelled.set_value(); };
  WatchedExecutor executor(async());
  ASSERT_TRUE(executor->start().ok());

  const auto reply = executor.post("/x", "r").get();

  EXPECT_EQ(reply.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(reply.status.error_message(), HasSubstr("no call_finish() followed"));
  EXPECT_EQ(cancelled.get_future().wait_for(kPatience), std::future_status::ready);
  kept.reset();  // which finishes the call after all
}

TEST_F(HangTest, ACreateThatDoesNotReturnInTimeIsExplained) {
  Gate gate;
  Scripted::on_create = [&] { gate.pass(); };
  WatchedExecutor executor(serial());
  (*executor)->create_by(std::chrono::steady_clock::now() + kBudget, 60s);
  auto started = std::async(std::launch::async, [&] { return executor->start(); });

  const auto hang = executor.hang(true);

  ASSERT_TRUE(hang);
  EXPECT_EQ(hang->sentence,
            "create() of plugin \"plug\" did not return within 60 s "
            "(timeout_ready)");
  gate.open();
  EXPECT_TRUE(started.get().ok());
}

TEST_F(HangTest, AHealthThatDoesNotReturnMakesTheExecutorHang) {
  Gate gate;
  Scripted::on_health = [&] { gate.pass(); };
  WatchedExecutor executor(serial());
  ASSERT_TRUE(executor->start().ok());
  EXPECT_TRUE(executor.post("/x", "r").get().status.ok()) << "calls do not wait for it";

  const auto hang = executor.hang(true);

  ASSERT_TRUE(hang);
  EXPECT_THAT(hang->sentence, AllOf(StartsWith("health() of plugin \"plug\" has not returned for "),
                                    HasSubstr(" s, it has 3 s")));
  EXPECT_FALSE(executor.serves());
  EXPECT_EQ(executor.post("/x", "r").get().status.error_code(), grpc::StatusCode::UNAVAILABLE);
  gate.open();
}

TEST_F(HangTest, SoDoesACancelThatDoesNotReturn) {
  Gate gate;
  std::optional<flow::Completion> kept;
  ScriptedAsync::script = [&](flow::Request, flow::Completion done) { kept = std::move(done); };
  ScriptedAsync::on_cancel = [&] { gate.pass(); };
  WatchedExecutor executor(async(), std::nullopt);
  ASSERT_TRUE(executor->start().ok());
  EXPECT_FALSE(executor.post("/x", "r", 50ms).get().status.ok());

  const auto hang = executor.hang(true);

  ASSERT_TRUE(hang);
  EXPECT_THAT(hang->sentence, StartsWith("cancel() of plugin \"plug\" has not returned for "));
  EXPECT_THAT(hang->stack, Contains(HasSubstr("Gate::pass()")));
  gate.open();
  kept.reset();
}

}  // namespace
}  // namespace flow::host
