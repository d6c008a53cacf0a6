// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flow::host {

// What the person who started the Flow sees besides the log: the panel and the progress on standard
// output, errors on standard error. The line of progress exists only on a terminal, and is wiped
// before anything else is written. Confined to its loop.
class Terminal {
 public:
  Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() { clear_progress(); }

  bool shows_progress() const { return is_terminal_; }
  void show_progress(const std::vector<std::string>& waiting_for, std::size_t total,
                     std::chrono::seconds elapsed);
  void clear_progress();

  void print(std::string_view text);         // to standard output
  void print_errors(std::string_view text);  // to standard error, each line as "error: ..."

 private:
  bool is_terminal_;
  bool progress_shown_ = false;
  std::size_t frame_ = 0;
};

}  // namespace flow::host
