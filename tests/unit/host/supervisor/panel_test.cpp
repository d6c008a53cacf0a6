// SPDX-License-Identifier: Apache-2.0
//
// What is drawn on a terminal must line up there: wide characters take two columns.
#include "host/supervisor/panel.hpp"

#include <set>
#include <sstream>

#include "gtest/gtest.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;

std::set<std::size_t> widths(const std::string& panel) {
  std::set<std::size_t> all;
  std::istringstream lines(panel);
  for (std::string line; std::getline(lines, line);) all.insert(display_width(line));
  return all;
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("╭─╮"), 3U);
  EXPECT_EQ(display_width("🎉"), 2U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width(""), 0U);
}

TEST(DisplayWidth, ABrokenByteIsOneColumn) { EXPECT_EQ(display_width("a\xff"), 2U); }

TEST(ReadyPanel, IsTheDocumentedOne) {
  EXPECT_EQ(ready_panel("GRPC · HTTP", "0.0.0.0:12345", "192.168.1.13"),
            "╭────── 🎉 Flow is ready to serve! ──────╮\n"
            "│  🔗  Protocol           GRPC · HTTP    │\n"
            "│  🏠     Local         0.0.0.0:12345    │\n"
            "│  🔒   Private    192.168.1.13:12345    │\n"
            "╰────────────────────────────────────────╯\n");
}

TEST(ReadyPanel, NamesWhatThePortSpeaks) {
  core::GatewayConfig gateway;
  EXPECT_EQ(protocols_text(gateway), "GRPC · HTTP · WEBSOCKET");
  gateway.protocols = {.grpc = false, .http = true, .websocket = false};
  EXPECT_EQ(protocols_text(gateway), "HTTP");
  gateway.tls.emplace();
  EXPECT_EQ(protocols_text(gateway), "HTTP (TLS)");
}

TEST(ReadyPanel, HasNoPrivateLineWithoutAnAddress) {
  EXPECT_EQ(ready_panel("GRPC · HTTP", "0.0.0.0:12345", ""),
            "╭─── 🎉 Flow is ready to serve! ────╮\n"
            "│  🔗  Protocol      GRPC · HTTP    │\n"
            "│  🏠     Local    0.0.0.0:12345    │\n"
            "╰───────────────────────────────────╯\n");
}

TEST(ReadyPanel, HasNoPrivateLineIfOnlyOneInterfaceIsServed) {
  EXPECT_EQ(ready_panel("GRPC · HTTP", "127.0.0.1:80", "10.0.0.1").find("Private"),
            std::string::npos);
}

TEST(ReadyPanel, IsStraightWhateverTheAddress) {
  for (const char* address : {"0.0.0.0:1", "[::]:12345", "127.0.0.1:80",
                              "a-very-long-name-of-a-machine.example.org:12345"}) {
    EXPECT_EQ(widths(ready_panel("GRPC · HTTP", address, "10.0.0.1")).size(), 1U) << address;
  }
}

TEST(DeploymentsLine, IsTheDocumentedOne) {
  EXPECT_EQ(deployments_line(2, 2), "2 Deployments (i.e. 2 Pods) are running in this Flow ");
}

TEST(ProgressLine, SaysWhoIsMissingAndForHowLong) {
  EXPECT_EQ(progress_line(0, {"executor0", "gateway"}, 3, 2s, 80),
            "⠋ Waiting executor0 gateway 1/3 0:00:02");
  EXPECT_EQ(progress_line(11, {"gateway"}, 3, 3723s, 80), "⠙ Waiting gateway 2/3 1:02:03");
}

TEST(ProgressLine, NeverIsWiderThanTheTerminal) {
  const std::vector<std::string> many(50, "executor");
  for (std::size_t columns = 0; columns < 100; ++columns) {
    EXPECT_LE(display_width(progress_line(0, many, 51, 2s, columns)), columns);
  }
}

TEST(ProgressLine, KeepsTheNumbersWhenTheNamesDoNotFit) {
  const std::string line = progress_line(0, std::vector<std::string>(50, "executor"), 51, 2s, 40);
  EXPECT_TRUE(line.ends_with(" 1/51 0:00:02")) << line;
}

}  // namespace
}  // namespace flow::host
