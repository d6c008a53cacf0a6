// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "boost/asio/basic_stream_socket.hpp"
#include "boost/asio/generic/stream_protocol.hpp"
#include "boost/asio/io_context.hpp"
#include "gateway/net/loop.hpp"
#include "gateway/net/session.hpp"

namespace flow::gateway {

using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                boost::asio::io_context::executor_type>;

// Moves bytes between a connected, non-blocking socket and a session. Output is pulled only while
// the socket takes it, so a peer that does not read costs kWriteBytesMax and no more; one that
// reads nothing for kStallTimeout is cut off. Confined to its loop.
//
// Shared: by its registry (listener or executor replica) and by handlers that are in flight.
class Connection final : public Flushable, public OutputSignal {
 public:
  Connection(Loop& loop, Socket socket);

  // `on_closed` is called exactly once, never from inside a call into this class, with OK if the
  // session finished, else with what went wrong.
  void start(std::unique_ptr<Session> session, std::function<void(absl::Status)> on_closed);

  Session& session() { return *session_; }
  void output_ready() override;
  void flush() override;
  void sweep(Clock::time_point now);
  void close(absl::Status why);
  // The peer is known to be dead: takes what it had sent, then closes.
  void close_after_reading(absl::Status why);
  // For the owner's destructor: everything ends here and now, and on_closed is not called.
  void abandon();

 private:
  std::shared_ptr<Connection> self() {
    return std::static_pointer_cast<Connection>(shared_from_this());
  }
  // Unless that is under way, or the session has enough for now.
  void wait_readable();
  void on_readable();
  // Offers what is pending to the socket, then closes once the peer does, or after kLinger.
  void end(const absl::Status& why);

  Loop& loop_;
  Socket socket_;
  std::unique_ptr<Session> session_;
  std::function<void(absl::Status)> on_closed_;
  std::string out_;
  std::size_t out_sent_ = 0;
  Clock::time_point out_progress_;
  bool flush_pending_ = false;
  bool readable_pending_ = false;
  bool writable_pending_ = false;
  bool peer_ended_ = false;  // it sends no more; what it may still read is written, then we hang up
  bool lingering_ = false;
  absl::Status end_reason_;
  bool closed_ = false;
};

}  // namespace flow::gateway
