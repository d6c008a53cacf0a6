// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "gateway/front/websocket.hpp"
#include "gateway/services/services.hpp"

namespace flow::gateway {

// The gateway's WebSockets, by path. Confined to its loop.
class WebSocketServices final : public WebSockets {
 public:
  explicit WebSocketServices(ServiceContext& context) : context_(context) {}

  bool serves(std::string_view path) const override;
  std::unique_ptr<WebSocketHandler> open(std::string_view path, std::string_view sub_protocol,
                                         WebSocket& socket) override;

 private:
  ServiceContext& context_;
};

std::unique_ptr<WebSocketHandler> make_data_socket(ServiceContext& context, WebSocket& socket);
std::unique_ptr<WebSocketHandler> make_dry_run_socket(const Readiness& readiness,
                                                      std::string_view sub_protocol,
                                                      WebSocket& socket);

}  // namespace flow::gateway
