// SPDX-License-Identifier: Apache-2.0
//
// Protects what authors of executors rely on: the C++ SDK turns the C ABI into ranges, typed
// getters and exceptions, and nothing that they do wrong crosses the boundary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <new>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "flow/plugin.hpp"
#include "flow/testing.hpp"

namespace {

using flow::testing::FakeCall;
using flow::testing::FakeDoc;
using flow::testing::FakeHost;
using flow::testing::FakeTensor;
using flow::testing::FakeValue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// An executor whose behaviour a test gives as a lambda. Tests of one binary run one at a time.
class Scripted {
 public:
  inline static std::function<void(flow::Request&)> script;
  void process(flow::Request& request) { script(request); }
};
constexpr flow_plugin kScripted = flow::make_plugin<Scripted>(FLOW_STREAMS, "{}");

class ScriptedAsync {
 public:
  inline static std::function<void(flow::Request, flow::Completion)> script;
  inline static flow::CallId cancelled = nullptr;
  void process(flow::Request request, flow::Completion done) { script(request, std::move(done)); }
  void cancel(flow::CallId call) { cancelled = call; }
};
constexpr flow_plugin kScriptedAsync = flow::make_plugin<ScriptedAsync>(0, "{}");

flow_status run(FakeCall& call, std::function<void(flow::Request&)> script) {
  Scripted::script = std::move(script);
  FakeHost host(kScripted);
  return host.process(call);
}

flow_status run_async(FakeCall& call, std::function<void(flow::Request, flow::Completion)> script) {
  ScriptedAsync::script = std::move(script);
  FakeHost host(kScriptedAsync);
  return host.process(call);
}

// What an executor sees of its configuration.
void with_config(const FakeValue& config, const std::function<void(const flow::Config&)>& look) {
  static const std::function<void(const flow::Config&)>* current;
  current = &look;
  class Looks {
   public:
    explicit Looks(const flow::Config& seen) { (*current)(seen); }
    void process(flow::Request&) {}
  };
  static constexpr flow_plugin kLooks = flow::make_plugin<Looks>(0, "{}");
  FakeHost host(kLooks, config);
}

template <class Work>
std::string error_of(Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const flow::Error& error) {
    return error.what();
  }
  return "no error";
}

// ---- the table

TEST(SdkTable, KnowsWhatTheClassCanDo) {
  struct Plain {
    void process(flow::Request&) {}
  };
  struct Full {
    void process(flow::Request, flow::Completion) {}
    void cancel(flow::CallId) {}
    void health() const {}
  };

  constexpr flow_plugin plain = flow::make_plugin<Plain>(FLOW_BATCHES, "{}");
  constexpr flow_plugin full = flow::make_plugin<Full>(FLOW_CONCURRENT, "{}");

  EXPECT_EQ(plain.size, sizeof(flow_plugin));
  EXPECT_EQ(plain.abi_minor, FLOW_ABI_MINOR);
  EXPECT_EQ(plain.flags, FLOW_BATCHES);
  EXPECT_EQ(plain.cancel, nullptr);
  EXPECT_EQ(plain.health, nullptr);
  EXPECT_EQ(full.flags, FLOW_CONCURRENT | FLOW_ASYNC);
  EXPECT_NE(full.cancel, nullptr);
  EXPECT_NE(full.health, nullptr);
}

TEST(SdkTable, AcceptsAnExecutorThatCanNeitherMoveNorCopy) {
  struct Pinned {
    Pinned() = default;
    Pinned(Pinned&&) = delete;
    void process(flow::Request&) {}
  };
  FakeHost host(flow::make_plugin<Pinned>(0, "{}"));
  FakeCall call({});

  EXPECT_EQ(host.process(call), FLOW_OK);
}

// ---- errors

TEST(SdkErrors, AnErrorChoosesItsStatus) {
  FakeCall call({});

  EXPECT_EQ(run(call, [](flow::Request&) { throw flow::Error(FLOW_NOT_FOUND, "no such index"); }),
            FLOW_NOT_FOUND);
  EXPECT_EQ(call.error(), "no such index");
}

TEST(SdkErrors, AnyOtherExceptionIsInternalAndNamesItsType) {
  FakeCall call({});

  EXPECT_EQ(run(call, [](flow::Request&) { throw std::out_of_range("row 7"); }), FLOW_INTERNAL);
  EXPECT_EQ(call.error(), "std::out_of_range: row 7");
}

TEST(SdkErrors, ExhaustedMemoryIsAnExhaustedResource) {
  FakeCall call({});

  EXPECT_EQ(run(call, [](flow::Request&) { throw std::bad_alloc(); }), FLOW_RESOURCE_EXHAUSTED);
  EXPECT_THAT(call.error(), HasSubstr("bad_alloc"));
}

TEST(SdkErrors, WhatIsNoExceptionClassIsUnknownAndNamed) {
  FakeCall call({});

  EXPECT_EQ(run(call, [](flow::Request&) { throw 7; }), FLOW_UNKNOWN);
  EXPECT_EQ(call.error(), "int");
}

TEST(SdkErrors, AnErrorCannotClaimSuccessOrPending) {
  for (const flow_status code : {FLOW_OK, FLOW_PENDING}) {
    FakeCall call({});
    EXPECT_EQ(run(call, [code](flow::Request&) { throw flow::Error(code, "odd"); }), FLOW_UNKNOWN);
    EXPECT_EQ(call.finished(), 1);
  }
}

TEST(SdkErrors, ALongReasonIsCut) {
  FakeCall call({});

  EXPECT_EQ(run(call, [](flow::Request&) { throw std::runtime_error(std::string(10000, 'x')); }),
            FLOW_INTERNAL);
  EXPECT_EQ(call.error().size(), 4095U);
}

TEST(SdkErrors, AThrowingConstructorFailsCreate) {
  class Refuses {
   public:
    Refuses() { throw flow::Error(FLOW_FAILED_PRECONDITION, "no model"); }
    void process(flow::Request&) {}
  };
  static constexpr flow_plugin kRefuses = flow::make_plugin<Refuses>(0, "{}");

  try {
    FakeHost host(kRefuses);
    FAIL() << "created";
  } catch (const flow::Error& error) {
    EXPECT_EQ(error.code(), FLOW_FAILED_PRECONDITION);
    EXPECT_STREQ(error.what(), "no model");
  }
}

TEST(SdkErrors, HealthSpeaksByThrowing) {
  class Sick {
   public:
    void process(flow::Request&) {}
    void health() const { throw flow::Error(FLOW_UNAVAILABLE, "index is stale"); }
  };
  static constexpr flow_plugin kSick = flow::make_plugin<Sick>(0, "{}");

  FakeHost host(kSick);

  EXPECT_EQ(host.health(), FLOW_UNAVAILABLE);
  EXPECT_EQ(host.error(), "index is stale");
}

// ---- configuration and values

TEST(SdkConfig, GettersAreTyped) {
  with_config({{"name", "x"}, {"count", 3}, {"ratio", 0.5}, {"on", true}},
              [](const flow::Config& config) {
                EXPECT_EQ(config.text("name"), "x");
                EXPECT_EQ(config.integer("count"), 3);
                EXPECT_EQ(config.number("ratio"), 0.5);
                EXPECT_TRUE(config.boolean("on"));
              });
}

TEST(SdkConfig, AMissingKeyIsNamed) {
  with_config({}, [](const flow::Config& config) {
    EXPECT_EQ(error_of([&] { config.integer("count"); }),
              "config key \"count\": expected an integer, found nothing");
  });
}

TEST(SdkConfig, AFallbackStandsForAMissingKeyButNotForAWrongOne) {
  with_config({{"count", "three"}}, [](const flow::Config& config) {
    EXPECT_EQ(config.integer("size", 7), 7);
    EXPECT_EQ(config.number("ratio", 0.25), 0.25);
    EXPECT_EQ(config.text("name", "none"), "none");
    EXPECT_TRUE(config.boolean("on", true));
    EXPECT_EQ(error_of([&] { config.integer("count", 7); }),
              "config key \"count\": expected an integer, found a text");
  });
}

TEST(SdkConfig, AnIntegerIsExact) {
  constexpr double kLimit = 9007199254740992.0;  // 2^53
  with_config({{"half", 0.5},
               {"large", kLimit},
               {"larger", kLimit * 2},
               {"nan", std::nan("")},
               {"infinite", std::numeric_limits<double>::infinity()}},
              [](const flow::Config& config) {
                EXPECT_EQ(config.integer("large"), std::int64_t{1} << 53);
                for (const char* key : {"half", "larger", "nan", "infinite"}) {
                  EXPECT_THROW(config.integer(key), flow::Error) << key;
                }
              });
}

TEST(SdkConfig, AnErrorDoesNotShowTheValue) {
  with_config({{"token", "sesame"}}, [](const flow::Config& config) {
    EXPECT_THAT(error_of([&] { config.number("token"); }), ::testing::Not(HasSubstr("sesame")));
  });
}

TEST(SdkConfig, LogsThroughTheHost) {
  class Logs {
   public:
    explicit Logs(const flow::Config& config) : log_(config.log()) { log_.info("created"); }
    void process(flow::Request& request) { request.log().warning("processed"); }

   private:
    flow::Log log_;
  };
  static constexpr flow_plugin kLogs = flow::make_plugin<Logs>(0, "{}");

  FakeHost host(kLogs);
  FakeCall call({});
  host.process(call);

  EXPECT_THAT(host.log(), ElementsAre("created", "processed"));
}

TEST(SdkValue, ListsAndMapsAreWalked) {
  const FakeValue parameters = {{"list", FakeValue::List{1, "two", true}},
                                {"map", {{"a", 1}, {"b", FakeValue::Map{{"c", 2}}}}}};
  FakeCall call({.parameters = parameters});

  run(call, [](flow::Request& request) {
    const flow::Value list = request.parameters()["list"];
    const flow::Value map = request.parameters()["map"];
    std::vector<std::string> keys;
    for (auto [key, value] : map.entries()) keys.emplace_back(key);

    EXPECT_TRUE(list.is_list());
    EXPECT_EQ(list.size(), 3U);
    EXPECT_EQ(list[0].integer(), 1);
    EXPECT_EQ(list[1].text(), "two");
    EXPECT_TRUE(list[2].boolean());
    EXPECT_TRUE(list[3].is_null());
    EXPECT_EQ(std::ranges::distance(list.items()), 3);
    EXPECT_THAT(keys, ElementsAre("a", "b"));
    EXPECT_EQ(map["b"].integer("c"), 2);
  });
}

TEST(SdkValue, IsForgivingWhereNothingIs) {
  FakeCall call({.parameters = {{"text", "x"}}});

  run(call, [](flow::Request& request) {
    const flow::Value nothing = request.parameters()["absent"]["deeper"];
    const flow::Value text = request.parameters()["text"];

    EXPECT_TRUE(nothing.is_null());
    EXPECT_EQ(nothing.size(), 0U);
    EXPECT_EQ(text.size(), 0U);
    EXPECT_EQ(std::ranges::distance(text.entries()), 0);
  });
}

TEST(SdkValue, AWrongParameterIsTheCallersError) {
  FakeCall call({.parameters = {{"top_k", "many"}}});

  EXPECT_EQ(run(call, [](flow::Request& request) { request.parameters().integer("top_k", 10); }),
            FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(call.error(), "parameter \"top_k\": expected an integer, found a text");
}

// ---- documents

TEST(SdkRequest, ShowsWhatCame) {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + std::chrono::hours(1);
  FakeCall call({.id = "r1",
                 .endpoint = "/index",
                 .docs = {{.id = "1", .text = "a"}, {.id = "2"}},
                 .deadline = deadline});

  run(call, [&](flow::Request& request) {
    std::vector<std::string> ids;
    for (flow::Doc doc : request) ids.emplace_back(doc.id());

    EXPECT_EQ(request.id(), "r1");
    EXPECT_EQ(request.endpoint(), "/index");
    EXPECT_EQ(request.deadline(), deadline);
    EXPECT_FALSE(request.cancelled());
    EXPECT_EQ(request.size(), 2U);
    EXPECT_THAT(ids, ElementsAre("1", "2"));
  });
}

TEST(SdkRequest, HasNoDeadlineUnlessItHas) {
  FakeCall call({});

  run(call, [](flow::Request& request) {
    EXPECT_EQ(request.deadline(), std::chrono::steady_clock::time_point::max());
  });
}

TEST(SdkRequest, IsCancelledOnceItsDeadlineHasPassed) {
  FakeCall call({.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1)});

  run(call, [](flow::Request& request) { EXPECT_TRUE(request.cancelled()); });
}

TEST(SdkRequest, ReportsProgress) {
  FakeCall call({});

  run(call, [](flow::Request& request) { request.progress(); });

  EXPECT_EQ(call.progressed(), 1);
}

TEST(SdkRequest, AppendsAndRemoves) {
  FakeCall call({.docs = {{.id = "1"}, {.id = "2"}}});

  run(call, [](flow::Request& request) {
    request.remove(request[0]);
    request.append().set_id("3");
    EXPECT_EQ(request.size(), 2U) << "the request stays as it came";
  });

  ASSERT_EQ(call.docs.size(), 2U);
  EXPECT_EQ(call.docs.front().id, "2");
  EXPECT_EQ(call.docs.back().id, "3");
}

TEST(SdkRequest, ADeadDocumentCannotBeChanged) {
  FakeCall call({.docs = {{.id = "1"}}});

  EXPECT_EQ(run(call,
                [](flow::Request& request) {
                  request.remove(request[0]);
                  request[0].set_text("late");
                }),
            FLOW_INVALID_ARGUMENT);
  EXPECT_THAT(call.error(), HasSubstr("document \"1\": the host refused its text"));
}

TEST(SdkRequest, EmitsAndStartsAnew) {
  FakeCall call({.docs = {{.id = "1"}}});

  EXPECT_EQ(run(call,
                [](flow::Request& request) {
                  EXPECT_TRUE(request.emit());
                  request.append().set_id("2");
                }),
            FLOW_OK);

  ASSERT_EQ(call.emitted.size(), 1U);
  EXPECT_EQ(call.emitted[0].front().id, "1");
  EXPECT_EQ(call.docs.front().id, "2");
}

TEST(SdkRequest, StillShowsWhatWasEmittedButDoesNotChangeIt) {
  FakeCall call({.docs = {{.id = "1", .text = "t"}}});

  EXPECT_EQ(run(call,
                [](flow::Request& request) {
                  EXPECT_TRUE(request.emit());
                  EXPECT_EQ(request[0].text(), "t");
                  request[0].set_text("late");
                }),
            FLOW_INVALID_ARGUMENT);
  EXPECT_THAT(call.error(), HasSubstr("document \"1\": the host refused its text"));
}

TEST(SdkRequest, EmittingWithoutTheFlagFailsTheCallAndNamesIt) {
  Scripted::script = [](flow::Request& request) { (void)request.emit(); };
  FakeHost host(flow::make_plugin<Scripted>(0, "{}"));
  FakeCall call({});

  EXPECT_EQ(host.process(call), FLOW_UNIMPLEMENTED);
  EXPECT_THAT(call.error(), HasSubstr("FLOW_STREAMS"));
}

TEST(SdkRequest, EmittingToNobodySaysSoAndFailsTheCall) {
  FakeCall expired({.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1)});
  FakeCall left({.parts_max = 1});

  EXPECT_EQ(run(expired, [](flow::Request& request) { EXPECT_FALSE(request.emit()); }),
            FLOW_CANCELLED);
  EXPECT_EQ(run(left,
                [](flow::Request& request) {
                  EXPECT_TRUE(request.emit());
                  EXPECT_FALSE(request.cancelled());
                  EXPECT_FALSE(request.emit());
                  EXPECT_TRUE(request.cancelled());
                }),
            FLOW_CANCELLED);
  EXPECT_EQ(left.emitted.size(), 1U);
}

TEST(SdkRequest, EmitsFromAPendingCall) {
  FakeCall call({.docs = {{.id = "1"}}});
  std::thread worker;
  ScriptedAsync::script = [&](flow::Request request, flow::Completion done) {
    worker = std::thread([request, done = std::move(done)]() mutable {
      done.finish_with([&] {
        EXPECT_TRUE(request.emit());
        request.append().set_id("2");
      });
    });
  };
  FakeHost host(flow::make_plugin<ScriptedAsync>(FLOW_STREAMS, "{}"));

  EXPECT_EQ(host.process(call), FLOW_OK);
  worker.join();

  EXPECT_EQ(call.emitted[0].front().id, "1");
  EXPECT_EQ(call.docs.front().id, "2");
}

TEST(SdkDoc, ShowsEveryField) {
  FakeDoc doc{.id = "1",
              .text = "t",
              .uri = "u",
              .mime_type = "m",
              .blob = {1, 2},
              .tensor = FakeTensor::of<double>({1, 2, 3, 4, 5, 6}, {2, 3}),
              .embedding = FakeTensor::of<float>({0.5F, 1.5F}, {2}),
              .tags = {{"k", "v"}},
              .chunks = {{.id = "c"}},
              .matches = {{.id = "m1"}, {.id = "m2"}}};
  FakeCall call({.docs = {doc}});

  run(call, [](flow::Request& request) {
    const flow::Doc seen = request[0];
    const std::span<const float> embedding = seen.embedding<float>();

    EXPECT_EQ(seen.id(), "1");
    EXPECT_EQ(seen.text(), "t");
    EXPECT_EQ(seen.uri(), "u");
    EXPECT_EQ(seen.mime_type(), "m");
    EXPECT_THAT(seen.blob(), ElementsAre(1, 2));
    EXPECT_THAT(seen.tensor<double>(), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(seen.tensor<double>().shape(), ElementsAre(2, 3));
    EXPECT_THAT(embedding, ElementsAre(0.5F, 1.5F));
    EXPECT_EQ(seen.tags().text("k"), "v");
    EXPECT_EQ(seen.chunks()[0].id(), "c");
    EXPECT_EQ(seen.matches().size(), 2U);
  });
}

TEST(SdkDoc, AnAbsentTensorIsEmptyWhateverItsType) {
  FakeCall call({.docs = {{.id = "1"}}});

  run(call, [](flow::Request& request) {
    EXPECT_TRUE(request[0].tensor<float>().empty());
    EXPECT_THAT(request[0].embedding<std::int8_t>().shape(), IsEmpty());
  });
}

TEST(SdkDoc, ATensorOfAnotherTypeIsTheCallersError) {
  FakeCall call({.docs = {{.id = "1", .embedding = FakeTensor::of<double>({1}, {1})}}});

  EXPECT_EQ(run(call, [](flow::Request& request) { request[0].embedding<float>(); }),
            FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(call.error(), "document \"1\": its embedding is of float64, expected float32");
}

TEST(SdkDoc, KnowsTheTypesOfNumPy) {
  const auto is = [](flow_dtype dtype, int code, int bits) {
    return dtype.code == code && dtype.bits == bits && dtype.lanes == 1;
  };
  EXPECT_TRUE(is(flow::dtype_of<float>(), FLOW_FLOAT, 32));
  EXPECT_TRUE(is(flow::dtype_of<double>(), FLOW_FLOAT, 64));
  EXPECT_TRUE(is(flow::dtype_of<std::int8_t>(), FLOW_INT, 8));
  EXPECT_TRUE(is(flow::dtype_of<std::int64_t>(), FLOW_INT, 64));
  EXPECT_TRUE(is(flow::dtype_of<std::uint16_t>(), FLOW_UINT, 16));
  EXPECT_TRUE(is(flow::dtype_of<bool>(), FLOW_BOOLEAN, 8));
}

TEST(SdkDoc, SetsEveryField) {
  FakeCall call({.docs = {{.id = "1"}}});

  const flow_status status = run(call, [](flow::Request& request) {
    flow::Doc doc = request[0];
    doc.set_id("2");
    doc.set_uri("u");
    doc.set_mime_type("m");
    std::ranges::fill(doc.new_tensor<std::int32_t>({2, 2}), 7);
    std::ranges::fill(doc.new_embedding(3), 0.5F);
    doc.set_tag("text", "x");
    doc.set_tag("number", 1.5);
    doc.set_tag("integer", std::size_t{3});
    doc.set_tag("boolean", false);
    doc.set_score("cosine", 0.75);
    doc.append_chunk().set_text("c");
    doc.append_match().set_text("m");
  });

  ASSERT_EQ(status, FLOW_OK) << call.error();
  const FakeDoc& doc = call.docs.front();
  EXPECT_EQ(doc.id, "2");
  EXPECT_EQ(doc.uri, "u");
  EXPECT_EQ(doc.mime_type, "m");
  EXPECT_THAT(doc.tensor.as<std::int32_t>(), ElementsAre(7, 7, 7, 7));
  EXPECT_THAT(doc.tensor.shape, ElementsAre(2, 2));
  EXPECT_THAT(doc.embedding.as<float>(), ElementsAre(0.5F, 0.5F, 0.5F));
  EXPECT_EQ(doc.tags["text"].text(), "x");
  EXPECT_EQ(doc.tags["number"].number(), 1.5);
  EXPECT_EQ(doc.tags["integer"].number(), 3);
  EXPECT_FALSE(doc.tags["boolean"].boolean());
  EXPECT_EQ(doc.scores.at("cosine"), 0.75);
  EXPECT_EQ(doc.chunks.front().text, "c");
  EXPECT_EQ(doc.matches.front().text, "m");
}

TEST(SdkDoc, TextBlobAndTensorExcludeEachOther) {
  FakeCall call({.docs = {{.text = "a"}, {.text = "b"}}});

  run(call, [](flow::Request& request) {
    request[0].set_blob(std::array<std::uint8_t, 2>{1, 2});
    request[1].new_tensor<float>({1});
    request[1].set_text("c");
  });

  EXPECT_THAT(call.docs.front().blob, ElementsAre(1, 2));
  EXPECT_EQ(call.docs.front().text, "");
  EXPECT_EQ(call.docs.back().text, "c");
  EXPECT_THAT(call.docs.back().tensor.shape, IsEmpty());
}

TEST(SdkDoc, ViewsOutliveTheirReplacement) {
  FakeCall call({.docs = {{.text = "a text that is too long to be stored in place"}}});

  run(call, [](flow::Request& request) {
    flow::Doc doc = request[0];
    const std::string_view before = doc.text();
    doc.set_text(before.substr(2));
    EXPECT_EQ(before, "a text that is too long to be stored in place");
    EXPECT_EQ(doc.text(), before);
  });

  EXPECT_EQ(call.docs.front().text, "text that is too long to be stored in place");
}

TEST(SdkDoc, TagsAreCopiedWholeAndRemoved) {
  FakeCall call({.parameters = {{"deep", FakeValue::List{1, FakeValue::Map{{"a", "b"}}}}},
                 .docs = {{.tags = {{"old", 1}}}}});

  run(call, [](flow::Request& request) {
    request[0].set_tag("new", request.parameters()["deep"]);
    request[0].remove_tag("old");
  });

  const FakeDoc& doc = call.docs.front();
  EXPECT_EQ(doc.tags["new"], (FakeValue::List{1, FakeValue::Map{{"a", "b"}}}));
  EXPECT_EQ(doc.tags["old"], FakeValue());
}

TEST(SdkDoc, ChildrenAreThoseOfTheResponse) {
  FakeCall call({.docs = {{.chunks = {{.id = "1"}}}}});

  run(call, [](flow::Request& request) {
    flow::Doc doc = request[0];
    doc.append_chunk().set_id("2");
    doc.chunks()[0].set_text("first");
    request.remove(doc.chunks()[0]);
    EXPECT_EQ(doc.chunks().size(), 1U);
    EXPECT_EQ(doc.chunks()[0].id(), "2");
  });
}

// ---- the router

class Routed {
 public:
  void process(flow::Request& request) { router_(*this, request); }

 private:
  void index(flow::Request& request) { request[0].set_text("index"); }
  void search(flow::Request& request) { request[0].set_text("search"); }

  flow::Router<Routed> router_{{"/index", &Routed::index}, {"/search", &Routed::search}};
};

TEST(SdkRouter, CallsTheMethodOfTheEndpoint) {
  static constexpr flow_plugin kRouted = flow::make_plugin<Routed>(0, "{}");
  FakeHost host(kRouted);
  FakeCall call({.endpoint = "/search", .docs = {{}}});

  EXPECT_EQ(host.process(call), FLOW_OK);
  EXPECT_EQ(call.docs.front().text, "search");
}

TEST(SdkRouter, AnUnknownEndpointIsUnimplemented) {
  static constexpr flow_plugin kRouted = flow::make_plugin<Routed>(0, "{}");
  FakeHost host(kRouted);
  FakeCall call({.endpoint = "/searc"});

  EXPECT_EQ(host.process(call), FLOW_UNIMPLEMENTED);
  EXPECT_EQ(call.error(), "no endpoint \"/searc\"");
}

TEST(SdkRouter, DefaultTakesTheRest) {
  class Defaulted {
   public:
    void process(flow::Request& request) { router_(*this, request); }

   private:
    void rest(flow::Request& request) { request[0].set_text("rest"); }
    flow::Router<Defaulted> router_{{"/default", &Defaulted::rest}};
  };
  static constexpr flow_plugin kDefaulted = flow::make_plugin<Defaulted>(0, "{}");
  FakeHost host(kDefaulted);
  FakeCall call({.endpoint = "/anything", .docs = {{}}});

  EXPECT_EQ(host.process(call), FLOW_OK);
  EXPECT_EQ(call.docs.front().text, "rest");
}

// ---- asynchronous executors

TEST(SdkAsync, FinishesFromAnotherThread) {
  FakeCall call({.docs = {{}}});
  std::jthread worker;

  EXPECT_EQ(run_async(call,
                      [&](flow::Request request, flow::Completion done) {
                        worker = std::jthread([request, done = std::move(done)]() mutable {
                          request[0].set_text("later");
                          done.finish();
                        });
                      }),
            FLOW_OK);

  EXPECT_EQ(call.docs.front().text, "later");
  EXPECT_EQ(call.finished(), 1);
}

TEST(SdkAsync, MayFinishBeforeItReturns) {
  FakeCall call({});

  EXPECT_EQ(
      run_async(call, [](flow::Request, flow::Completion done) { done.fail(FLOW_NOT_FOUND, "?"); }),
      FLOW_NOT_FOUND);
  EXPECT_EQ(call.finished(), 1);
}

TEST(SdkAsync, FinishesOnceHoweverOftenItIsTold) {
  FakeCall call({});

  EXPECT_EQ(run_async(call,
                      [](flow::Request, flow::Completion done) {
                        done.finish();
                        done.fail(FLOW_INTERNAL, "again");
                        done.finish_with([] { FAIL() << "the call is dead"; });
                        flow::Completion moved = std::move(done);
                        moved.finish();
                      }),
            FLOW_OK);
  EXPECT_EQ(call.finished(), 1);
  EXPECT_EQ(call.error(), "");
}

TEST(SdkAsync, ADroppedCompletionFinishesTheCall) {
  FakeCall inside({});
  FakeCall outside({});
  std::optional<flow::Completion> kept;

  EXPECT_EQ(run_async(inside, [](flow::Request, flow::Completion) {}), FLOW_INTERNAL);
  ScriptedAsync::script = [&](flow::Request, flow::Completion done) { kept = std::move(done); };
  FakeHost host(kScriptedAsync);
  host.start(outside);
  EXPECT_EQ(outside.finished(), 0);
  kept.reset();

  EXPECT_EQ(host.wait(outside), FLOW_INTERNAL);
  for (const FakeCall* call : {&inside, &outside}) {
    EXPECT_THAT(call->error(), HasSubstr("dropped"));
    EXPECT_EQ(call->finished(), 1);
  }
}

TEST(SdkAsync, AssigningToACompletionDropsWhatItHeld) {
  FakeCall first({});
  FakeCall second({});
  flow::Completion* held = nullptr;
  std::optional<flow::Completion> kept;
  ScriptedAsync::script = [&](flow::Request, flow::Completion done) {
    if (held == nullptr) {
      held = &kept.emplace(std::move(done));
    } else {
      *held = std::move(done);
    }
  };
  FakeHost host(kScriptedAsync);

  host.start(first);
  host.start(second);
  EXPECT_EQ(host.wait(first), FLOW_INTERNAL);
  EXPECT_EQ(second.finished(), 0);
  kept->finish();

  EXPECT_EQ(host.wait(second), FLOW_OK);
}

TEST(SdkAsync, AnExceptionBeforeTheHandOverBecomesTheStatus) {
  FakeCall call({});

  EXPECT_EQ(run_async(call,
                      [](flow::Request, flow::Completion) {
                        throw flow::Error(FLOW_RESOURCE_EXHAUSTED, "the queue is full");
                      }),
            FLOW_RESOURCE_EXHAUSTED);
  EXPECT_EQ(call.error(), "the queue is full");
  EXPECT_EQ(call.finished(), 1);
}

TEST(SdkAsync, AnExceptionAfterTheHandOverLeavesTheCallAlone) {
  FakeCall call({});
  std::optional<flow::Completion> kept;
  ScriptedAsync::script = [&](flow::Request, flow::Completion done) {
    kept = std::move(done);
    throw std::runtime_error("too late");
  };
  FakeHost host(kScriptedAsync);

  host.start(call);
  EXPECT_EQ(call.finished(), 0);
  kept->finish();

  EXPECT_EQ(host.wait(call), FLOW_OK);
  EXPECT_EQ(call.error(), "");
  EXPECT_THAT(host.log(), ElementsAre("std::runtime_error: too late"));
}

TEST(SdkAsync, WhatWorkThrowsBecomesTheStatus) {
  FakeCall call({});

  EXPECT_EQ(run_async(call,
                      [](flow::Request, flow::Completion done) {
                        done.finish_with([] { throw std::runtime_error("no luck"); });
                      }),
            FLOW_INTERNAL);
  EXPECT_EQ(call.error(), "std::runtime_error: no luck");
}

TEST(SdkAsync, CancelNamesTheCall) {
  FakeCall call({});
  std::optional<flow::Completion> kept;
  ScriptedAsync::script = [&](flow::Request request, flow::Completion done) {
    EXPECT_EQ(request.call(), done.call());
    kept = std::move(done);
  };
  FakeHost host(kScriptedAsync);

  host.start(call);
  host.cancel(call);
  EXPECT_EQ(ScriptedAsync::cancelled, kept->call());
  kept->fail(FLOW_CANCELLED, "cancelled");

  EXPECT_EQ(host.wait(call), FLOW_CANCELLED);
}

}  // namespace
