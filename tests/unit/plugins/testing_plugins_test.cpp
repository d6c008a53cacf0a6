// SPDX-License-Identifier: Apache-2.0
//
// Protects the plugins that tests of the host build upon: those that can run without harm do what
// their names say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <list>
#include <string>

#include "flow/testing.hpp"
#include "loaded_plugin.hpp"

namespace {

using flow::testing::FakeCall;
using flow::testing::FakeDoc;
using flow::testing::FakeHost;
using flow::testing::FakeValue;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(TestingPlugins, ThrowsFailsTheCall) {
  FakeHost host(testing_plugin("throws"));
  FakeCall call({});

  EXPECT_EQ(host.process(call), FLOW_INTERNAL);
  EXPECT_EQ(call.error(), "std::runtime_error: thrown on purpose");
}

TEST(TestingPlugins, CreateFailsAndCreateThrowsSayWhy) {
  try {
    FakeHost host(testing_plugin("create-fails"));
    FAIL() << "created";
  } catch (const flow::Error& error) {
    EXPECT_EQ(error.code(), FLOW_FAILED_PRECONDITION);
    EXPECT_STREQ(error.what(), "there is no model on this machine");
  }
  EXPECT_THROW(FakeHost(testing_plugin("create-throws")), flow::Error);
}

TEST(TestingPlugins, SlowHeedsCancellation) {
  FakeHost host(testing_plugin("slow"), {{"delay_ms", 3600000}});
  FakeCall call({.deadline = std::chrono::steady_clock::now()});

  EXPECT_EQ(host.process(call), FLOW_CANCELLED);
}

TEST(TestingPlugins, AsyncAnswersFromItsThread) {
  FakeHost host(testing_plugin("async"));
  std::list<FakeCall> calls;
  for (int i = 0; i < 20; ++i) {
    host.start(calls.emplace_back(flow::testing::FakeRequest{.docs = {{}}}));
  }

  for (FakeCall& call : calls) {
    EXPECT_EQ(host.wait(call), FLOW_OK);
    EXPECT_EQ(call.finished(), 1);
    EXPECT_EQ(call.docs.front().tags["answered"].text(), "later");
  }
}

TEST(TestingPlugins, ConfiguredWritesItsConfiguration) {
  FakeHost host(testing_plugin("configured"), {{"name", "n"},
                                               {"mode", "exact"},
                                               {"count", 4},
                                               {"ratio", 0.25},
                                               {"verbose", true},
                                               {"labels", FakeValue::List{"a", "b"}},
                                               {"weights", {{"x", 1}, {"y", 2}}},
                                               {"token", "sesame"}});
  FakeCall call({.docs = {{}}});

  EXPECT_EQ(host.process(call), FLOW_OK);

  EXPECT_EQ(call.docs.front().tags, (FakeValue{{"name", "n"},
                                               {"mode", "exact"},
                                               {"count", 4},
                                               {"ratio", 0.25},
                                               {"verbose", true},
                                               {"labels", "a;b;"},
                                               {"weights", "x=1;y=2;"},
                                               {"token_size", 6}}));
}

TEST(TestingPlugins, UnhealthySickensAndIsCured) {
  FakeHost host(testing_plugin("unhealthy"));
  FakeCall sicken({.endpoint = "/sicken"});
  FakeCall cure({.endpoint = "/cure"});

  EXPECT_EQ(host.health(), FLOW_OK);
  host.process(sicken);
  EXPECT_EQ(host.health(), FLOW_UNAVAILABLE);
  EXPECT_EQ(host.error(), "sickened by request");
  host.process(cure);
  EXPECT_EQ(host.health(), FLOW_OK);
}

TEST(TestingPlugins, IdentifiesItsProcess) {
  FakeHost host(testing_plugin("identifies"));
  FakeCall call({.docs = {{}}});

  EXPECT_EQ(host.process(call), FLOW_OK);
  EXPECT_EQ(call.docs.front().tags["pid"].number(), getpid());
}

TEST(TestingPlugins, UpperKnowsOneEndpoint) {
  FakeHost host(testing_plugin("upper"));
  FakeCall known({.endpoint = "/upper", .docs = {{.text = "a\u00e9-z"}}});
  FakeCall unknown({.endpoint = "/lower"});

  EXPECT_EQ(host.process(known), FLOW_OK);
  EXPECT_EQ(known.docs.front().text, "A\u00e9-Z");
  EXPECT_EQ(host.process(unknown), FLOW_UNIMPLEMENTED);
}

TEST(TestingPlugins, CountsEmitsTheNumbers) {
  FakeHost host(testing_plugin("counts"));
  FakeCall some({.endpoint = "/count", .parameters = {{"n", 2}}, .docs = {{.id = "asked"}}});
  FakeCall none({.endpoint = "/count", .parameters = {{"n", 0}}, .docs = {{.id = "asked"}}});

  EXPECT_EQ(host.process(some), FLOW_OK) << some.error();
  EXPECT_EQ(host.process(none), FLOW_OK) << none.error();

  ASSERT_THAT(some.emitted, SizeIs(2));
  EXPECT_EQ(some.emitted[0].front().text, "1");
  EXPECT_EQ(some.emitted[1].front().text, "2");
  EXPECT_THAT(some.docs, SizeIs(0));
  EXPECT_THAT(none.emitted, SizeIs(0));
  EXPECT_THAT(none.docs, SizeIs(0));
}

TEST(TestingPlugins, CountsFailsAndStopsWhereItIsTold) {
  FakeHost host(testing_plugin("counts"));
  FakeCall fails({.endpoint = "/count", .parameters = {{"fail_at", 2}}});
  FakeCall forever({.endpoint = "/count", .parameters = {{"forever", true}}, .parts_max = 100});

  EXPECT_EQ(host.process(fails), FLOW_DATA_LOSS);
  EXPECT_THAT(fails.emitted, SizeIs(1));
  EXPECT_EQ(host.process(forever), FLOW_CANCELLED);
  EXPECT_THAT(forever.emitted, SizeIs(100));
}

class Edits : public ::testing::Test {
 protected:
  std::list<FakeDoc> answer(const std::string& endpoint, std::list<FakeDoc> docs,
                            FakeValue parameters = {}) {
    FakeCall call({.endpoint = endpoint, .parameters = std::move(parameters), .docs = docs});
    EXPECT_EQ(host_.process(call), FLOW_OK) << call.error();
    return call.docs;
  }

  FakeHost host_{testing_plugin("edits")};
};

TEST_F(Edits, Fields) {
  const std::list<FakeDoc> docs = {{.id = "1", .text = "t"}};

  EXPECT_EQ(answer("/id", docs).front().id, "new-1");
  EXPECT_EQ(answer("/text", docs).front().text, "new t");
  EXPECT_EQ(answer("/uri", docs).front().uri, "https://example.org/1");
  EXPECT_EQ(answer("/mime_type", docs).front().mime_type, "text/markdown");
  EXPECT_THAT(answer("/blob", docs).front().blob, ElementsAre(0, 1, 255));
  EXPECT_THAT(answer("/tensor", docs).front().tensor.as<std::int16_t>(),
              ElementsAre(-3, -2, -1, 0, 1, 2));
  EXPECT_THAT(answer("/tensor", docs).front().tensor.shape, ElementsAre(2, 3));
  EXPECT_THAT(answer("/embedding", docs).front().embedding.as<float>(),
              ElementsAre(0.25F, 0.5F, 0.75F, 1.0F));
  EXPECT_EQ(answer("/scores", docs).front().scores.at("cosine"), 0.5);
}

TEST_F(Edits, Tags) {
  const FakeDoc doc = answer("/tags", {{.tags = {{"removed", 1}, {"null", 1}}}},
                             {{"list", FakeValue::List{1, 2}}, {"null", FakeValue()}})
                          .front();

  EXPECT_EQ(
      doc.tags,
      (FakeValue{
          {"text", "a"}, {"number", 1.5}, {"boolean", true}, {"list", FakeValue::List{1, 2}}}));
}

TEST_F(Edits, Children) {
  const FakeDoc chunks = answer("/chunks", {{.chunks = {{.text = "a"}}}}).front();
  const FakeDoc matches = answer("/matches", {{.id = "1"}}).front();

  EXPECT_EQ(chunks.chunks.front().text, "old a");
  EXPECT_EQ(chunks.chunks.back().text, "new");
  EXPECT_EQ(matches.matches.front().id, "match-of-1");
  EXPECT_EQ(matches.matches.front().tags["rank"].number(), 1);
  EXPECT_EQ(matches.matches.front().scores.at("cosine"), 0.75);
  EXPECT_EQ(matches.matches.front().chunks.front().text, "chunk of a match");
}

TEST_F(Edits, Documents) {
  const std::list<FakeDoc> docs = {{.id = "1"}, {.id = "2"}, {.id = "3"}};

  EXPECT_EQ(answer("/append", docs).back().id, "appended");
  EXPECT_THAT(answer("/remove", docs), SizeIs(1));
  EXPECT_EQ(answer("/remove", docs).front().id, "2");
  EXPECT_THAT(answer("/replace", docs), SizeIs(1));
  EXPECT_EQ(answer("/replace", docs).front().id, "replacement");
}

TEST_F(Edits, MisuseIsAnswered) {
  FakeCall call({.endpoint = "/misuse", .docs = {{}}});

  EXPECT_EQ(host_.process(call), FLOW_INVALID_ARGUMENT);
}

TEST_F(Edits, StreamSendsOneByOne) {
  FakeCall call({.endpoint = "/stream", .docs = {{.text = "a"}, {.text = "b"}}});

  EXPECT_EQ(host_.process(call), FLOW_OK) << call.error();

  ASSERT_THAT(call.emitted, SizeIs(2));
  EXPECT_EQ(call.emitted[0].front().text, "a");
  EXPECT_EQ(call.emitted[1].front().text, "b");
  EXPECT_THAT(call.docs, SizeIs(0));
}

TEST_F(Edits, EmitSendsWhatIsEditedAndKeepsWhatWasSeen) {
  FakeCall call({.endpoint = "/emit", .docs = {{.text = "a"}}});

  EXPECT_EQ(host_.process(call), FLOW_OK) << call.error();

  ASSERT_THAT(call.emitted, SizeIs(1));
  EXPECT_EQ(call.emitted[0].front().text, "new a");
  EXPECT_EQ(call.docs.front().text, "after a");
}

}  // namespace
