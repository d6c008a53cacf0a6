// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2/server_stream.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"

namespace flow::gateway {

namespace limits = core::limits;

void RequestHeader::add(std::string_view name, std::string_view value) {
  bytes += name.size() + value.size() + 32;
  if (too_large()) return;
  if (name == ":method") {
    method = value;
  } else if (name == ":path") {
    path = value;
  } else {
    fields.add(name, value);
  }
}

bool RequestHeader::too_large() const { return bytes > limits::kHeaderBytesMax; }

ServerStream::ServerStream(Http2Connection& connection, std::int32_t id)
    : connection_(connection), id_(id), heard_(Clock::now()), taken_(heard_) {}

ServerStream::~ServerStream() { connection_.held -= held_.bytes(); }

void ServerStream::end_request() {
  request_ended_ = true;
  on_end();
}

// ---- the answer ---------------------------------------------------------------------------------

void ServerStream::submit_response(const nghttp2_nv* fields, std::size_t count, Body body) {
  nghttp2_data_provider provider = {
      {.ptr = this},
      [](nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t length, std::uint32_t* flags,
         nghttp2_data_source* source,
         void*) { return static_cast<ServerStream*>(source->ptr)->read(length, flags); }};
  // Fails only if the stream is gone, in which case its close callback is on its way.
  nghttp2_submit_response(connection_.session, id_, fields, count,
                          body == Body::Follows ? &provider : nullptr);
  connection_.output.output_ready();
}

void ServerStream::append_output(std::string bytes) {
  if (out_left() == 0) {
    taken_ = Clock::now();  // from here on it is the peer's turn
    out_ = std::move(bytes);
  } else {
    out_.erase(0, out_sent_);
    out_.append(bytes);
  }
  out_sent_ = 0;
  resume();
}

void ServerStream::end_output() {
  output_ended_ = true;
  resume();
}

void ServerStream::resume() {
  if (std::exchange(deferred_, false)) nghttp2_session_resume_data(connection_.session, id_);
  connection_.output.output_ready();
}

ssize_t ServerStream::read(std::size_t length, std::uint32_t* flags) {
  const std::size_t left = out_left();
  if (left == 0 && !output_ended_) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  const std::size_t size = std::min(left, length);
  if (size == left && output_ended_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    submit_trailers(flags);
  }
  return static_cast<ssize_t>(size);
}

void ServerStream::take(std::string& to, std::size_t size) {
  to.append(out_, out_sent_, size);
  out_sent_ += size;
  taken_ = Clock::now();
  let_go(std::min<std::uint64_t>(size, held_.bytes()));
  if (!output_ended_) connection_.output_taken.push_back(id_);
}

// ---- bounds -------------------------------------------------------------------------------------

void ServerStream::consume(std::size_t bytes) {
  if (bytes == 0) return;
  nghttp2_session_consume_stream(connection_.session, id_, bytes);
  connection_.output.output_ready();
}

bool ServerStream::hold(std::uint64_t bytes) {
  BufferBudget& budget = connection_.loop.budget();
  if (!budget.fair(bytes, connection_.held) || !held_.grow(budget, bytes)) return false;
  connection_.held += bytes;
  return true;
}

void ServerStream::let_go(std::uint64_t bytes) {
  held_.shrink(bytes);
  connection_.held -= bytes;
}

bool ServerStream::stalled(Clock::time_point now) const {
  if (out_left() > 0 && now - taken_ > limits::kStallTimeout) return true;
  return now - heard_ > limits::kStallTimeout && waits_for_peer();
}

void ServerStream::give_up() {
  if (out_left() == 0) {
    time_out();
  } else {
    reset();
  }
}

void ServerStream::reset() {
  nghttp2_submit_rst_stream(connection_.session, NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  connection_.output.output_ready();
}

}  // namespace flow::gateway
