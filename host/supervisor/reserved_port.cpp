// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/reserved_port.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "core/net_address.hpp"
#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::host {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  std::uint16_t port() {
    return ntohs(storage.ss_family == AF_INET6
                     ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                     : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
};

absl::StatusOr<SocketAddress> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failure != 0) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("host \"{}\": {}", host, ::gai_strerror(failure)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  SocketAddress address;
  address.length = list->ai_addrlen;
  std::copy_n(reinterpret_cast<const char*>(list->ai_addr), list->ai_addrlen,
              reinterpret_cast<char*>(&address.storage));
  return address;
}

// A socket with one option set, bound to the address.
absl::StatusOr<core::UniqueFd> bind_with(int option, SocketAddress address) {
  core::UniqueFd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return core::system_error(errno, "socket");
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, option, &on, sizeof on) != 0) {
    return core::system_error(errno, "setsockopt");
  }
  if (::bind(socket.get(), address.get(), address.length) != 0) {
    return errno == EADDRINUSE ? core::error(absl::StatusCode::kAlreadyExists, "in use")
                               : core::error(absl::StatusCode::kUnavailable, std::strerror(errno));
  }
  return socket;
}

}  // namespace

absl::StatusOr<ReservedPort> reserve_port(const std::string& host, std::uint16_t port) {
  FLOW_ASSIGN_OR_RETURN(SocketAddress address, resolve(host, port));

  // First a socket that does not share, so that a listener of somebody else is found. SO_REUSEADDR
  // forgives only connections that linger in TIME_WAIT after an earlier Flow on this port.
  auto probe = bind_with(SO_REUSEADDR, address);
  if (!probe.ok()) return std::move(probe).status();
  if (::getsockname(probe->get(), address.get(), &address.length) != 0) {
    return core::system_error(errno, "getsockname");
  }

  // Then the one that is kept, beside it. The probe alone could share from now on, but the kernel
  // would remember the port as one of SO_REUSEADDR sockets, and let in others of that kind.
  const int off = 0;
  const int on = 1;
  if (::setsockopt(probe->get(), SOL_SOCKET, SO_REUSEADDR, &off, sizeof off) != 0 ||
      ::setsockopt(probe->get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return core::system_error(errno, "setsockopt");
  }
  FLOW_ASSIGN_OR_RETURN(core::UniqueFd socket, bind_with(SO_REUSEPORT, address));
  return ReservedPort{std::move(socket), core::format_address({host, address.port(), {}})};
}

std::string first_private_ip() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    const bool usable = each->ifa_addr != nullptr && each->ifa_addr->sa_family == AF_INET &&
                        (each->ifa_flags & IFF_UP) != 0 && (each->ifa_flags & IFF_LOOPBACK) == 0;
    if (!usable) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr) {
      return text.data();
    }
  }
  return {};
}

}  // namespace flow::host
