// SPDX-License-Identifier: Apache-2.0
#include "core/net_address.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using ::testing::HasSubstr;

TEST(NetAddress, ReadsAndWritesEveryForm) {
  const std::pair<std::string, NetAddress> cases[] = {
      {"localhost:80", {.host = "localhost", .port = 80}},
      {"0.0.0.0:0", {.host = "0.0.0.0", .port = 0}},
      {"ranker.search.svc:65535", {.host = "ranker.search.svc", .port = 65535}},
      {"[::1]:12345", {.host = "::1", .port = 12345}},
      {"[fe80::1%eth0]:1", {.host = "fe80::1%eth0", .port = 1}},
      {"unix:/run/flow/a b.sock", {.unix_path = "/run/flow/a b.sock"}},
      {"unix:relative.sock", {.unix_path = "relative.sock"}},
  };
  for (const auto& [text, address] : cases) {
    const auto parsed = parse_address(text);

    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, address) << text;
    EXPECT_EQ(format_address(address), text);
  }
}

TEST(NetAddress, RefusesEverythingElseAndSaysWhy) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "the port is missing"},
      {"localhost", "the port is missing"},
      {":80", "the host is missing"},
      {"localhost:", "the port is not a number"},
      {"localhost:http", "the port is not a number"},
      {"localhost:65536", "the port is not a number"},
      {"localhost:-1", "the port is not a number"},
      {"localhost:80 ", "the port is not a number"},
      {"local host:80", "the host is not a name"},
      {"http://localhost:80", "the host is not a name"},
      {"a:b:80", "the host is not a name"},
      {"::1:80", "an IPv6 address needs brackets"},
      {"::1", "an IPv6 address needs brackets"},
      {"[localhost]:80", "no IPv6 address between the brackets"},
      {"[]:80", "no IPv6 address between the brackets"},
      {"[::1]80", "the host is not a name"},
      {"[::1]", "the host is not a name"},
      {"unix:", "the path is missing"},
      {std::string("unix:/a\0b", 9), "NUL"},
      {"unix:/" + std::string(107, 'x'), "at most 107 bytes, this one has 108"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = parse_address(text);

    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(message(parsed.status())), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace flow::core
