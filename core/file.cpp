// SPDX-License-Identifier: Apache-2.0
#include "core/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/status.hpp"
#include "core/unique_fd.hpp"
#include "fmt/format.h"

namespace flow::core {

namespace {

absl::Status unreadable(const std::string& file) {
  return system_error(errno, fmt::format("cannot read {}", file));
}

}  // namespace

absl::StatusOr<std::string> read_file(const std::string& file, std::size_t max) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return unreadable(file);
  return read_file(fd.get(), file, max);
}

absl::StatusOr<std::string> read_file(int fd, const std::string& file, std::size_t max) {
  std::string text(max, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(fd, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(file);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  return text;
}

}  // namespace flow::core
