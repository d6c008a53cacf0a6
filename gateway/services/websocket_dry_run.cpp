// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "gateway/services/websockets.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

// The WebSocket /dry_run: its one message is sent when the client comes; what the client says (a
// Jina client sends an empty message) does not matter. Clients see a Flow that is not ready as
// close code 1011 and show its reason, whatever it says, so it says what is wrong and not only
// where.
class DryRunSocket final : public WebSocketHandler {
 public:
  DryRunSocket(const Verdict& verdict, std::string_view sub_protocol, WebSocket& socket) {
    if (!verdict.ready) {
      socket.close(CloseCode::InternalError, verdict.reason);
      return;
    }
    if (sub_protocol == "bytes") {
      socket.send({.kind = WebSocketKind::Binary,
                   .payload = std::string(wire::payload(verdict.dry_run_grpc))});
    } else {
      socket.send({.kind = WebSocketKind::Text, .payload = "{}"});
    }
    socket.close(CloseCode::Normal, "");
  }

  void on_message(WebSocketMessage) override {}
  void drain() override {}
};

}  // namespace

std::unique_ptr<WebSocketHandler> make_dry_run_socket(const Readiness& readiness,
                                                      std::string_view sub_protocol,
                                                      WebSocket& socket) {
  return std::make_unique<DryRunSocket>(readiness.verdict(), sub_protocol, socket);
}

}  // namespace flow::gateway
