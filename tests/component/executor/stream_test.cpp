// SPDX-License-Identifier: Apache-2.0
//
// Answers in parts, as clients meet them: all of it in order, at the client's pace, and an end
// whoever goes first.
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <map>
#include <optional>
#include <thread>

#include "core/limits.hpp"
#include "flow/plugin.hpp"
#include "served.hpp"

namespace flow::host {
namespace {

using core::limits::kStreamQueueMax;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Message = jina::SingleDocumentRequestProto;
using Rpc = jina::JinaSingleDocumentRequestRPC;
using Parameters = std::vector<std::pair<std::string, double>>;

// One document to an endpoint. A parameter is a number, or a boolean if it is called "forever".
Message ask(const std::string& endpoint, const std::string& text,
            const Parameters& parameters = {}) {
  Message message;
  message.mutable_header()->set_request_id("r");
  message.mutable_header()->set_exec_endpoint(endpoint);
  message.mutable_document()->set_text(text);
  auto& fields = *message.mutable_parameters()->mutable_fields();
  for (const auto& [name, value] : parameters) {
    if (name == "forever") {
      fields[name].set_bool_value(value != 0);
    } else {
      fields[name].set_number_value(value);
    }
  }
  return message;
}
Message count_forever() { return ask("/count", "", {{"forever", 1}}); }

// A client's side of one stream.
class Stream {
 public:
  Stream(Served& served, const Message& request, std::chrono::milliseconds timeout = kPatience)
      : stub_(Rpc::NewStub(served.channel())) {
    context_.set_deadline(std::chrono::system_clock::now() + timeout);
    reader_ = stub_->stream_doc(&context_, request);
  }
  std::optional<Message> next() {
    Message message;
    return reader_->Read(&message) ? std::optional(message) : std::nullopt;
  }
  void leave() { context_.TryCancel(); }
  // Reads what is left.
  grpc::Status finish() {
    while (auto message = next()) messages.push_back(*std::move(message));
    const auto status = reader_->Finish();
    const auto& trailers = context_.GetServerTrailingMetadata();
    const auto found = trailers.find("is-error");
    is_error = found != trailers.end() && found->second == "true";
    return status;
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> result;
    for (const auto& message : messages) result.push_back(message.document().text());
    return result;
  }

  std::vector<Message> messages;
  bool is_error = false;

 private:
  std::unique_ptr<Rpc::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Message>> reader_;
};

std::vector<std::string> texts_of(Served& served, const Message& request) {
  Stream stream(served, request);
  const auto status = stream.finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(stream.is_error);
  return stream.texts();
}

// An executor whose behaviour a test gives; one at a time.
class Scripted {
 public:
  inline static std::function<void(flow::Request&)> script;
  void process(flow::Request& request) { script(request); }
};
class ScriptedAsync {
 public:
  inline static std::function<void(flow::Request, flow::Completion)> script;
  void process(flow::Request request, flow::Completion done) { script(request, std::move(done)); }
};
template <class Executor>
const flow_plugin& table(std::uint32_t flags) {
  static std::map<std::uint32_t, flow_plugin> tables;
  return tables.try_emplace(flags, flow::make_plugin<Executor>(flags, "{}")).first->second;
}
ServedExecutorSpec scripted(std::function<void(flow::Request&)> script,
                            std::uint32_t flags = FLOW_STREAMS) {
  Scripted::script = std::move(script);
  return Served::spec_of(table<Scripted>(flags), {});
}

// Emits documents of this size until it is told that nobody reads, and counts them.
struct Flood {
  std::size_t bytes = 1 << 20;
  std::atomic<std::size_t> emitted = 0;
  std::promise<void> refused;

  auto script() {
    return [this](flow::Request& request) {
      const std::string text(bytes, 'x');
      do {
        request.append().set_text(text);
      } while (request.emit() && ++emitted < 1000);
      refused.set_value();
    };
  }
  bool is_refused() {
    return refused.get_future().wait_for(kPatience) == std::future_status::ready;
  }
};

TEST(Stream, HasAMessageForEachDocumentThatIsEmitted) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());
  Stream stream(counts, ask("/count", "asked", {{"n", 3}}));

  const auto status = stream.finish();

  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(stream.is_error);
  EXPECT_THAT(stream.texts(), ElementsAre("1", "2", "3"));
  for (const auto& message : stream.messages) {
    EXPECT_EQ(message.header().request_id(), "r");
    EXPECT_EQ(message.header().exec_endpoint(), "/count");
    EXPECT_FALSE(message.header().has_status());
    EXPECT_FALSE(message.has_parameters());
  }
}

TEST(Stream, MayBeEmptyAndMayBeLong) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());

  EXPECT_THAT(texts_of(counts, ask("/count", "", {{"n", 0}})), IsEmpty());
  const auto texts = texts_of(counts, ask("/count", "", {{"executor0__n", 2000}}));
  ASSERT_THAT(texts, SizeIs(2000));
  for (std::size_t i = 0; i < texts.size(); ++i) ASSERT_EQ(texts[i], std::to_string(i + 1));
}

TEST(Stream, SendsPartsOfSeveralDocumentsAndWhatIsLeftAtTheEnd) {
  Served edits("edits");
  ASSERT_TRUE(edits.start().ok());
  EXPECT_THAT(texts_of(edits, ask("/emit", "a")), ElementsAre("new a", "after a"));
  EXPECT_THAT(texts_of(edits, ask("/stream", "a")), ElementsAre("a"));

  Served several(scripted([](flow::Request& request) {
    for (const auto* text : {"b", "c", "d", "e", "f", "g"}) request.append().set_text(text);
    ASSERT_TRUE(request.emit());
    ASSERT_TRUE(request.emit());  // of nothing
    request.append().set_text("h");
    request.append().set_text("i");
  }));
  ASSERT_TRUE(several.start().ok());
  EXPECT_THAT(texts_of(several, ask("/x", "a")),
              ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i"));
}

TEST(Stream, OfAPluginThatDoesNotStreamHasItsDocuments) {
  Served echo("echo"), upper("upper"), edits("edits");
  ASSERT_TRUE(echo.start().ok() && upper.start().ok() && edits.start().ok());

  EXPECT_THAT(texts_of(echo, ask("/x", "a")), ElementsAre("a"));
  EXPECT_THAT(texts_of(upper, ask("/upper", "a")), ElementsAre("A"));
  EXPECT_THAT(texts_of(edits, ask("/append", "a")), ElementsAre("a", "appended text"));
  EXPECT_THAT(texts_of(edits, ask("/remove", "a")), IsEmpty());
}

TEST(Stream, HasTheDocumentItselfIfTheEndpointIsNotServed) {
  Served upper("upper");
  ASSERT_TRUE(upper.start().ok());

  EXPECT_THAT(texts_of(upper, ask("/other", "a")), ElementsAre("a"));
  EXPECT_THAT(texts_of(upper, ask("_jina_dry_run_", "a")), ElementsAre("a"));
}

TEST(Stream, TakesAnAbsentDocumentForAnEmptyOne) {
  Served echo("echo");
  ASSERT_TRUE(echo.start().ok());

  EXPECT_THAT(texts_of(echo, {}), ElementsAre(""));
}

TEST(Stream, EndsWithThePluginsErrorAfterWhatItEmitted) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());
  Stream stream(counts, ask("/count", "", {{"n", 9}, {"fail_at", 3}}));

  const auto status = stream.finish();

  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(stream.is_error);
  EXPECT_THAT(stream.texts(), ElementsAre("1", "2", ""));
  const auto& last = stream.messages.back();
  EXPECT_FALSE(last.has_document());
  EXPECT_EQ(last.header().request_id(), "r");
  EXPECT_EQ(last.header().status().code(), jina::StatusProto::ERROR);
  EXPECT_EQ(last.header().status().description(), "lost count at 3");
  EXPECT_EQ(last.header().status().exception().name(), "DATA_LOSS");
  EXPECT_EQ(last.header().status().exception().executor(), "executor0");
  EXPECT_THAT(last.header().status().exception().stacks(0), HasSubstr("process(\"/count\")"));
}

TEST(Stream, DropsWhatWasNotEmittedBeforeAnError) {
  Served served(scripted([](flow::Request& request) {
    request.append().set_text("never sent");
    throw std::runtime_error("broken");
  }));
  ASSERT_TRUE(served.start().ok());
  Stream stream(served, ask("/x", "a"));

  EXPECT_TRUE(stream.finish().ok());

  ASSERT_THAT(stream.messages, SizeIs(1));
  EXPECT_EQ(stream.messages[0].header().status().description(), "std::runtime_error: broken");
}

TEST(Stream, RefusesDocumentsThatFitIntoNoMessage) {
  const auto too_large = [](flow::Doc doc) {
    doc.set_text(std::string(40 << 10, 'x'));
    doc.set_uri(std::string(40 << 10, 'x'));
  };
  auto spec = scripted([=](flow::Request& request) {
    too_large(request.append());
    if (request.endpoint() == "/emit") (void)request.emit();
  });
  spec.bytes_max = 64 << 10;
  Served served(std::move(spec));
  ASSERT_TRUE(served.start().ok());
  Stream emitted(served, ask("/emit", "")), left(served, ask("/leave", ""));

  EXPECT_TRUE(emitted.finish().ok());
  EXPECT_TRUE(left.finish().ok());

  ASSERT_THAT(emitted.messages, SizeIs(1));
  EXPECT_EQ(emitted.messages[0].header().status().exception().name(), "RESOURCE_EXHAUSTED");
  ASSERT_THAT(left.messages, SizeIs(1));
  EXPECT_THAT(left.messages[0].header().status().description(),
              HasSubstr("fit into a message (gateway.max_message)"));
}

TEST(Stream, ComesFromAPluginsOwnThreadToo) {
  std::jthread worker;
  ScriptedAsync::script = [&](flow::Request request, flow::Completion done) {
    worker = std::jthread([request, done = std::move(done)]() mutable {
      done.finish_with([&] {
        for (int i = 0; i < 100; ++i) {
          request.append().set_text(std::to_string(i));
          if (!request.emit()) return;
        }
      });
    });
  };
  Served served(Served::spec_of(table<ScriptedAsync>(FLOW_STREAMS | FLOW_ASYNC), {}));
  ASSERT_TRUE(served.start().ok());

  EXPECT_THAT(texts_of(served, ask("/x", "a")), SizeIs(101));
}

TEST(Stream, OfManyClientsAtOnceIsEachItsOwn) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());
  std::vector<std::future<std::vector<std::string>>> answers;
  for (int i = 0; i < 16; ++i) {
    answers.push_back(std::async(std::launch::async, [&counts, i] {
      return texts_of(counts, ask("/count", "", {{"n", 100 + i}}));
    }));
  }
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_THAT(answers[i].get(), SizeIs(100 + i));
}

// ---- the same plugins, asked for one answer
// ------------------------------------------------------

TEST(StreamingPlugin, AnswersAUnaryCallWithAllPartsInOrder) {
  Served counts("counts"), edits("edits");
  ASSERT_TRUE(counts.start().ok() && edits.start().ok());

  auto message = request("/count", {"asked"});
  (*message.mutable_parameters()->mutable_fields())["n"].set_number_value(4);
  EXPECT_THAT(texts(counts.post(message).answer), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(texts(edits.post(request("/emit", {"a", "b"})).answer),
              ElementsAre("new a", "new b", "after a", "after b"));
}

TEST(StreamingPlugin, FailsAUnaryCallWhosePartsDoNotFitIntoOneMessage) {
  Served counts("counts", "{}", 16 << 10);
  ASSERT_TRUE(counts.start().ok());
  auto message = request("/count", {});
  (*message.mutable_parameters()->mutable_fields())["forever"].set_bool_value(true);

  const auto reply = counts.post(message);

  EXPECT_TRUE(reply.status.ok());
  EXPECT_TRUE(reply.is_error);
  EXPECT_EQ(reply.answer.header().status().exception().name(), "RESOURCE_EXHAUSTED");
}

TEST(StreamingPlugin, NeedsItsFlag) {
  Served served(scripted([](flow::Request& request) { (void)request.emit(); }, 0));
  ASSERT_TRUE(served.start().ok());
  Stream stream(served, ask("/x", "a"));

  EXPECT_TRUE(stream.finish().ok());

  ASSERT_THAT(stream.messages, SizeIs(1));
  EXPECT_EQ(stream.messages[0].header().status().exception().name(), "UNIMPLEMENTED");
  EXPECT_THAT(stream.messages[0].header().status().description(), HasSubstr("FLOW_STREAMS"));
}

// ---- who reads slowly, or not at all
// -------------------------------------------------------------

TEST(SlowReader, GetsEverything) {
  std::latch ahead(kStreamQueueMax);
  Served served(scripted([&](flow::Request& request) {
    const std::string text(256 << 10, 'x');  // some of these fill every buffer on the way
    for (std::size_t i = 0; i < 50; ++i) {
      request.append().set_text(text);
      ASSERT_TRUE(request.emit());
      if (i < kStreamQueueMax) ahead.count_down();
    }
  }));
  ASSERT_TRUE(served.start().ok());
  Stream stream(served, ask("/x", "a"));
  ahead.wait();

  EXPECT_TRUE(stream.finish().ok());

  EXPECT_THAT(stream.messages, SizeIs(51));  // with the request's
}

TEST(SlowReader, IsCutOffWhenItTakesNothingForTooLong) {
  Flood flood;
  auto spec = scripted(flood.script());
  spec.stream_stall = 200ms;
  Served served(std::move(spec));
  ASSERT_TRUE(served.start().ok());
  Stream stream(served, ask("/x", "a"));

  EXPECT_TRUE(flood.is_refused());

  // What was made in advance, and what HTTP/2 buffers, and no more however long it took.
  EXPECT_LE(flood.emitted, kStreamQueueMax + 4);
  EXPECT_FALSE(stream.finish().ok());
}

TEST(SlowReader, ThatGoesAwayEndsTheCall) {
  Flood flood;
  Served served(scripted(flood.script()));
  ASSERT_TRUE(served.start().ok());
  Stream stream(served, ask("/x", "a"));
  ASSERT_TRUE(stream.next().has_value());

  stream.leave();

  EXPECT_TRUE(flood.is_refused());
  EXPECT_TRUE(served->drain(std::chrono::steady_clock::now() + kPatience));
  EXPECT_EQ(stream.finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST(SlowReader, ThatHasADeadlineEndsTheCallThen) {
  Flood flood;
  Served served(scripted(flood.script()));
  ASSERT_TRUE(served.start().ok());
  Stream stream(served, ask("/x", "a"), 200ms);

  EXPECT_TRUE(flood.is_refused());
  EXPECT_EQ(stream.finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST(SlowReader, DoesNotKeepOthersFromTheirAnswers) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());
  std::vector<std::unique_ptr<Stream>> idle;
  for (int i = 0; i < 8; ++i) {
    idle.push_back(std::make_unique<Stream>(counts, count_forever()));
    ASSERT_TRUE(idle.back()->next().has_value());
  }

  EXPECT_THAT(texts_of(counts, ask("/count", "", {{"n", 2}})), ElementsAre("1", "2"));
  for (auto& stream : idle) stream->leave();
}

// ---- an end to what has none
// ---------------------------------------------------------------------

TEST(EndlessStream, EndsWithItsClient) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());
  Stream stream(counts, count_forever());
  for (int i = 1; i < 50; ++i) ASSERT_EQ(stream.next()->document().text(), std::to_string(i));

  stream.leave();

  EXPECT_EQ(stream.finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(counts->drain(std::chrono::steady_clock::now() + kPatience));
}

TEST(EndlessStream, EndsWithItsDeadline) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());
  Stream stream(counts, count_forever(), 200ms);

  EXPECT_EQ(stream.finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(counts->drain(std::chrono::steady_clock::now() + kPatience));
}

TEST(EndlessStream, EndsWithTheDrainAndSaysSo) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());
  Stream stream(counts, count_forever());
  ASSERT_TRUE(stream.next().has_value());
  auto status = std::async(std::launch::async, [&] { return stream.finish(); });

  EXPECT_TRUE(counts->drain(std::chrono::steady_clock::now() + 2s));

  const auto end = status.get();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(end.error_message(), "executor0/rep-0 is stopping");
}

TEST(EndlessStream, EndsWithTheDrainAlsoIfNobodyReads) {
  Flood flood;
  Served served(scripted(flood.script()));
  ASSERT_TRUE(served.start().ok());
  Stream stream(served, ask("/x", "a"));
  ASSERT_TRUE(stream.next().has_value());

  EXPECT_TRUE(served->drain(std::chrono::steady_clock::now() + 1s));
  EXPECT_TRUE(flood.is_refused());
  EXPECT_FALSE(stream.finish().ok());
}

TEST(EndlessStream, EndsWithTheServer) {
  Served counts("counts");
  ASSERT_TRUE(counts.start().ok());
  Stream stream(counts, count_forever());
  ASSERT_TRUE(stream.next().has_value());

  counts.stop();

  EXPECT_FALSE(stream.finish().ok());
}

TEST(StreamInADrain, IsFinishedIfItHasAnEnd) {
  std::latch draining(1);
  Served served(scripted([&](flow::Request& request) {
    ASSERT_TRUE(request.emit());
    draining.wait();
    request.append().set_text("b");
    ASSERT_TRUE(request.emit());
    request.append().set_text("c");
  }));
  ASSERT_TRUE(served.start().ok());
  Stream stream(served, ask("/x", "a"));
  EXPECT_EQ(stream.next()->document().text(), "a");

  auto drained = std::async(std::launch::async, [&] {
    return served->drain(std::chrono::steady_clock::now() + kPatience);
  });
  const auto refused = [&] {
    return Stream(served, ask("/x", "a"), 50ms).finish().error_code() ==
           grpc::StatusCode::UNAVAILABLE;
  };
  while (!refused()) {
  }
  draining.count_down();

  EXPECT_TRUE(stream.finish().ok());
  EXPECT_THAT(stream.texts(), ElementsAre("b", "c"));
  EXPECT_TRUE(drained.get());
}

TEST(UnaryCall, ThatIsCancelledByTheDrainIsUnavailable) {
  Served slow("slow", "{delay_ms = 60000}");
  ASSERT_TRUE(slow.start().ok());
  auto reply = std::async(std::launch::async, [&] { return slow.post(request("/x", {})); });
  while (slow->calls_in_hand() == 0) std::this_thread::yield();

  EXPECT_TRUE(slow->drain(std::chrono::steady_clock::now() + 1s));

  EXPECT_EQ(reply.get().status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace flow::host
