// SPDX-License-Identifier: Apache-2.0
#include "core/notify.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

// Removes the variable, so that it speaks to this process and to none that it starts.
std::string take_from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return {};
  std::string result = value;
  ::unsetenv(name);
  return result;
}

}  // namespace

std::string format_notify(const NotifyMessage& message) {
  std::string datagram;
  for (const auto& [key, value] : message) {
    datagram += key;
    datagram += '=';
    for (const char c : value) datagram += c == '\n' || c == '\r' ? ' ' : c;
    datagram += '\n';
  }
  return datagram;
}

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string value;
  for (const std::string& line : lines) {
    if (!value.empty()) value += '\t';
    for (const char c : line) value += c == '\t' ? ' ' : c;
  }
  return value;
}

std::vector<std::string> split_lines(std::string_view value) {
  std::vector<std::string> lines;
  while (!value.empty()) {
    const std::size_t end = std::min(value.find('\t'), value.size());
    if (end > 0) lines.emplace_back(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return lines;
}

absl::StatusOr<NotifyMessage> parse_notify(std::string_view datagram) {
  NotifyMessage message;
  while (!datagram.empty()) {
    const std::size_t end = std::min(datagram.find('\n'), datagram.size());
    const std::string_view line = datagram.substr(0, end);
    datagram.remove_prefix(std::min(end + 1, datagram.size()));
    if (line.empty()) continue;

    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return error(absl::StatusCode::kInvalidArgument,
                   fmt::format("\"{}\" in a notify message is not KEY=value", line));
    }
    message.insert_or_assign(std::string(line.substr(0, equals)),
                             std::string(line.substr(equals + 1)));
  }
  return message;
}

Notifier::Notifier() {
  std::string address = take_from_environment("NOTIFY_SOCKET");
  const bool is_abstract = address.starts_with('@');
  if (!is_abstract && !address.starts_with('/')) return;
  if (address.size() >= sizeof(sockaddr_un::sun_path)) return;

  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return;
  const timeval patience = {.tv_sec = limits::kNotifySendTimeout / std::chrono::seconds(1),
                            .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  address_ = std::move(address);
  if (is_abstract) address_.front() = '\0';
}

Notifier::~Notifier() {
  if (socket_ >= 0) ::close(socket_);
}

void Notifier::send(const NotifyMessage& message) const {
  if (socket_ < 0) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  // An abstract name is as long as the length says; a path ends with the NUL that is there anyway.
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());

  const std::string datagram = format_notify(message);
  ssize_t sent = 0;
  do {
    sent = ::sendto(socket_, datagram.data(), datagram.size(),
                    MSG_NOSIGNAL | (patient_ ? 0 : MSG_DONTWAIT),
                    reinterpret_cast<const sockaddr*>(&to), length);
  } while (sent < 0 && errno == EINTR);
  patient_ = sent >= 0;
}

absl::Status follow_supervisor() {
  const std::string text = take_from_environment("FLOW_SUPERVISOR_PID");
  if (text.empty()) return absl::OkStatus();

  pid_t supervisor = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), supervisor);
  if (failure != std::errc() || end != text.data() + text.size() || supervisor <= 0) {
    return error(absl::StatusCode::kInvalidArgument,
                 fmt::format("FLOW_SUPERVISOR_PID is \"{}\", expected a process id", text));
  }
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return system_error(errno, "prctl(PR_SET_PDEATHSIG)");
  }
  // The kernel tells of deaths from now on; one that came before shows as another parent.
  if (::getppid() != supervisor) {
    return error(absl::StatusCode::kAborted,
                 fmt::format("the supervisor, process {}, is gone", supervisor));
  }
  return absl::OkStatus();
}

}  // namespace flow::core
