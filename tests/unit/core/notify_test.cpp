// SPDX-License-Identifier: Apache-2.0
// Protects the wire form of the notify protocol: what we write, systemd must read.
#include "core/notify.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(NotifyMessage, IsLinesOfKeyAndValue) {
  EXPECT_EQ(format_notify({{"READY", "1"}, {"STATUS", "a = b"}}), "READY=1\nSTATUS=a = b\n");
  EXPECT_EQ(format_notify({}), "");
}

TEST(NotifyMessage, KeepsLineBreaksOfAValueOutOfTheProtocol) {
  EXPECT_EQ(format_notify({{"STATUS", "one\nREADY=1\r\n"}}), "STATUS=one READY=1  \n");
}

TEST(NotifyMessage, ReadsWhatItWrites) {
  const NotifyMessage message = {{"READY", "1"},
                                 {std::string(notify_key::kExecutor), "encoder"},
                                 {"STATUS", "caf\u00e9 = open"},
                                 {"EMPTY", ""}};

  const auto parsed = parse_notify(format_notify(message));

  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, message);
}

TEST(NotifyMessage, ReadsOtherWriters) {
  const std::pair<std::string, NotifyMessage> cases[] = {
      {"", {}},
      {"READY=1", {{"READY", "1"}}},
      {"\n\nREADY=1\n\n", {{"READY", "1"}}},
      {"STATUS=a\nSTATUS=b", {{"STATUS", "b"}}},
      {"STATUS==", {{"STATUS", "="}}},
  };
  for (const auto& [datagram, message] : cases) {
    const auto parsed = parse_notify(datagram);

    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, message) << datagram;
  }
}

TEST(NotifyMessage, RefusesLinesWithoutAKeyAndAnEqualsSign) {
  for (const char* datagram : {"READY", "READY=1\nnonsense", "=1", " \n"}) {
    const auto parsed = parse_notify(datagram);

    ASSERT_FALSE(parsed.ok()) << datagram;
    EXPECT_THAT(std::string(message(parsed.status())), HasSubstr("is not KEY=value"));
  }
}

TEST(NotifyMessage, CarriesSeveralLinesInOneValue) {
  const std::vector<std::string> lines = {"thread 7:", "#0 0x1 f(int)+0x1c in a\tb.so", "#1 0x2"};
  const auto message = parse_notify(format_notify({{"X_FLOW_STACK", joined_lines(lines)}}));
  ASSERT_TRUE(message.ok());
  EXPECT_THAT(split_lines(message->at("X_FLOW_STACK")),
              ElementsAre("thread 7:", "#0 0x1 f(int)+0x1c in a b.so", "#1 0x2"));
  EXPECT_THAT(split_lines(""), IsEmpty());
  EXPECT_THAT(split_lines("\t\tx\t"), ElementsAre("x"));
}

}  // namespace
}  // namespace flow::core
