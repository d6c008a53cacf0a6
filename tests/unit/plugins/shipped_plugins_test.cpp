// SPDX-License-Identifier: Apache-2.0
//
// Protects what users of the plugins that we ship see of them. Tests the libraries as built, not
// their sources, so that what is tested is what is loaded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "flow/testing.hpp"
#include "loaded_plugin.hpp"

namespace {

using flow::testing::FakeCall;
using flow::testing::FakeDoc;
using flow::testing::FakeHost;
using flow::testing::FakeTensor;
using flow::testing::FakeValue;
using ::testing::Each;
using ::testing::FloatEq;
using ::testing::SizeIs;

TEST(Echo, ReturnsDocumentsUnchanged) {
  FakeHost host(shipped_plugin("echo"));
  FakeCall call({.endpoint = "/anything",
                 .docs = {{.id = "1", .text = "a", .tags = {{"k", 1}}, .chunks = {{.text = "c"}}},
                          {.id = "2", .blob = {1, 2, 3}}}});

  EXPECT_EQ(host.process(call), FLOW_OK);

  ASSERT_EQ(call.docs.size(), 2U);
  EXPECT_EQ(call.docs.front().text, "a");
  EXPECT_EQ(call.docs.front().tags["k"].number(), 1);
  EXPECT_EQ(call.docs.front().chunks.front().text, "c");
  EXPECT_THAT(call.docs.back().blob, SizeIs(3));
}

// ---- text-normalize

FakeValue normalization(const char* form = "NFC", bool fold_case = true,
                        bool collapse_whitespace = true) {
  return {{"form", form}, {"fold_case", fold_case}, {"collapse_whitespace", collapse_whitespace}};
}

std::string normalized(const std::string& text, const FakeValue& config = normalization()) {
  FakeHost host(shipped_plugin("text-normalize"), config);
  FakeCall call({.docs = {{.id = "1", .text = text}}});
  EXPECT_EQ(host.process(call), FLOW_OK) << call.error();
  return call.docs.front().text;
}

TEST(TextNormalize, ComposesCharacters) {
  EXPECT_EQ(normalized("e\u0301"), "\u00e9");
  EXPECT_EQ(normalized("\u1112\u1161\u11ab"), "\ud55c") << "Hangul";
  EXPECT_EQ(normalized("a\u0323\u0307"), normalized("a\u0307\u0323")) << "the order of marks";
}

TEST(TextNormalize, NfkcAlsoUnifiesCompatibleCharacters) {
  EXPECT_EQ(normalized("\ufb01", normalization("NFKC")), "fi");
  EXPECT_EQ(normalized("\uff21", normalization("NFKC", false)), "A");
  EXPECT_EQ(normalized("\uff21", normalization("NFC", false)), "\uff21");
}

TEST(TextNormalize, FoldsCaseInFull) {
  EXPECT_EQ(normalized("Stra\u00dfe"), "strasse");
  EXPECT_EQ(normalized("\u03a3\u03c2"), "\u03c3\u03c3") << "final sigma";
  EXPECT_EQ(normalized("Stra\u00dfe", normalization("NFC", false)), "Stra\u00dfe");
}

TEST(TextNormalize, CollapsesWhiteSpaceOfEveryKind) {
  EXPECT_EQ(normalized(" \t a\u00a0\u2003\r\nb\u3000"), "a b");
  EXPECT_EQ(normalized(" \u2028 "), "");
  EXPECT_EQ(normalized(" a  b ", normalization("NFC", true, false)), " a  b ");
}

TEST(TextNormalize, KeepsNulBytesAndWhatIsNotWhiteSpace) {
  EXPECT_EQ(normalized(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(normalized("a\u200bb"), "a\u200bb") << "ZERO WIDTH SPACE is not White_Space";
}

TEST(TextNormalize, RecursesIntoChunksButNotMatches) {
  FakeHost host(shipped_plugin("text-normalize"), normalization());
  FakeCall call({.docs = {{.chunks = {{.text = "A", .chunks = {{.text = "B"}}}},
                           .matches = {{.text = "C"}}}}});

  EXPECT_EQ(host.process(call), FLOW_OK);

  EXPECT_EQ(call.docs.front().chunks.front().text, "a");
  EXPECT_EQ(call.docs.front().chunks.front().chunks.front().text, "b");
  EXPECT_EQ(call.docs.front().matches.front().text, "C");
}

TEST(TextNormalize, LeavesBlobsAndTensorsAlone) {
  FakeHost host(shipped_plugin("text-normalize"), normalization());
  FakeCall call(
      {.docs = {{.blob = {1}}, {.tensor = FakeTensor::of<float>({1}, {1})}, {.text = "A"}}});

  EXPECT_EQ(host.process(call), FLOW_OK);

  EXPECT_THAT(call.docs.front().blob, SizeIs(1));
  EXPECT_THAT(std::next(call.docs.begin())->tensor.bytes, SizeIs(4));
}

TEST(TextNormalize, NamesTheDocumentAndTheByteThatIsNotUtf8) {
  struct Case {
    std::string text;
    int offset;
  };
  for (const auto& [text, offset] :
       {Case{"abc\xff", 3}, Case{"\xc3", 0}, Case{"\u00e9\x80", 2},
        Case{"a\xed\xa0\x80", 1} /* a surrogate */, Case{"\xc0\xaf", 0} /* overlong */,
        Case{"\xf4\x90\x80\x80", 0} /* past U+10FFFF */}) {
    FakeHost host(shipped_plugin("text-normalize"), normalization());
    FakeCall call({.docs = {{.id = "good", .text = "a"}, {.id = "bad", .text = text}}});

    EXPECT_EQ(host.process(call), FLOW_INVALID_ARGUMENT);
    EXPECT_EQ(call.error(),
              "document \"bad\": its text is not valid UTF-8 at byte " + std::to_string(offset));
  }
}

std::string encoded(char32_t c) {
  std::string bytes;
  const auto put = [&bytes](char32_t byte) { bytes += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3f));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  }
  return bytes;
}

TEST(TextNormalize, ANormalFormIsItsOwn) {
  std::mt19937 random(1);
  std::uniform_int_distribution<char32_t> any(0, 0x1ffff);
  std::uniform_int_distribution<char32_t> low(0, 0x3ff);  // where case and marks are dense

  for (const char* form : {"NFC", "NFKC"}) {
    for (const bool fold_case : {false, true}) {
      for (const bool collapse : {false, true}) {
        FakeHost host(shipped_plugin("text-normalize"), normalization(form, fold_case, collapse));
        flow::testing::FakeRequest request;
        for (int i = 0; i < 400; ++i) {
          std::string text;
          while (text.size() < 40) {
            const char32_t c = random() % 2 == 0 ? any(random) : low(random);
            if (c < 0xd800 || c > 0xdfff) text += encoded(c);
          }
          request.docs.push_back({.text = text});
        }
        FakeCall once(request);
        ASSERT_EQ(host.process(once), FLOW_OK) << once.error();
        FakeCall twice({.docs = once.docs});
        ASSERT_EQ(host.process(twice), FLOW_OK) << twice.error();

        auto expected = once.docs.begin();
        for (const FakeDoc& doc : twice.docs) EXPECT_EQ(doc.text, (expected++)->text);
      }
    }
  }
}

// ---- text-encoder

FakeValue encoder(int dimensions = 256, int ngram_min = 2, int ngram_max = 4) {
  return {{"dimensions", dimensions}, {"ngram_min", ngram_min}, {"ngram_max", ngram_max}};
}

std::vector<float> embedding(const std::string& text, const FakeValue& config = encoder()) {
  FakeHost host(shipped_plugin("text-encoder"), config);
  FakeCall call({.docs = {{.text = text}}});
  EXPECT_EQ(host.process(call), FLOW_OK) << call.error();
  return call.docs.front().embedding.as<float>();
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

TEST(TextEncoder, MakesVectorsOfTheConfiguredSize) {
  EXPECT_THAT(embedding("hello"), SizeIs(256));
  EXPECT_THAT(embedding("hello", encoder(1)), SizeIs(1));
  EXPECT_THAT(embedding("hello", encoder(65536)), SizeIs(65536));
}

TEST(TextEncoder, VectorsHaveLengthOne) {
  for (const char* text :
       {"a", "hello world", "\u00e9\u00e8", "\xff\xfe", "aaaaaaaaaaaaaaaaaaaa"}) {
    const std::vector<float> vector = embedding(text);
    EXPECT_NEAR(dot(vector, vector), 1, 1e-5) << text;
  }
}

TEST(TextEncoder, NoTextIsTheZeroVector) {
  const std::vector<float> vector = embedding("");

  EXPECT_THAT(vector, SizeIs(256));
  EXPECT_THAT(vector, Each(FloatEq(0)));
}

TEST(TextEncoder, SameTextSameVectorOtherTextOtherVector) {
  EXPECT_EQ(embedding("the quick fox"), embedding("the quick fox"));
  EXPECT_NE(embedding("the quick fox"), embedding("the quick box"));
  EXPECT_NE(embedding("fox the"), embedding("the fox"));
  EXPECT_NE(embedding("ab"), embedding("ba"));
}

TEST(TextEncoder, IsTheSameInEveryReleaseAndOnEveryPlatform) {
  // Computed by hand, that is, by another language.
  const auto u = static_cast<float>(1 / std::sqrt(6.0));
  const std::vector<float> expected = {u, -u, u, -u, -u, -u, 0, 0};

  EXPECT_EQ(embedding("flow", encoder(8)), expected);
}

TEST(TextEncoder, TextsThatShareMoreAreCloser) {
  const std::vector<float> query = embedding("gateway routes requests");

  EXPECT_GT(dot(query, embedding("the gateway routes a request")), 0.5);
  EXPECT_GT(dot(query, embedding("the gateway routes a request")),
            dot(query, embedding("bananas are yellow")));
}

TEST(TextEncoder, CountsCharactersNotBytes) {
  // One character of two bytes, and so no 4-gram within the boundaries.
  EXPECT_EQ(embedding("\u00e9", encoder(64, 4, 4)), std::vector<float>(64));
  EXPECT_NE(embedding("ab", encoder(64, 4, 4)), std::vector<float>(64));
}

TEST(TextEncoder, KeepsTheTextAndRecursesIntoChunks) {
  FakeHost host(shipped_plugin("text-encoder"), encoder(16));
  FakeCall call({.docs = {{.text = "a", .chunks = {{.text = "b", .chunks = {{.text = "c"}}}}}}});

  EXPECT_EQ(host.process(call), FLOW_OK);

  const FakeDoc& doc = call.docs.front();
  EXPECT_EQ(doc.text, "a");
  EXPECT_EQ(doc.embedding.as<float>(), embedding("a", encoder(16)));
  EXPECT_EQ(doc.chunks.front().embedding.as<float>(), embedding("b", encoder(16)));
  EXPECT_EQ(doc.chunks.front().chunks.front().embedding.as<float>(), embedding("c", encoder(16)));
}

TEST(TextEncoder, ADocumentsVectorDoesNotDependOnItsNeighbours) {
  FakeHost host(shipped_plugin("text-encoder"), encoder());
  FakeCall call({.docs = {{.text = "a"}, {.text = "b"}}});

  host.process(call);

  EXPECT_EQ(call.docs.back().embedding.as<float>(), embedding("b"));
}

TEST(TextEncoder, RefusesAnEmptyRangeOfNgrams) {
  try {
    FakeHost host(shipped_plugin("text-encoder"), encoder(256, 5, 4));
    FAIL() << "created";
  } catch (const flow::Error& error) {
    EXPECT_EQ(error.code(), FLOW_INVALID_ARGUMENT);
    EXPECT_STREQ(error.what(), "config key \"ngram_min\": expected at most ngram_max, 4, found 5");
  }
}

}  // namespace
