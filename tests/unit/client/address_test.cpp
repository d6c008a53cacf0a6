// SPDX-License-Identifier: Apache-2.0
#include "flow/address.hpp"

#include <gmock/gmock.h>

#include "core/status.hpp"

namespace flow {
namespace {

using testing::HasSubstr;

ServerAddress parsed(std::string_view url) {
  const auto address = parse_url(url);
  EXPECT_TRUE(address.ok()) << url << ": " << address.status();
  return address.value_or(ServerAddress{});
}

std::string refusal(std::string_view url) {
  const auto address = parse_url(url);
  EXPECT_FALSE(address.ok()) << url;
  return std::string(core::message(address.status()));
}

TEST(ServerUrl, KnowsAllSchemes) {
  const std::pair<std::string_view, ServerAddress> cases[] = {
      {"grpc://a:1", {Protocol::Grpc, "a", 1, false}},
      {"grpcs://a:1", {Protocol::Grpc, "a", 1, true}},
      {"http://a:1", {Protocol::Http, "a", 1, false}},
      {"https://a:1", {Protocol::Http, "a", 1, true}},
      {"ws://a:1", {Protocol::WebSocket, "a", 1, false}},
      {"websocket://a:1", {Protocol::WebSocket, "a", 1, false}},
      {"wss://a:1", {Protocol::WebSocket, "a", 1, true}},
      {"websockets://a:1", {Protocol::WebSocket, "a", 1, true}},
      {"GRPC://a:1", {Protocol::Grpc, "a", 1, false}},
  };
  for (const auto& [url, address] : cases) EXPECT_EQ(parsed(url), address) << url;
}

TEST(ServerUrl, MeansGrpcWithoutAScheme) {
  EXPECT_EQ(parsed("localhost:12345"), (ServerAddress{Protocol::Grpc, "localhost", 12345, false}));
}

TEST(ServerUrl, HasThePortOfItsSchemeWithoutOne) {
  EXPECT_EQ(parsed("http://a").port, 80);
  EXPECT_EQ(parsed("wss://a").port, 443);
  EXPECT_EQ(parsed("grpc://a").port, 12345);
}

TEST(ServerUrl, TakesIpv6InBrackets) {
  EXPECT_EQ(parsed("http://[::1]:80"), (ServerAddress{Protocol::Http, "::1", 80, false}));
  EXPECT_EQ(parsed("grpc://[fe80::1]").host, "fe80::1");
}

TEST(ServerUrl, OverlooksASlashAtItsEnd) { EXPECT_EQ(parsed("http://a:1/").port, 1); }

TEST(ServerUrl, IsWrittenAsItIsRead) {
  for (const std::string_view url :
       {"grpc://a:1", "grpcs://a:1", "http://a:1", "https://[::1]:1", "ws://a:1", "wss://a:1"}) {
    EXPECT_EQ(format_url(parsed(url)), url);
  }
}

TEST(ServerUrl, RefusesAnUnknownSchemeAndSaysWhichItMayBe) {
  EXPECT_THAT(refusal("htpp://a:1"),
              HasSubstr("there is no scheme \"htpp\" (did you mean \"http\"?)"));
}

TEST(ServerUrl, RefusesPortsThatAreNone) {
  for (const std::string_view url : {"a:", "a:0", "a:65536", "a:-1", "a:1x", "a: 1", "a:1:2"}) {
    EXPECT_THAT(refusal(url), HasSubstr("is no port (1 to 65535)")) << url;
  }
}

TEST(ServerUrl, RefusesAPath) {
  EXPECT_THAT(refusal("http://a:1/post"), HasSubstr("a path means nothing here"));
  EXPECT_THAT(refusal("http://a/post"), HasSubstr("\"/\" cannot be part of a host"));
}

TEST(ServerUrl, RefusesWhatHasNoHost) {
  for (const std::string_view url : {"", "grpc://", ":1", "http://:80", "/"}) {
    EXPECT_THAT(refusal(url), HasSubstr("there is no host")) << url;
  }
}

TEST(ServerUrl, RefusesBracketsThatAreNotAnIpv6Address) {
  EXPECT_THAT(refusal("[::1"), HasSubstr("the bracket is not closed"));
  EXPECT_THAT(refusal("[::1]x:1"), HasSubstr("the port does not follow the bracket"));
  EXPECT_THAT(refusal("[a]:1"), HasSubstr("only IPv6 addresses"));
}

TEST(ServerUrl, RefusesWhatCouldSmuggleHeaders) {
  for (const std::string_view url : {"http://a\r\nx: y", "http://user@a", "http://a b", "a?b"}) {
    EXPECT_THAT(refusal(url), HasSubstr("cannot be part of a host")) << url;
  }
}

}  // namespace
}  // namespace flow
