// SPDX-License-Identifier: Apache-2.0
#include "flow/address.hpp"

#include <array>
#include <charconv>

#include "core/net_address.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow {
namespace {

struct Scheme {
  std::string_view name;
  Protocol protocol;
  bool tls;
  std::uint16_t port;
};

// The first of each kind is the one that is written.
constexpr std::array<Scheme, 8> kSchemes = {{{"grpc", Protocol::Grpc, false, 12345},
                                             {"grpcs", Protocol::Grpc, true, 12345},
                                             {"http", Protocol::Http, false, 80},
                                             {"https", Protocol::Http, true, 443},
                                             {"ws", Protocol::WebSocket, false, 80},
                                             {"wss", Protocol::WebSocket, true, 443},
                                             {"websocket", Protocol::WebSocket, false, 80},
                                             {"websockets", Protocol::WebSocket, true, 443}}};

absl::Status refuse(std::string_view url, std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument,
                     fmt::format("{} is no address of a server: {}; expected something like "
                                 "\"grpc://localhost:12345\"",
                                 core::in_quotes(url), what));
}

absl::StatusOr<const Scheme*> find_scheme(std::string_view url, std::string_view name) {
  const std::string lower = core::lower_case(name);
  std::vector<std::string> known;
  for (const Scheme& scheme : kSchemes) {
    if (scheme.name == lower) return &scheme;
    known.emplace_back(scheme.name);
  }
  return refuse(url, fmt::format("there is no scheme {}{}", core::in_quotes(name),
                                 core::suggestion(name, known)));
}

// Where the host of "host:port" or "[::1]:port" ends.
std::size_t end_of_host(std::string_view authority) {
  const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return bracket;
  const std::size_t colon = authority.find(':', bracket);
  return colon == std::string_view::npos ? authority.size() : colon;
}

bool is_host_character(char c) {
  return c > ' ' && c != '\x7f' &&
         std::string_view("/?#@[]%\"<>\\^`{|}").find(c) == std::string_view::npos;
}

}  // namespace

absl::StatusOr<ServerAddress> parse_url(std::string_view url) {
  std::string_view rest = url;
  const Scheme* scheme = kSchemes.data();
  if (const std::size_t end = url.find("://"); end != std::string_view::npos) {
    FLOW_ASSIGN_OR_RETURN(scheme, find_scheme(url, url.substr(0, end)));
    rest = url.substr(end + 3);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);

  const std::size_t end = end_of_host(rest);
  if (end == std::string_view::npos) return refuse(url, "the bracket is not closed");
  std::string_view host = rest.substr(0, end);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return refuse(url, "the port does not follow the bracket");
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) {
      return refuse(url, "only IPv6 addresses stand in brackets");
    }
  }
  if (host.empty()) return refuse(url, "there is no host");
  for (const char c : host) {
    if (!is_host_character(c)) {
      return refuse(url, fmt::format("{} cannot be part of a host",
                                     core::in_quotes(std::string_view(&c, 1))));
    }
  }

  ServerAddress address{.protocol = scheme->protocol,
                        .host = std::string(host),
                        .port = scheme->port,
                        .tls = scheme->tls};
  if (end == rest.size()) return address;
  const std::string_view port = rest.substr(end + 1);
  const auto [last, failure] =
      std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (failure != std::errc() || last != port.data() + port.size() || address.port == 0) {
    return refuse(url, fmt::format("{} is no port (1 to 65535){}", core::in_quotes(port),
                                   port.find('/') == std::string_view::npos
                                       ? ""
                                       : ", and a path means nothing here"));
  }
  return address;
}

std::string format_url(const ServerAddress& address) {
  std::string_view name;
  for (const Scheme& scheme : kSchemes) {
    if (!name.empty() || scheme.protocol != address.protocol || scheme.tls != address.tls) continue;
    name = scheme.name;
  }
  return fmt::format("{}://{}", name,
                     core::format_address({.host = address.host, .port = address.port}));
}

}  // namespace flow
