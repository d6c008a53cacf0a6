// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/notify_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/status.hpp"

namespace flow::host {
namespace {

// A failure's text is bounded by kErrorTextMax, stacks by kStackBytesMax; longer datagrams come
// from no child of ours.
constexpr std::size_t kDatagramMax = 64 << 10;

}  // namespace

absl::StatusOr<NotifySocket> NotifySocket::create() {
  core::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return core::system_error(errno, "notify socket");
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return core::system_error(errno, "notify socket: SO_PASSCRED");
  }
  // Bound to no name at all, the kernel picks a free abstract one.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof(sa_family_t);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), generic, length) != 0) {
    return core::system_error(errno, "notify socket: bind");
  }
  length = sizeof address;
  if (::getsockname(socket.get(), generic, &length) != 0) {
    return core::system_error(errno, "notify socket: getsockname");
  }
  const std::size_t path = offsetof(sockaddr_un, sun_path);
  std::string name(address.sun_path, length - path);
  name.front() = '@';
  return NotifySocket(std::move(socket), std::move(name));
}

std::optional<NotifySocket::Received> NotifySocket::receive() {
  while (true) {
    std::array<char, kDatagramMax> data;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control;
    iovec buffer{data.data(), data.size()};
    msghdr header{};
    header.msg_iov = &buffer;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::nullopt;

    const cmsghdr* first = CMSG_FIRSTHDR(&header);
    const bool from_kernel =
        first != nullptr && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_CREDENTIALS;
    if (!from_kernel || (header.msg_flags & MSG_TRUNC) != 0) continue;
    ucred credentials{};
    std::memcpy(&credentials, CMSG_DATA(first), sizeof credentials);
    auto message = core::parse_notify({data.data(), static_cast<std::size_t>(size)});
    if (message.ok()) return Received{credentials.pid, *std::move(message)};
  }
}

}  // namespace flow::host
