// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/websockets.hpp"

namespace flow::gateway {
namespace {

constexpr std::string_view kDataPath = "/";
constexpr std::string_view kDryRunPath = "/dry_run";

}  // namespace

bool WebSocketServices::serves(std::string_view path) const {
  return path == kDataPath || path == kDryRunPath;
}

std::unique_ptr<WebSocketHandler> WebSocketServices::open(std::string_view path,
                                                          std::string_view sub_protocol,
                                                          WebSocket& socket) {
  if (path == kDryRunPath) return make_dry_run_socket(context_.readiness, sub_protocol, socket);
  return make_data_socket(context_, socket);
}

}  // namespace flow::gateway
