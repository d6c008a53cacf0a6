// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/front/service.hpp"
#include "gateway/http2/nghttp2.hpp"
#include "gateway/net/session.hpp"

namespace flow::gateway {

// What the streams of one connection share.
struct Http2Connection {
  Loop& loop;
  const Front& front;
  OutputSignal& output;
  nghttp2_session* session = nullptr;
  std::uint64_t held = 0;                       // message bytes, of all its streams
  std::vector<std::int32_t> output_taken = {};  // streams that have sent since produce() began
};

// A request's header as it comes in.
struct RequestHeader {
  void add(std::string_view name, std::string_view value);
  bool too_large() const;

  std::string method;
  std::string path;
  HeaderFields fields;
  std::size_t bytes = 0;  // as RFC 9113 counts
};

// One request and its answer: the bytes of it. A gRPC call or a plain HTTP request derives from it.
// Confined to its loop.
class ServerStream {
 public:
  ServerStream(Http2Connection& connection, std::int32_t id);
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;
  virtual ~ServerStream();

  // Its header is there, and nghttp2 knows it.
  virtual void open() {}

  // ---- what the peer sent. Whoever takes bytes calls consume(), now or later.
  virtual void on_data(std::string_view bytes) = 0;
  void end_request();
  bool request_ended() const { return request_ended_; }

  // ---- what is to be sent, for nghttp2's callbacks
  ssize_t read(std::size_t length, std::uint32_t* flags);
  void take(std::string& to, std::size_t size);
  // After a round of sending: the peer has taken some of the output.
  virtual void on_output_taken() = 0;

  // ---- time
  // Does the peer owe us the rest of what it began to say, or room for our answer?
  bool stalled(Clock::time_point now) const;
  void give_up();
  // Requests are finished in a drain; what would go on for ever is told to go elsewhere.
  virtual void drain() {}

 protected:
  virtual void on_end() = 0;
  virtual bool waits_for_peer() const = 0;
  // The peer owes us something for too long and there is no output: say so.
  virtual void time_out() { reset(); }
  // All output is sent: submits trailers, if there are any.
  virtual void submit_trailers(std::uint32_t* flags) = 0;

  enum class Body { None, Follows };
  void submit_response(const nghttp2_nv* fields, std::size_t count, Body body);
  void append_output(std::string bytes);
  void reset();
  // No more output: what is there is the last.
  void end_output();
  bool output_ended() const { return output_ended_; }
  std::size_t out_left() const { return out_.size() - out_sent_; }

  void heard() { heard_ = Clock::now(); }
  // Gives the peer credit to send as much again.
  void consume(std::size_t bytes);
  // Counts bytes of messages, of requests as of answers that a slow reader leaves here. False past
  // the budget; and when that is short, no connection gets more than it leaves to all others.
  bool hold(std::uint64_t bytes);
  void let_go(std::uint64_t bytes);

  Http2Connection& connection() { return connection_; }
  std::int32_t id() const { return id_; }

 private:
  void resume();

  Http2Connection& connection_;
  const std::int32_t id_;
  // When the peer last said something, and last took something or was offered it: who says much
  // and takes nothing stalls as well.
  Clock::time_point heard_;
  Clock::time_point taken_;
  BufferBudget::Lease held_;
  std::string out_;
  std::size_t out_sent_ = 0;
  bool request_ended_ = false;
  bool output_ended_ = false;
  bool deferred_ = false;
};

}  // namespace flow::gateway
