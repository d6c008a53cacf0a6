// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/log_line.hpp"

namespace flow::ctl {

// What a command tells as it goes on: a sentence, and lines that say more about it.
struct Message {
  std::string_view level = "info";  // one of core::kLogLevels
  std::string text;
  std::vector<std::string> details = {};

  bool operator==(const Message&) const = default;
};

// What is written on. Width 0: not a terminal.
struct Paper {
  std::size_t width = 0;  // in columns
  core::LogColour colour = core::LogColour::Off;
};

// The lines of a text that is at most so many columns wide, broken between words if that is
// possible. Control characters are escaped. At least one line.
std::vector<std::string> wrap(std::string_view text, std::size_t columns);

// Writes messages as Jina's log does. On a terminal the time ends at its last column and is shown
// when it differs from the line before, and what is too long goes on below, indented; without the
// time the text has its columns, too. Elsewhere a message is one line with its time. Confined to
// one thread.
class LogFormat {
 public:
  explicit LogFormat(std::string name, pid_t pid) : name_(std::move(name)), pid_(pid) {}

  // With line breaks.
  std::string lines(const Message& message, std::chrono::system_clock::time_point time,
                    Paper paper);

 private:
  const std::string name_;
  const pid_t pid_;
  std::string last_time_;
};

}  // namespace flow::ctl
