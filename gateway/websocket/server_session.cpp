// SPDX-License-Identifier: Apache-2.0
#include "gateway/websocket/server_session.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

// Of a control frame's 125 bytes the code takes two.
constexpr std::size_t kReasonBytesMax = 123;

bool is_control(std::uint8_t opcode) { return wslay_is_ctrl_frame(opcode); }

std::string close_reason(std::string_view text) {
  constexpr std::string_view kMore = "…";
  if (text.size() <= kReasonBytesMax) return std::string(text);
  return std::string(core::cut(text, kReasonBytesMax - kMore.size())) + std::string(kMore);
}

std::string close_payload(CloseCode code, std::string_view reason) {
  const auto number = static_cast<std::uint16_t>(code);
  return std::string{static_cast<char>(number >> 8), static_cast<char>(number & 0xff)} +
         close_reason(reason);
}

// May a close frame carry this code? RFC 6455, 7.4, and what IANA has registered since.
bool is_close_code(unsigned code) {
  if (code >= 1000 && code <= 1014) return code < 1004 || code > 1006;
  return code >= 3000 && code <= 4999;
}

// What is wrong with the payload of a close frame; "": nothing.
std::string_view close_fault(std::string_view payload) {
  if (payload.empty()) return "";
  if (payload.size() == 1) return "half a close code";
  const unsigned code =
      static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
  return is_close_code(code) ? "" : "a close code that is not for the wire";
}

}  // namespace

// wslay calls these with the session as user data. None of them throws.
struct WebSocketServerSession::FrameCallbacks {
  static ssize_t take(std::uint8_t* to, std::size_t size, int, void* user) {
    std::string_view& input = *static_cast<WebSocketServerSession*>(user)->input_;
    const std::size_t taken = input.copy(reinterpret_cast<char*>(to), size);
    input.remove_prefix(taken);
    return taken == 0 ? -1 : static_cast<ssize_t>(taken);
  }

  static ssize_t give(const std::uint8_t* data, std::size_t size, int, void* user) {
    static_cast<WebSocketServerSession*>(user)->produced_->append(
        reinterpret_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
  }
};

WebSocketServerSession::WebSocketServerSession(Loop& loop, const Front& front, OutputSignal& output,
                                               WebSocketUpgrade upgrade)
    : loop_(loop),
      message_max_(front.message_max),
      output_(output),
      unread_(std::move(upgrade.input)),
      head_(std::move(upgrade.output)) {
  // A server's frames are not masked.
  const wslay_frame_callbacks callbacks = {&FrameCallbacks::give, &FrameCallbacks::take, nullptr};
  wslay_frame_context* frames = nullptr;
  if (wslay_frame_context_init(&frames, &callbacks, this) != 0) std::abort();  // out of memory
  frames_.reset(frames);
  handler_ = front.websockets->open(upgrade.path, upgrade.sub_protocol, *this);
}

WebSocketServerSession::~WebSocketServerSession() = default;

bool WebSocketServerSession::hold(std::uint64_t bytes) {
  return loop_.budget().fair(bytes, held_.bytes()) && held_.grow(loop_.budget(), bytes);
}

// ---- what the client says -----------------------------------------------------------------------

absl::Status WebSocketServerSession::receive(std::string_view bytes) {
  heard_ = Clock::now();
  if (!unread_.empty()) {
    unread_.append(bytes);
  } else {
    read(bytes);
    unread_ = bytes;
  }
  return broken_;
}

// A message is read before its handler is asked for it, so that who has nothing to say does not
// stand in line for a turn. One is, at most.
bool WebSocketServerSession::takes_input() const {
  return !close_received_ && broken_.ok() && !waiting_;
}

void WebSocketServerSession::read(std::string_view& bytes) {
  offer_waiting();
  input_ = &bytes;
  while (takes_input()) {
    wslay_frame_iocb part = {};
    const ssize_t size = wslay_frame_recv(frames_.get(), &part);
    if (size == WSLAY_ERR_WANT_READ) break;
    if (size < 0) {
      fail(CloseCode::ProtocolError, "not a frame of RFC 6455");
      break;
    }
    if (!frame_) on_frame_begin(part);
    if (broken_.ok()) {
      on_frame_part({reinterpret_cast<const char*>(part.data), part.data_length});
    }
    if (broken_.ok() && frame_left_ == 0) on_frame_end();
  }
  input_ = nullptr;
  if (close_received_ || !broken_.ok()) bytes = {};
}

void WebSocketServerSession::on_frame_begin(const wslay_frame_iocb& frame) {
  frame_ = frame;
  frame_left_ = frame.payload_length;
  if (frame.rsv != 0) {
    return fail(CloseCode::ProtocolError, "a reserved bit is set and no extension agreed on");
  }
  if (frame.mask == 0) return fail(CloseCode::ProtocolError, "a client's frame is not masked");
  if (frame.opcode > WSLAY_PONG ||
      (frame.opcode > WSLAY_BINARY_FRAME && frame.opcode < WSLAY_CONNECTION_CLOSE)) {
    return fail(CloseCode::ProtocolError, fmt::format("unknown opcode {}", frame.opcode));
  }
  if (is_control(frame.opcode)) return control_.clear();

  const bool continues = frame.opcode == WSLAY_CONTINUATION_FRAME;
  if (continues != (message_opcode_ != 0)) {
    return fail(CloseCode::ProtocolError, continues ? "nothing to continue with this frame"
                                                    : "a message inside of another message");
  }
  if (!continues) message_opcode_ = frame.opcode;
  if (frame.payload_length > message_max_ - message_.size()) {
    fail(CloseCode::TooBig, fmt::format("a message is larger than the limit of {} bytes "
                                        "(max_message in [gateway])",
                                        message_max_));
  }
}

void WebSocketServerSession::on_frame_part(std::string_view bytes) {
  frame_left_ -= bytes.size();
  if (is_control(frame_->opcode)) {
    control_.append(bytes);
    return;
  }
  progress_ = heard_;
  if (close_) return;
  if (!hold(bytes.size())) {
    return fail(CloseCode::TryAgainLater,
                "the gateway holds as many message bytes as it may; try again");
  }
  message_.append(bytes);
}

void WebSocketServerSession::on_frame_end() {
  const wslay_frame_iocb frame = *std::exchange(frame_, std::nullopt);
  switch (frame.opcode) {
    case WSLAY_CONNECTION_CLOSE:
      return on_close();
    case WSLAY_PING:
      pong_ = control_;
      return output_.output_ready();
    case WSLAY_PONG:
      return;
    default:
      if (frame.fin != 0) on_message();
  }
}

void WebSocketServerSession::on_message() {
  const bool text = std::exchange(message_opcode_, 0) == WSLAY_TEXT_FRAME;
  std::string payload = std::exchange(message_, std::string());
  // What is still being said when we have closed is read for the client's close frame alone.
  if (close_) return held_.shrink(payload.size());
  if (text && !core::is_valid_utf8(payload)) {
    return fail(CloseCode::BadPayload, "a text message is not UTF-8");
  }
  waiting_ = {.kind = text ? WebSocketKind::Text : WebSocketKind::Binary,
              .payload = std::move(payload)};
  offer_waiting();
}

void WebSocketServerSession::offer_waiting() {
  if (!waiting_) return;
  if (!close_ &&
      (unsent_ > static_cast<std::uint64_t>(limits::kStreamWindow) || !handler_->wants_message())) {
    return;
  }
  WebSocketMessage message = *std::exchange(waiting_, std::nullopt);
  held_.shrink(message.payload.size());
  if (!close_) handler_->on_message(std::move(message));
}

void WebSocketServerSession::on_close() {
  close_received_ = true;
  if (const std::string_view fault = close_fault(control_); !fault.empty()) {
    return fail(CloseCode::ProtocolError, fault);
  }
  if (control_.size() > 2 && !core::is_valid_utf8(std::string_view(control_).substr(2))) {
    return fail(CloseCode::BadPayload, "a close reason is not UTF-8");
  }
  drop_queue();
  begin_close(control_.substr(0, 2));
}

// A turn that the handler was given lasts as long as this call.
void WebSocketServerSession::input_wanted() {
  offer_waiting();
  output_.output_ready();
}

// ---- what the client is told --------------------------------------------------------------------

void WebSocketServerSession::send(WebSocketMessage message) {
  if (close_) return;
  if (!hold(message.payload.size())) {
    return fail(CloseCode::TryAgainLater,
                "the gateway holds as many message bytes as it may; read the answers");
  }
  unsent_ += message.payload.size();
  const bool text = message.kind == WebSocketKind::Text;
  queue_.push_back(
      {.opcode = static_cast<std::uint8_t>(text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME),
       .payload = std::move(message.payload)});
  output_.output_ready();
}

void WebSocketServerSession::close(CloseCode code, std::string_view reason) {
  begin_close(close_payload(code, reason));
}

void WebSocketServerSession::begin_close(std::string payload) {
  if (!close_) close_ = std::move(payload);
  output_.output_ready();
}

void WebSocketServerSession::fail(CloseCode code, std::string_view reason) {
  broken_ = core::error(absl::StatusCode::kInvalidArgument, fmt::format("WebSocket: {}", reason));
  drop_queue();
  begin_close(close_payload(code, reason));
}

void WebSocketServerSession::drop_queue() {
  for (const Outgoing& message : std::exchange(queue_, {})) {
    held_.shrink(message.payload.size());
    unsent_ -= message.payload.size();
  }
}

WebSocketServerSession::Outgoing* WebSocketServerSession::next_out() {
  if (writing_) return &*writing_;
  if (close_sent_) return nullptr;
  if (pong_) {
    writing_ = {.opcode = WSLAY_PONG, .payload = *std::exchange(pong_, std::nullopt)};
  } else if (std::exchange(ping_due_, false)) {
    writing_ = {.opcode = WSLAY_PING, .payload = {}};
  } else if (!queue_.empty()) {
    writing_ = std::move(queue_.front());
    queue_.pop_front();
  } else if (close_) {
    writing_ = {.opcode = WSLAY_CONNECTION_CLOSE, .payload = *close_};
  } else {
    return nullptr;
  }
  return &*writing_;
}

void WebSocketServerSession::on_written() {
  const Outgoing written = *std::exchange(writing_, std::nullopt);
  if (!is_control(written.opcode)) {
    held_.shrink(written.payload.size());
    unsent_ -= written.payload.size();
  } else if (written.opcode == WSLAY_CONNECTION_CLOSE) {
    close_sent_ = true;
    close_sent_at_ = Clock::now();
  }
}

void WebSocketServerSession::produce(std::string& out, std::size_t limit) {
  std::string_view rest = unread_;
  read(rest);
  unread_ = std::string(rest);
  // Here, where none of its functions runs.
  if (close_) handler_.reset();

  out.append(std::exchange(head_, std::string()));
  produced_ = &out;
  while (out.size() < limit) {
    Outgoing* frame = next_out();
    if (frame == nullptr) break;
    wslay_frame_iocb part = {};
    part.fin = 1;
    part.opcode = frame->opcode;
    part.payload_length = frame->payload.size();
    part.data = reinterpret_cast<const std::uint8_t*>(frame->payload.data()) + frame->sent;
    part.data_length = std::min(frame->payload.size() - frame->sent, limit - out.size());
    frame->sent += static_cast<std::size_t>(wslay_frame_send(frames_.get(), &part));
    if (frame->sent == frame->payload.size()) on_written();
  }
  produced_ = nullptr;
}

// ---- the connection -----------------------------------------------------------------------------

bool WebSocketServerSession::finished() const {
  return close_sent_ && (close_received_ || gave_up_);
}

void WebSocketServerSession::drain() {
  if (!close_) handler_->drain();
}

absl::Status WebSocketServerSession::sweep(Clock::time_point now) {
  if (close_sent_) gave_up_ = now - close_sent_at_ > limits::kWebSocketCloseTimeout;
  // Who is held back cannot be heard.
  if (paused()) heard_ = progress_ = now;
  if (!broken_.ok() || close_) return broken_;
  if (message_opcode_ != 0 && now - progress_ > limits::kStallTimeout) {
    fail(CloseCode::Policy, fmt::format("the rest of a message did not come within {} s",
                                        limits::kStallTimeout / std::chrono::seconds(1)));
  } else if (now - heard_ > limits::kWebSocketSilence) {
    broken_ = core::error(absl::StatusCode::kDeadlineExceeded,
                          "WebSocket: the client does not answer pings");
  } else if (now - std::max(heard_, pinged_) > limits::kWebSocketPingInterval) {
    pinged_ = now;
    ping_due_ = true;
    output_.output_ready();
  }
  return broken_;
}

void WebSocketServerSession::disconnected(const absl::Status&) { handler_.reset(); }

}  // namespace flow::gateway
