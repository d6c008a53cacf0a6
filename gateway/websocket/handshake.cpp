// SPDX-License-Identifier: Apache-2.0
#include "gateway/websocket/handshake.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "fmt/format.h"

namespace flow::gateway {
namespace {

// RFC 6455, 1.3.
constexpr std::string_view kKeySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kKeyBytes = 16;
constexpr std::array<std::string_view, 2> kSubProtocols = {"bytes", "json"};

bool is_key(std::string_view text) {
  std::string bytes;
  return absl::Base64Unescape({text.data(), text.size()}, &bytes) && bytes.size() == kKeyBytes;
}

std::string accept_value(std::string_view key) {
  const std::string text = fmt::format("{}{}", key, kKeySuffix);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return absl::Base64Escape({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// The first of those that the client offers, in its order, that we know.
std::string_view choose(std::string_view offered) {
  constexpr std::string_view kBlank = " \t";
  while (!offered.empty()) {
    std::string_view name = offered.substr(0, offered.find(','));
    offered.remove_prefix(std::min(offered.size(), name.size() + 1));
    name.remove_prefix(std::min(name.size(), name.find_first_not_of(kBlank)));
    name = name.substr(0, name.find_last_not_of(kBlank) + 1);
    const auto known = std::ranges::find(kSubProtocols, name);
    if (known != kSubProtocols.end()) return *known;
  }
  return {};
}

}  // namespace

std::variant<WebSocketAccepted, HttpResponse> answer_handshake(const WebSocketRequest& request) {
  if (request.version != "13") {
    return HttpResponse{
        .status = 426,
        .body = R"({"detail":"sec-websocket-version must be 13"})",
        .headers = {
            {"upgrade", "websocket"}, {"connection", "upgrade"}, {"sec-websocket-version", "13"}}};
  }
  if (!is_key(request.key)) {
    return HttpResponse{.status = 400,
                        .body = R"({"detail":"sec-websocket-key must be 16 bytes in base64"})"};
  }
  WebSocketAccepted accepted{.sub_protocol = choose(request.sub_protocols), .head = {}};
  accepted.head = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
      "sec-websocket-accept: {}\r\n",
      accept_value(request.key));
  if (!accepted.sub_protocol.empty()) {
    accepted.head += fmt::format("sec-websocket-protocol: {}\r\n", accepted.sub_protocol);
  }
  accepted.head += "\r\n";
  return accepted;
}

}  // namespace flow::gateway
