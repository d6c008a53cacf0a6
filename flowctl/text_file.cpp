// SPDX-License-Identifier: Apache-2.0
#include "flowctl/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/status.hpp"
#include "core/unique_fd.hpp"
#include "fmt/format.h"

namespace flow::ctl {
namespace {

absl::Status failed(int error_number, const std::string& file, std::string_view doing) {
  return core::system_error(error_number, fmt::format("{}: {}", file, doing));
}

}  // namespace

absl::StatusOr<std::string> read_text(const std::string& file, std::size_t max) {
  const bool standard = file == "-";
  const core::UniqueFd input(standard ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                      : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const std::string name = standard ? "standard input" : file;
  if (!input) return failed(errno, name, "cannot be opened");
  std::string text;
  std::array<char, 64 << 10> piece;
  for (;;) {
    const ssize_t size = ::read(input.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed(errno, name, "cannot be read");
    if (size == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(size));
    if (text.size() > max) {
      return core::error(absl::StatusCode::kResourceExhausted,
                         fmt::format("{}: has more than {} bytes, the limit", name, max));
    }
  }
}

absl::Status write_text(const std::string& file, std::string_view text) {
  const core::UniqueFd output(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!output) return failed(errno, file, "cannot be opened");
  while (!text.empty()) {
    const ssize_t size = ::write(output.get(), text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed(errno, file, "cannot be written");
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return absl::OkStatus();
}

}  // namespace flow::ctl
