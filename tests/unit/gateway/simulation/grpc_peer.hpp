// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "gateway/http2/nghttp2.hpp"

namespace flow::gateway {

// The executor's end of one HTTP/2 connection, which can also misbehave: it answers a call when it
// is told to, refuses it, resets it or says goodbye.
class GrpcPeer {
 public:
  using Stream = std::int32_t;
  // A request has arrived as a whole.
  using OnRequest = std::function<void(Stream stream, std::string_view path, std::string framed)>;

  explicit GrpcPeer(OnRequest on_request);
  GrpcPeer(const GrpcPeer&) = delete;
  GrpcPeer& operator=(const GrpcPeer&) = delete;

  // False if the other side broke the protocol.
  bool receive(std::string_view bytes);
  std::string produce();

  // Of a stream that is gone: nothing happens.
  void reply(Stream stream, std::string_view framed);
  enum class Started { Yes, No };  // did any work begin on it?
  void finish(Stream stream, int grpc_status, Started started = Started::Yes);
  void reset(Stream stream, std::uint32_t error);
  // Requests that have not arrived by now are not taken any more.
  void say_goodbye();

 private:
  struct Call {
    std::string path;
    std::string in;
    std::string out;
    std::string status;  // once it is over
    Started started = Started::Yes;
    bool answering = false;
  };
  struct Callbacks;

  void answer(Stream stream, Call& call);
  Call* find(Stream stream);

  const OnRequest on_request_;
  std::map<Stream, Call> calls_;
  Nghttp2Session session_;
};

}  // namespace flow::gateway
