// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/front/service.hpp"
#include "gateway/front/websocket.hpp"
#include "gateway/net/session.hpp"
#include "wslay/wslay.h"

namespace flow::gateway {

// A connection that was HTTP/1.1 until it became a WebSocket.
struct WebSocketUpgrade {
  std::string path;
  std::string_view sub_protocol;  // a literal
  std::string output;             // not sent yet: the head of the 101 and what was before it
  std::string input;              // came after the request, not looked at yet
};

// The server's end of one WebSocket (RFC 6455). wslay cuts and masks frames; which frames make a
// message and what the control frames ask for is decided here
// (docs/decisions/0016-wslay-for-websocket-frames.md). Confined to its loop.
class WebSocketServerSession final : public Session, private WebSocket {
 public:
  WebSocketServerSession(Loop& loop, const Front& front, OutputSignal& output,
                         WebSocketUpgrade upgrade);
  ~WebSocketServerSession() override;

  absl::Status receive(std::string_view bytes) override;
  bool paused() const override { return waiting_ || !unread_.empty(); }
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status& why) override;

 private:
  struct FrameContextDeleter {
    void operator()(wslay_frame_context* context) const { wslay_frame_context_free(context); }
  };

  // ---- for the handler
  void send(WebSocketMessage message) override;
  void close(CloseCode code, std::string_view reason) override;
  void input_wanted() override;

  // ---- what the client says
  struct FrameCallbacks;

  // Takes what is wanted off the front of `bytes`.
  void read(std::string_view& bytes);
  bool takes_input() const;
  void on_frame_begin(const wslay_frame_iocb& frame);
  void on_frame_part(std::string_view bytes);
  void on_frame_end();
  void on_message();
  // Gives the message that waits to the handler, if that wants it now.
  void offer_waiting();
  void on_close();

  // ---- what the client is told
  struct Outgoing {
    std::uint8_t opcode;
    std::string payload;
    std::size_t sent = 0;
  };

  // The client broke the rules: says so instead of all that was still to be said, and ends.
  void fail(CloseCode code, std::string_view reason);
  void begin_close(std::string payload);
  // What is being written goes on to its end; what waits behind it is not sent.
  void drop_queue();
  // What is to be written next; nullptr: nothing.
  Outgoing* next_out();
  void on_written();
  // Counts bytes of messages, of requests as of answers that a slow reader leaves here. False past
  // this connection's share of the budget.
  bool hold(std::uint64_t bytes);

  Loop& loop_;
  const std::uint64_t message_max_;
  OutputSignal& output_;
  std::unique_ptr<wslay_frame_context, FrameContextDeleter> frames_;
  BufferBudget::Lease held_;

  std::string unread_;                     // received, not wanted yet
  std::string_view* input_ = nullptr;      // what read() takes from, while it runs
  std::optional<wslay_frame_iocb> frame_;  // that is being read: its header
  std::uint64_t frame_left_ = 0;           // of its payload
  std::string control_;                    // the payload of a control frame
  std::uint8_t message_opcode_ = 0;        // 0: between two messages
  std::string message_;
  std::optional<WebSocketMessage> waiting_;  // whole, and not wanted yet

  std::string head_;                 // goes before the first frame
  std::string* produced_ = nullptr;  // where produce() writes to, while it runs
  std::optional<Outgoing> writing_;  // the frame that is being written
  bool ping_due_ = false;
  std::optional<std::string> pong_;  // to the last ping; an answer to each is not asked for
  std::deque<Outgoing> queue_;
  std::uint64_t unsent_ = 0;  // bytes of messages in queue_ and writing_

  std::optional<std::string> close_;  // the payload of the close frame that is to be our last
  bool close_sent_ = false;
  bool close_received_ = false;
  bool gave_up_ = false;  // waiting for the client's close frame
  absl::Status broken_;   // what the client did wrong
  Clock::time_point heard_ = Clock::now();
  Clock::time_point pinged_ = heard_;
  Clock::time_point progress_ = heard_;  // of the message that is being read
  Clock::time_point close_sent_at_;
  // Last: its destructor may still look at the members above.
  std::unique_ptr<WebSocketHandler> handler_;
};

}  // namespace flow::gateway
