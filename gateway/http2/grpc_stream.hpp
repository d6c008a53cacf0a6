// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/http2/server_stream.hpp"
#include "wire/backlog.hpp"
#include "wire/compression.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

// A stream that carries a gRPC call. Confined to its loop.
class GrpcStream final : public ServerStream, public GrpcCall {
 public:
  GrpcStream(Http2Connection& connection, std::int32_t id, RequestHeader header);

  void open() override;
  void on_data(std::string_view bytes) override;
  void on_output_taken() override;
  void drain() override;

  void send(std::string framed) override;
  void finish(const absl::Status& status) override;
  void input_wanted() override;
  std::optional<Clock::time_point> deadline() const override { return deadline_; }
  const HeaderFields& metadata() const override { return header_.fields; }
  std::size_t unsent() const override { return out_left(); }
  bool hold(std::uint64_t bytes) override { return ServerStream::hold(bytes); }
  void let_go(std::uint64_t bytes) override { ServerStream::let_go(bytes); }

 private:
  void on_end() override;
  bool waits_for_peer() const override;
  void time_out() override;
  void submit_trailers(std::uint32_t* flags) override;

  absl::Status check();
  bool takes_input();
  // Hands messages over while they are wanted; what is cut off the front of `bytes` is credit for
  // the caller.
  void deliver(std::string_view& bytes);
  void deliver_unread();
  void take_message(std::string framed);
  // A slice of the message that is being inflated; the next one when others had their turn.
  void inflate();
  void hand_over(std::string framed);
  bool count(std::uint64_t bytes);
  nghttp2_nv status_header() const;

  const RequestHeader header_;
  wire::Encoding encoding_ = wire::Encoding::Identity;         // of the caller's messages
  wire::Encoding answer_encoding_ = wire::Encoding::Identity;  // of ours
  wire::MessageReader reader_;
  wire::Backlog unread_;  // bounded by the stream's window
  std::unique_ptr<wire::Inflater> inflater_;
  Alarms::Alarm inflate_alarm_;
  bool delivering_ = false;
  bool end_told_ = false;
  std::optional<Clock::time_point> deadline_;
  std::string status_code_;
  std::string status_message_;
  bool responded_ = false;
  bool finished_ = false;
  Alarms::Alarm deadline_alarm_;
  // Last: its destructor may still look at the members above.
  std::unique_ptr<GrpcHandler> handler_;
};

}  // namespace flow::gateway
