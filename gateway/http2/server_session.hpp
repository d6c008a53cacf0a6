// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/front/service.hpp"
#include "gateway/http2/nghttp2.hpp"
#include "gateway/http2/server_stream.hpp"
#include "gateway/net/session.hpp"

namespace flow::gateway {

// The server's end of one HTTP/2 connection: gRPC and plain HTTP requests, each on its stream.
// Confined to its loop.
class Http2ServerSession final : public Session {
 public:
  Http2ServerSession(Loop& loop, const Front& front, OutputSignal& output);
  ~Http2ServerSession() override;

  absl::Status receive(std::string_view bytes) override;
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status& why) override;

 private:
  struct Callbacks;

  ServerStream* find(std::int32_t id) const;
  // A request's header is complete.
  void open_stream(std::int32_t id);
  // The second half of a drain: from now on streams the peer opens are not looked at.
  void refuse_new_streams();

  Http2Connection connection_;
  Nghttp2Session session_;
  std::unordered_map<std::int32_t, std::unique_ptr<ServerStream>> streams_;
  // Of the request whose header is being received; stream 0: there is none.
  RequestHeader header_;
  std::int32_t header_stream_ = 0;
  Clock::time_point header_since_;
  std::string* produced_ = nullptr;  // where produce() writes to, while it runs
  std::size_t produce_limit_ = 0;
  std::uint32_t faults_ = 0;  // streams that ended by an error of the peer since the last sweep
  enum class Drain { No, Announced, Refusing } drain_ = Drain::No;
  Alarms::Alarm drain_alarm_;
};

}  // namespace flow::gateway
