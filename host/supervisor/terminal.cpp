// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "core/text.hpp"
#include "host/supervisor/panel.hpp"

namespace flow::host {
namespace {

// Past stdio, so that the order among us and our children is that of the calls. Whoever closed the
// stream does not want to know: a failure has nobody to be told to.
void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

Terminal::Terminal() : is_terminal_(::isatty(STDOUT_FILENO) == 1) {}

void Terminal::show_progress(const std::vector<std::string>& waiting_for, std::size_t total,
                             std::chrono::seconds elapsed) {
  if (!is_terminal_) return;
  // One column stays free: some terminals wrap as soon as the last one is written.
  write_all(STDOUT_FILENO, "\r\x1b[K" + progress_line(frame_++, waiting_for, total, elapsed,
                                                      terminal_columns() - 1));
  progress_shown_ = true;
}

void Terminal::clear_progress() {
  if (!progress_shown_) return;
  write_all(STDOUT_FILENO, "\r\x1b[K");
  progress_shown_ = false;
}

void Terminal::print(std::string_view text) {
  clear_progress();
  write_all(STDOUT_FILENO, text);
}

void Terminal::print_errors(std::string_view text) {
  clear_progress();
  write_all(STDERR_FILENO, core::error_lines(text));
}

}  // namespace flow::host
