// SPDX-License-Identifier: Apache-2.0
#include "flowctl/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/status.hpp"
#include "core/text.hpp"
#include "flowctl/exit_status.hpp"

namespace flow::ctl {
namespace {

constexpr std::size_t kUsualWidth = 80;

void write_to(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

}  // namespace

Paper standard_output() {
  if (::isatty(STDOUT_FILENO) != 1) return {};
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return {known ? size.ws_col : kUsualWidth,
          std::getenv("NO_COLOR") == nullptr ? core::LogColour::On : core::LogColour::Off};
}

void print(std::string_view text) { write_to(stdout, text); }

void remark(std::string_view line) { write_to(stderr, core::one_line(line) + '\n'); }

int fail(const absl::Status& status) {
  std::string_view rest = core::message(status);
  do {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    write_to(stderr, "error: " + core::one_line(line) + '\n');
  } while (!rest.empty());
  return kExitError;
}

bool output_failed() { return std::ferror(stdout) != 0; }

}  // namespace flow::ctl
