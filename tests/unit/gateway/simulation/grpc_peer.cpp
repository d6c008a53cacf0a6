// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/gateway/simulation/grpc_peer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

namespace flow::gateway {

struct GrpcPeer::Callbacks {
  static GrpcPeer& self(void* user_data) { return *static_cast<GrpcPeer*>(user_data); }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    self(user).calls_.try_emplace(frame->hd.stream_id);
    return 0;
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) {
    Call* call = self(user).find(frame->hd.stream_id);
    if (call != nullptr && view(name, name_size) == ":path") call->path = view(value, value_size);
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                     std::size_t size, void* user) {
    if (Call* call = self(user).find(id)) call->in.append(view(data, size));
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (Call* call = self(user).find(frame->hd.stream_id)) {
      self(user).on_request_(frame->hd.stream_id, call->path, std::move(call->in));
    }
    return 0;
  }
  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    self(user).calls_.erase(id);
    return 0;
  }
  static ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t* to, std::size_t room,
                      std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Call* call = self(user).find(id);
    if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (call->out.empty() && call->status.empty()) return NGHTTP2_ERR_DEFERRED;
    const std::size_t size = std::min(room, call->out.size());
    std::memcpy(to, call->out.data(), size);
    call->out.erase(0, size);
    if (call->out.empty() && !call->status.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const nghttp2_nv trailer = header("grpc-status", call->status, HeaderValue::PerCall);
      nghttp2_submit_trailer(session, id, &trailer, 1);
    }
    return static_cast<ssize_t>(size);
  }
};

GrpcPeer::GrpcPeer(OnRequest on_request) : on_request_(std::move(on_request)) {
  const Nghttp2Callbacks callbacks = make_nghttp2_callbacks();
  nghttp2_session_callbacks* c = callbacks.get();
  nghttp2_session_callbacks_set_on_begin_headers_callback(c, &Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(c, &Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, &Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, &Callbacks::on_stream_close);
  nghttp2_session* session = nullptr;
  if (nghttp2_session_server_new(&session, c, this) != 0) std::abort();  // out of memory
  session_.reset(session);
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
}

GrpcPeer::Call* GrpcPeer::find(Stream stream) {
  const auto found = calls_.find(stream);
  return found == calls_.end() ? nullptr : &found->second;
}

bool GrpcPeer::receive(std::string_view bytes) {
  return nghttp2_session_mem_recv(session_.get(),
                                  reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                  bytes.size()) >= 0;
}

std::string GrpcPeer::produce() {
  std::string out;
  produce_frames(session_.get(), out, std::size_t{1} << 20);
  return out;
}

void GrpcPeer::answer(Stream stream, Call& call) {
  if (std::exchange(call.answering, true)) {
    nghttp2_session_resume_data(session_.get(), stream);
    return;
  }
  const bool trailers_only = call.out.empty() && !call.status.empty();
  std::vector<nghttp2_nv> fields = {
      header(":status", "200", HeaderValue::Static),
      header("content-type", "application/grpc", HeaderValue::Static)};
  if (trailers_only) fields.push_back(header("grpc-status", call.status, HeaderValue::PerCall));
  if (call.started == Started::No) {
    fields.push_back(header("flow-not-started", "true", HeaderValue::Static));
  }
  nghttp2_data_provider provider = {{.ptr = nullptr}, &Callbacks::read};
  nghttp2_submit_response(session_.get(), stream, fields.data(), fields.size(),
                          trailers_only ? nullptr : &provider);
}

void GrpcPeer::reply(Stream stream, std::string_view framed) {
  Call* call = find(stream);
  if (call == nullptr) return;
  call->out.append(framed);
  answer(stream, *call);
}

void GrpcPeer::finish(Stream stream, int grpc_status, Started started) {
  Call* call = find(stream);
  if (call == nullptr) return;
  call->status = std::to_string(grpc_status);
  call->started = started;
  answer(stream, *call);
}

void GrpcPeer::reset(Stream stream, std::uint32_t error) {
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, error);
}

void GrpcPeer::say_goodbye() {
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

}  // namespace flow::gateway
