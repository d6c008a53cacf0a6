// SPDX-License-Identifier: Apache-2.0
#include "core/net_address.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

absl::Status not_an_address(std::string_view text, std::string_view why) {
  return error(absl::StatusCode::kInvalidArgument,
               fmt::format("\"{}\" is not an address: {} (expected \"host:port\", \"[::1]:port\" "
                           "or \"unix:/path\")",
                           text, why));
}

bool is_ipv6(std::string_view text) {
  in6_addr ignored;
  const std::string address(text.substr(0, text.find('%')));  // without its zone
  return ::inet_pton(AF_INET6, address.c_str(), &ignored) == 1;
}

// Names are checked by whoever resolves them; here only what would make the text ambiguous.
bool is_host(std::string_view text) {
  static constexpr std::string_view kForbidden = "/:[]@";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c != 0x7f && kForbidden.find(c) == std::string_view::npos;
  });
}

}  // namespace

absl::StatusOr<NetAddress> parse_address(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) {
    const std::string_view path = text.substr(kUnixPrefix.size());
    if (path.empty()) return not_an_address(text, "the path is missing");
    if (path.find('\0') != std::string_view::npos) {
      return not_an_address(text, "the path has a NUL byte");
    }
    constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;
    if (path.size() > kPathMax) {
      return not_an_address(text, fmt::format("the path of a Unix socket has at most {} bytes, "
                                              "this one has {}",
                                              kPathMax, path.size()));
    }
    return NetAddress{.unix_path = std::string(path)};
  }

  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return not_an_address(text, "the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);

  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) return not_an_address(text, "no IPv6 address between the brackets");
  } else if (is_ipv6(text) || is_ipv6(host)) {
    return not_an_address(text, "an IPv6 address needs brackets");
  } else if (!is_host(host)) {
    return not_an_address(text, host.empty() ? "the host is missing" : "the host is not a name");
  }

  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc() || end != digits.data() + digits.size()) {
    return not_an_address(text, "the port is not a number from 0 to 65535");
  }
  return NetAddress{.host = std::string(host), .port = port};
}

std::string format_address(const NetAddress& address) {
  if (address.is_unix()) return fmt::format("{}{}", kUnixPrefix, address.unix_path);
  if (address.host.find(':') == std::string::npos) {
    return fmt::format("{}:{}", address.host, address.port);
  }
  return fmt::format("[{}]:{}", address.host, address.port);
}

}  // namespace flow::core
