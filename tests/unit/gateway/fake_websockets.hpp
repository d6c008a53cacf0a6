// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/front/websocket.hpp"

// WebSockets that do as the path says, and what a client sends them.
namespace flow::gateway {

// "/echo" answers each message with itself, "/keep" keeps them, "/bye" says "bye" and closes.
class FakeWebSockets final : public WebSockets {
 public:
  class Handler final : public WebSocketHandler {
   public:
    Handler(FakeWebSockets& owner, WebSocket& socket, std::string_view path)
        : owner_(owner), socket_(socket), echo_(path == "/echo") {
      ++owner_.opened;
      ++owner_.open_sockets;
      owner_.last = &socket;
      if (path == "/bye") {
        socket.send({.kind = WebSocketKind::Text, .payload = "bye"});
        socket.close(CloseCode::Normal, "");
      }
    }
    ~Handler() override { --owner_.open_sockets; }

    void on_message(WebSocketMessage message) override {
      if (echo_) socket_.send(message);
      owner_.messages.push_back(std::move(message));
    }
    bool wants_message() override { return owner_.messages.size() < owner_.messages_max; }
    void drain() override { socket_.close(CloseCode::GoingAway, "stopping"); }

   private:
    FakeWebSockets& owner_;
    WebSocket& socket_;
    const bool echo_;
  };

  bool serves(std::string_view path) const override {
    return path == "/echo" || path == "/keep" || path == "/bye";
  }
  std::unique_ptr<WebSocketHandler> open(std::string_view path, std::string_view agreed,
                                         WebSocket& socket) override {
    sub_protocol = agreed;
    return std::make_unique<Handler>(*this, socket, path);
  }

  int opened = 0;
  int open_sockets = 0;
  std::string sub_protocol;
  std::size_t messages_max = SIZE_MAX;
  std::vector<WebSocketMessage> messages;
  WebSocket* last = nullptr;
};

enum class Length { Shortest, TwoBytes, EightBytes };

// One frame: `first` is FIN, the reserved bits and the opcode.
inline std::string frame_of(std::uint8_t first, std::string_view payload, bool mask,
                            Length length = Length::Shortest) {
  std::string frame(1, static_cast<char>(first));
  const std::uint64_t size = payload.size();
  const auto append = [&frame](std::uint64_t value, int bytes) {
    while (bytes-- > 0) frame += static_cast<char>(value >> (8 * bytes));
  };
  const std::uint64_t mask_bit = mask ? 0x80 : 0;
  if (length == Length::Shortest && size < 126) {
    append(mask_bit | size, 1);
  } else if (length == Length::TwoBytes || (length == Length::Shortest && size < 65536)) {
    append(mask_bit | 126, 1);
    append(size, 2);
  } else {
    append(mask_bit | 127, 1);
    append(size, 8);
  }
  constexpr std::string_view kMask = "\x37\xfa\x21\x3d";
  if (mask) frame += kMask;
  for (std::size_t i = 0; i < size; ++i) {
    frame += mask ? static_cast<char>(payload[i] ^ kMask[i % 4]) : payload[i];
  }
  return frame;
}

// As a client sends it.
inline std::string masked(std::uint8_t first, std::string_view payload,
                          Length length = Length::Shortest) {
  return frame_of(first, payload, true, length);
}
// As a server sends it.
inline std::string plain(std::uint8_t first, std::string_view payload) {
  return frame_of(first, payload, false);
}

// A close frame's payload.
inline std::string closing(unsigned code, std::string_view reason = "") {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)} +
         std::string(reason);
}

}  // namespace flow::gateway
