// SPDX-License-Identifier: Apache-2.0
// Protects the way of a line to the real standard error, which a pipe or a pseudo-terminal stands
// in for here.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>

#include "core/log.hpp"
#include "core/unique_fd.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

// Standard error is `fd` as long as this lives.
class StderrIs {
 public:
  explicit StderrIs(int fd) : before_(::dup(STDERR_FILENO)) { ::dup2(fd, STDERR_FILENO); }
  ~StderrIs() { ::dup2(before_.get(), STDERR_FILENO); }

 private:
  UniqueFd before_;
};

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  UniqueFd read_end;
  UniqueFd write_end;
};

std::string read_some(const UniqueFd& fd) {
  pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, 5000) <= 0) return "(nothing came)";
  std::string text(1 << 16, '\0');
  text.resize(
      static_cast<std::size_t>(std::max<ssize_t>(::read(fd.get(), text.data(), text.size()), 0)));
  return text;
}

TEST(Logger, WritesALineWithItsNameAndProcess) {
  const Pipe pipe;
  {
    const StderrIs redirected(pipe.write_end.get());
    make_logger("gateway/rep-0", {})->info("listening on {}", 12345);
  }
  EXPECT_THAT(read_some(pipe.read_end),
              MatchesRegex("INFO   gateway/rep-0@[0-9]+ listening on 12345  "
                           "\\[[0-9][0-9]/[0-9][0-9]/[0-9][0-9] "
                           "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\\]\n"));
}

TEST(Logger, WritesJson) {
  const Pipe pipe;
  {
    const StderrIs redirected(pipe.write_end.get());
    make_logger("flow-host", {.level = "info", .format = LogFormat::Json})->error("no\nluck");
  }
  const std::string line = read_some(pipe.read_end);
  EXPECT_THAT(line, StartsWith("{\"time\":\""));
  EXPECT_THAT(line, HasSubstr("\"level\":\"error\",\"name\":\"flow-host\",\"pid\":"));
  EXPECT_THAT(line, EndsWith("\"message\":\"no\\nluck\"}\n"));
}

TEST(Logger, WritesNothingBelowItsLevel) {
  const Pipe pipe;
  {
    const StderrIs redirected(pipe.write_end.get());
    make_logger("a", {.level = "warning"})->info("too quiet");
    make_logger("a", {.level = "off"})->error("off");
    make_logger("a", {.level = "warning"})->warn("loud enough");
  }
  EXPECT_THAT(read_some(pipe.read_end), StartsWith("WARNI\u2026 a@"));
}

TEST(Logger, SurvivesAStandardErrorThatNobodyReads) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const StderrIs redirected(full.get());

  make_logger("a", {})->info("lost");
}

TEST(Logger, PutsTheTimeAtTheRightOfATerminalAndColoursTheLevel) {
  int controller = -1;
  int terminal = -1;
  winsize size{.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::openpty(&controller, &terminal, nullptr, nullptr, &size) != 0) {
    GTEST_SKIP() << "no pseudo-terminals here (is /dev/pts mounted?)";
  }
  const UniqueFd controller_fd(controller);
  const UniqueFd terminal_fd(terminal);
  {
    const StderrIs redirected(terminal_fd.get());
    make_logger("a", {})->info("hello");
  }
  const std::string line = read_some(controller_fd);
  EXPECT_THAT(line, StartsWith("\x1b[32mINFO  \x1b[0m a@"));
  EXPECT_THAT(line, EndsWith("]\r\n"));
  EXPECT_EQ(line.size(), 100 + std::string("\x1b[32m\x1b[0m\r\n").size());
}

}  // namespace
}  // namespace flow::core
