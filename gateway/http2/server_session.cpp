// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2/server_session.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/limits.hpp"
#include "gateway/http2/grpc_stream.hpp"
#include "gateway/http2/http_stream.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

constexpr std::string_view kGrpcContentType = "application/grpc";
// A header that is too large is read past and answered; one of this many bytes is cut off.
constexpr std::size_t kHeaderFlood = 4 * limits::kHeaderBytesMax;
// Sent with the announcement of a drain; its echo says that the peer has read it.
constexpr std::array<std::uint8_t, 8> kDrainPing = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

// "application/grpc", also with a sub-type ("+proto") or a parameter, but not
// "application/grpc-web".
bool is_grpc(std::string_view content_type) {
  return content_type.starts_with(kGrpcContentType) &&
         (content_type.size() == kGrpcContentType.size() ||
          content_type[kGrpcContentType.size()] == '+' ||
          content_type[kGrpcContentType.size()] == ';');
}

// Of a stream that we reset: was it for an error of the peer?
bool is_peers_fault(std::uint32_t error_code) {
  return error_code != NGHTTP2_NO_ERROR && error_code != NGHTTP2_CANCEL &&
         error_code != NGHTTP2_REFUSED_STREAM;
}

}  // namespace

// nghttp2 calls these with the session as user data. None of them throws.
struct Http2ServerSession::Callbacks {
  static Http2ServerSession& self(void* user_data) {
    return *static_cast<Http2ServerSession*>(user_data);
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    // One header at a time: its frames come without others between them (RFC 9113, 4.3).
    self(user).header_ = {};
    self(user).header_stream_ = frame->hd.stream_id;
    self(user).header_since_ = Clock::now();
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) {
    // A request's trailers say nothing that we need.
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    RequestHeader& header = self(user).header_;
    header.add(view(name, name_size), view(value, value_size));
    if (header.bytes <= kHeaderFlood) return 0;
    self(user).header_stream_ = 0;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_PING) {
      const bool drained = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
                           std::ranges::equal(frame->ping.opaque_data, kDrainPing);
      if (drained) self(user).refuse_new_streams();
      return 0;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      self(user).open_stream(frame->hd.stream_id);
    }
    ServerStream* stream = self(user).find(frame->hd.stream_id);
    if (stream != nullptr && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      stream->end_request();
    }
    return 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                     const std::uint8_t* data, std::size_t size, void* user) {
    // What one stream does not take holds up no other.
    nghttp2_session_consume_connection(session, size);
    if (ServerStream* stream = self(user).find(id)) stream->on_data(view(data, size));
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_RST_STREAM && is_peers_fault(frame->rst_stream.error_code) &&
        ++self(user).faults_ == limits::kStreamFaultsMax) {
      // nghttp2 counts the streams that the peer resets, not those that it makes us reset.
      nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    const bool last = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!last) return 0;
    const ServerStream* stream = self(user).find(frame->hd.stream_id);
    if (stream != nullptr && !stream->request_ended()) {
      // Answered before it was all said: the rest need not be sent (RFC 9113, 8.1).
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    self(user).streams_.erase(id);
    return 0;
  }

  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* frame_header,
                       std::size_t length, nghttp2_data_source* source, void* user) {
    std::string& out = *self(user).produced_;
    if (out.size() >= self(user).produce_limit_) return NGHTTP2_ERR_WOULDBLOCK;
    (void)frame;  // never padded: we set no padding callback
    out.append(reinterpret_cast<const char*>(frame_header), 9);
    static_cast<ServerStream*>(source->ptr)->take(out, length);
    return 0;
  }

  static ssize_t read_length(nghttp2_session*, std::uint8_t, std::int32_t,
                             std::int32_t session_window, std::int32_t stream_window,
                             std::uint32_t frame_max, void*) {
    return std::min({static_cast<ssize_t>(session_window), static_cast<ssize_t>(stream_window),
                     static_cast<ssize_t>(frame_max),
                     static_cast<ssize_t>(limits::kWriteBytesMax)});
  }
};

Http2ServerSession::Http2ServerSession(Loop& loop, const Front& front, OutputSignal& output)
    : connection_{loop, front, output} {
  const Nghttp2Callbacks callbacks = make_nghttp2_callbacks();
  nghttp2_session_callbacks* c = callbacks.get();
  nghttp2_session_callbacks_set_on_begin_headers_callback(c, &Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(c, &Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, &Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_send_callback(c, &Callbacks::on_frame_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, &Callbacks::on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(c, &Callbacks::send_data);
  nghttp2_session_callbacks_set_data_source_read_length_callback(c, &Callbacks::read_length);
  const Nghttp2Option option = make_nghttp2_option();
  nghttp2_option_set_no_auto_window_update(option.get(), 1);
  // Priorities are deprecated and closed streams are kept only for them.
  nghttp2_option_set_no_closed_streams(option.get(), 1);

  nghttp2_session* session = nullptr;
  if (nghttp2_session_server_new2(&session, c, this, option.get()) != 0) std::abort();
  session_.reset(session);
  connection_.session = session;
  const std::array<nghttp2_settings_entry, 4> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits::kStreamsPerConnectionMax},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits::kStreamWindow)},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, static_cast<std::uint32_t>(limits::kReadBytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits::kHeaderBytesMax)},
  }};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, limits::kConnectionWindow);
}

Http2ServerSession::~Http2ServerSession() = default;

ServerStream* Http2ServerSession::find(std::int32_t id) const {
  return static_cast<ServerStream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

void Http2ServerSession::open_stream(std::int32_t id) {
  RequestHeader header = std::exchange(header_, {});
  header_stream_ = 0;
  std::unique_ptr<ServerStream> stream;
  if (is_grpc(header.fields.get("content-type"))) {
    stream = std::make_unique<GrpcStream>(connection_, id, std::move(header));
  } else {
    stream = std::make_unique<HttpStream>(connection_, id, std::move(header));
  }
  nghttp2_session_set_stream_user_data(session_.get(), id, stream.get());
  streams_.emplace(id, std::move(stream)).first->second->open();
}

absl::Status Http2ServerSession::receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) return nghttp2_error(taken, "HTTP/2");
  if (nghttp2_session_get_outbound_queue_size(session_.get()) > limits::kQueuedFramesMax) {
    return core::error(absl::StatusCode::kResourceExhausted,
                       "HTTP/2: the peer asks for answers and does not read them");
  }
  return absl::OkStatus();
}

void Http2ServerSession::produce(std::string& out, std::size_t limit) {
  produced_ = &out;
  produce_limit_ = limit;
  produce_frames(session_.get(), out, limit);
  produced_ = nullptr;
  // Only now: what they do about it may be to send more.
  for (const std::int32_t id : std::exchange(connection_.output_taken, {})) {
    if (ServerStream* stream = find(id)) stream->on_output_taken();
  }
}

bool Http2ServerSession::finished() const {
  return nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0;
}

void Http2ServerSession::drain() {
  if (drain_ != Drain::No) return;
  drain_ = Drain::Announced;
  nghttp2_submit_shutdown_notice(session_.get());
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, kDrainPing.data());
  connection_.output.output_ready();
  // Clients need not look at a connection on which they have nothing going on, gRPC's do not.
  drain_alarm_.set(connection_.loop.alarms(), Clock::now() + limits::kDrainPatience, [this] {
    if (streams_.empty()) refuse_new_streams();
  });
}

void Http2ServerSession::refuse_new_streams() {
  if (drain_ != Drain::Announced) return;
  drain_ = Drain::Refusing;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  for (const auto& [id, stream] : streams_) stream->drain();
  connection_.output.output_ready();
}

absl::Status Http2ServerSession::sweep(Clock::time_point now) {
  // A peer that does not answer pings does not hold up a drain.
  if (drain_ == Drain::Announced) refuse_new_streams();
  faults_ = 0;
  if (header_stream_ != 0 && now - header_since_ > limits::kHeaderTimeout) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, std::exchange(header_stream_, 0),
                              NGHTTP2_CANCEL);
    connection_.output.output_ready();
  }
  for (const auto& [id, stream] : streams_) {
    if (stream->stalled(now)) stream->give_up();
  }
  return absl::OkStatus();
}

void Http2ServerSession::disconnected(const absl::Status&) { streams_.clear(); }

}  // namespace flow::gateway
