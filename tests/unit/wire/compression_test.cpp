// SPDX-License-Identifier: Apache-2.0
// Messages inflated and deflated, most of them hostile.
#include "wire/compression.hpp"

#include <zlib.h>

#include <random>

#include "core/limits.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::wire {
namespace {

using testing::HasSubstr;
namespace limits = core::limits;

constexpr std::uint64_t kMax = 1 << 20;

std::string framed_as_compressed(std::string_view payload) {
  std::string framed = frame(payload);
  framed[0] = 1;
  return framed;
}

// What zlib makes of `text`, with a window of 2^`bits` bytes; 16 more: as gzip.
std::string deflated(std::string_view text, int bits = 15) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Inflated {
  absl::StatusOr<std::string> message;
  int steps = 0;
  std::size_t size_max = 0;  // that it had on the way
};

Inflated inflate(Encoding encoding, std::string_view payload, std::uint64_t max = kMax,
                 std::size_t slice = limits::kInflateSlice) {
  Inflater inflater(encoding, framed_as_compressed(payload), max);
  Inflated result;
  for (;;) {
    const auto complete = inflater.step(slice);
    ++result.steps;
    result.size_max = std::max(result.size_max, inflater.size());
    if (!complete.ok()) {
      result.message = complete.status();
      return result;
    }
    if (*complete) {
      result.message = inflater.take();
      return result;
    }
  }
}

std::string random_text(std::size_t size) {
  std::mt19937 random(1);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

TEST(Compression, ComesBackAsItWasInBothEncodings) {
  const std::string text(100'000, 'x');
  for (const Encoding encoding : {Encoding::Deflate, Encoding::Gzip}) {
    const std::string compressed = compress(frame(text), encoding);
    ASSERT_TRUE(is_compressed(compressed)) << name(encoding);
    EXPECT_LT(compressed.size(), 1000u);
    const Inflated back = inflate(encoding, payload(compressed));
    ASSERT_TRUE(back.message.ok()) << back.message.status();
    EXPECT_EQ(*back.message, frame(text));
  }
}

TEST(Compression, AnEmptyMessageMayBeCompressed) {
  const Inflated back = inflate(Encoding::Gzip, deflated("", 31));
  ASSERT_TRUE(back.message.ok()) << back.message.status();
  EXPECT_EQ(*back.message, frame(""));
}

TEST(Compression, SmallHugeAndRandomMessagesAreLeftAsTheyAre) {
  for (const std::string& text : {std::string(), std::string(limits::kCompressMin - 1, 'x'),
                                  std::string(limits::kCompressMax + 1, 'x'), random_text(5000)}) {
    EXPECT_EQ(compress(frame(text), Encoding::Gzip), frame(text));
  }
}

TEST(Compression, IsDoneInSlicesOfBoundedSize) {
  const std::string text = std::string(300'000, 'x') + random_text(1000);
  const Inflated back = inflate(Encoding::Deflate, deflated(text), kMax, 1000);
  ASSERT_TRUE(back.message.ok());
  EXPECT_EQ(*back.message, frame(text));
  EXPECT_GE(back.steps, 301);
}

TEST(Compression, AMessageThatEndsWithASliceIsComplete) {
  for (const std::size_t size : {999u, 1000u, 1001u, 2000u}) {
    const Inflated back = inflate(Encoding::Deflate, deflated(std::string(size, 'x')), kMax, 1000);
    ASSERT_TRUE(back.message.ok()) << size << back.message.status();
    EXPECT_EQ(payload(*back.message).size(), size);
  }
}

TEST(Compression, TheLimitIsKeptToTheByte) {
  const std::string text(5000, 'x');
  EXPECT_TRUE(inflate(Encoding::Gzip, deflated(text, 31), 5000).message.ok());
  const Inflated beyond = inflate(Encoding::Gzip, deflated(text, 31), 4999);
  EXPECT_EQ(beyond.message.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(beyond.message.status().message()), HasSubstr("limit of 4999"));
}

TEST(Compression, ABombCostsNoMoreThanTheLimit) {
  const std::string bomb = deflated(std::string(100 << 20, '\0'), 31);
  ASSERT_LT(bomb.size(), 200'000u);
  const Inflated result = inflate(Encoding::Gzip, bomb);
  EXPECT_EQ(result.message.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LE(result.size_max, kMax + kFramePrefix + 1);
}

TEST(Compression, StreamsThatAreCutOffAreRefusedAtEachByte) {
  const std::string whole = deflated("hello, hello, hello", 31);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Inflated result = inflate(Encoding::Gzip, whole.substr(0, size));
    EXPECT_EQ(result.message.status().code(), absl::StatusCode::kInternal) << size;
  }
}

TEST(Compression, WhatFollowsTheStreamIsRefused) {
  for (const std::string& more : {std::string("x"), deflated("again", 31)}) {
    const Inflated result = inflate(Encoding::Gzip, deflated("hello", 31) + more);
    EXPECT_EQ(result.message.status().code(), absl::StatusCode::kInternal);
  }
}

TEST(Compression, AnotherFormatThanWasSaidIsRefused) {
  EXPECT_FALSE(inflate(Encoding::Gzip, deflated("hello")).message.ok());
  EXPECT_FALSE(inflate(Encoding::Deflate, deflated("hello", 31)).message.ok());
  EXPECT_FALSE(inflate(Encoding::Deflate, deflated("hello", -15)).message.ok()) << "raw deflate";
  EXPECT_FALSE(inflate(Encoding::Deflate, "hello").message.ok());
}

TEST(Compression, ASmallerWindowIsFineALargerOneAndADictionaryAreRefused) {
  const std::string text(3000, 'x');
  EXPECT_TRUE(inflate(Encoding::Deflate, deflated(text, 9)).message.ok());
  std::string large = deflated(text);
  large[0] = '\x88';  // a window of 2^16
  large[1] = '\x1c';
  EXPECT_FALSE(inflate(Encoding::Deflate, large).message.ok());
  const std::string dictionary = std::string("\x78\xbb", 2) + std::string(8, 'd');
  const Inflated result = inflate(Encoding::Deflate, dictionary);
  EXPECT_THAT(std::string(result.message.status().message()), HasSubstr("dictionary"));
}

TEST(Compression, AFlippedBitAnywhereNeverGivesAnotherMessage) {
  const std::string text = "some text, some more text, and some more of that text";
  const std::string whole = deflated(text, 31);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bad = whole;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const Inflated result = inflate(Encoding::Gzip, bad);
    if (result.message.ok()) {
      EXPECT_EQ(*result.message, frame(text)) << bit;
    }
  }
}

TEST(Compression, EncodingsAreKnownByTheirNames) {
  EXPECT_EQ(parse_encoding("gzip"), Encoding::Gzip);
  EXPECT_EQ(parse_encoding("deflate"), Encoding::Deflate);
  EXPECT_EQ(parse_encoding("identity"), Encoding::Identity);
  for (const std::string_view other : {"", "snappy", "GZIP", "gzip ", "gzip, deflate"}) {
    EXPECT_EQ(parse_encoding(other), std::nullopt) << other;
  }
}

TEST(Compression, AnAcceptListIsReadItemByItem) {
  EXPECT_TRUE(accepts("gzip", Encoding::Gzip));
  EXPECT_TRUE(accepts("identity, deflate, gzip", Encoding::Gzip));
  EXPECT_TRUE(accepts("identity,deflate , gzip", Encoding::Deflate));
  for (const std::string_view list : {"", ",", " , ,", "identity", "gzipped", "x-gzip, identity"}) {
    EXPECT_FALSE(accepts(list, Encoding::Gzip)) << list;
  }
}

TEST(Compression, AReaderGivesCompressedMessagesOnlyIfItWasTold) {
  const std::string message = framed_as_compressed("zzz");
  MessageReader plain(100), told(100);
  told.take_compressed();
  std::string_view bytes = message;
  EXPECT_EQ(plain.next(bytes).status().code(), absl::StatusCode::kInternal);
  bytes = message;
  const auto given = told.next(bytes);
  ASSERT_TRUE(given.ok());
  EXPECT_EQ(**given, message);
  std::string bad = message;
  bad[0] = 2;
  bytes = bad;
  EXPECT_FALSE(told.next(bytes).ok());
}

}  // namespace
}  // namespace flow::wire
