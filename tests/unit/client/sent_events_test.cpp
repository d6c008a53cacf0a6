// SPDX-License-Identifier: Apache-2.0
#include "client/src/sent_events.hpp"

#include <gtest/gtest.h>

namespace flow::client {
namespace {

TEST(SentEvents, AreCutAtEmptyLines) {
  SentEventReader reader;
  reader.feed("event: update\ndata: {\"id\": 1}\n\nevent: end\ndata: \n\n");
  auto event = reader.next();
  EXPECT_EQ(event->name, "update");
  EXPECT_EQ(event->data, "{\"id\": 1}");
  event = reader.next();
  EXPECT_EQ(event->name, "end");
  EXPECT_FALSE(reader.next());
}

TEST(SentEvents, ComeByteByByteToo) {
  SentEventReader reader;
  std::optional<SentEvent> event;
  for (const char c : std::string_view("event: a\r\ndata: 1\r\ndata:2\r\n\r\n")) {
    EXPECT_FALSE(event);
    reader.feed(std::string_view(&c, 1));
    event = reader.next();
  }
  ASSERT_TRUE(event);
  EXPECT_EQ(event->name, "a");
  EXPECT_EQ(event->data, "1\n2");
  EXPECT_EQ(reader.held(), 0u);
}

TEST(SentEvents, OverlookCommentsAndFieldsOfOthers) {
  SentEventReader reader;
  reader.feed(": keep-alive\n\nid: 7\nretry: 10\nnonsense\ndata: x\n\n");
  EXPECT_EQ(reader.next()->data, "x");
  EXPECT_FALSE(reader.next());
}

TEST(SentEvents, CountWhatTheyHoldOfAnEventThatDoesNotEnd) {
  SentEventReader reader;
  reader.feed("data: 12345\ndata: 678");
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.held(), 5u + 9u);
}

}  // namespace
}  // namespace flow::client
