// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/connection.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "boost/asio/post.hpp"
#include "core/limits.hpp"
#include "core/status.hpp"

namespace flow::gateway {

using boost::system::error_code;

namespace {

// Of one connection, before the others have their turn: one that sends faster than we read would
// have the loop for itself.
constexpr int kReadsPerRound = 4;

absl::Status closed_by_peer() {
  return core::error(absl::StatusCode::kUnavailable, "closed by the peer");
}

}  // namespace

Connection::Connection(Loop& loop, Socket socket) : loop_(loop), socket_(std::move(socket)) {}

void Connection::start(std::unique_ptr<Session> session,
                       std::function<void(absl::Status)> on_closed) {
  session_ = std::move(session);
  on_closed_ = std::move(on_closed);
  wait_readable();
  output_ready();
}

void Connection::output_ready() {
  if (flush_pending_ || closed_ || lingering_) return;
  flush_pending_ = true;
  loop_.flush_soon(self());
}

void Connection::wait_readable() {
  if (readable_pending_ || closed_ || peer_ended_ || (!lingering_ && session_->paused())) return;
  readable_pending_ = true;
  socket_.async_wait(Socket::wait_read, [this, keep = self()](const error_code& error) {
    readable_pending_ = false;
    if (!error && !closed_) on_readable();
  });
}

void Connection::on_readable() {
  // A second read only if the first filled the buffer: otherwise waiting is cheaper than EAGAIN.
  const std::span<char> buffer = loop_.read_buffer();
  for (int reads = 0; reads < kReadsPerRound; ++reads) {
    const ssize_t size = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return close(core::system_error(errno, "receive"));
    }
    if (size == 0) {
      if (lingering_) return close(end_reason_);
      peer_ended_ = true;
      return flush();
    }
    if (!lingering_) {
      const absl::Status status =
          session_->receive({buffer.data(), static_cast<std::size_t>(size)});
      if (!closed_ && !status.ok()) end(status);
      if (closed_) return;
    }
    if (static_cast<std::size_t>(size) < buffer.size() || session_->paused()) break;
  }
  output_ready();
  wait_readable();
}

void Connection::flush() {
  flush_pending_ = false;
  while (!closed_) {
    if (out_sent_ == out_.size()) {
      out_.clear();
      out_sent_ = 0;
      out_progress_ = Clock::now();
      session_->produce(out_, core::limits::kWriteBytesMax);
      if (out_.empty()) {
        if (peer_ended_) return close(closed_by_peer());
        if (session_->finished() && !lingering_) close(absl::OkStatus());
        return wait_readable();
      }
    }
    const ssize_t size = ::send(socket_.native_handle(), out_.data() + out_sent_,
                                out_.size() - out_sent_, MSG_NOSIGNAL);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        return close(peer_ended_ ? closed_by_peer() : core::system_error(errno, "send"));
      }
      if (!std::exchange(writable_pending_, true)) {
        socket_.async_wait(Socket::wait_write, [this, keep = self()](const error_code& error) {
          writable_pending_ = false;
          if (!error && !closed_) flush();
        });
      }
      return;
    }
    out_sent_ += static_cast<std::size_t>(size);
    out_progress_ = Clock::now();
  }
}

void Connection::sweep(Clock::time_point now) {
  if (closed_) return;
  if (lingering_) {
    if (now - out_progress_ > core::limits::kLinger) close(end_reason_);
    return;
  }
  if (out_sent_ < out_.size() && now - out_progress_ > core::limits::kStallTimeout) {
    return close(core::error(absl::StatusCode::kDeadlineExceeded, "the peer does not read"));
  }
  if (const absl::Status status = session_->sweep(now); !status.ok()) return end(status);
  output_ready();
}

void Connection::end(const absl::Status& why) {
  if (std::exchange(lingering_, true)) return;
  flush();
  if (closed_) return;
  wait_readable();
  // Closing while the peer still sends would reset the connection and throw away the answer that
  // says what was wrong: let it see the answer and our end, and hang up itself.
  ::shutdown(socket_.native_handle(), SHUT_WR);
  end_reason_ = why;
  out_progress_ = Clock::now();
}

void Connection::close(absl::Status why) {
  if (std::exchange(closed_, true)) return;
  error_code ignored;  // the socket is gone either way
  socket_.close(ignored);
  boost::asio::post(loop_.io(), [keep = self(), why = std::move(why)] {
    if (!keep->session_) return;  // abandoned meanwhile
    keep->session_->disconnected(why);
    // The session's streams may hold on to others: they go before the owner hears of it.
    keep->session_.reset();
    if (keep->on_closed_) std::exchange(keep->on_closed_, nullptr)(why);
  });
}

void Connection::close_after_reading(absl::Status why) {
  if (!closed_) on_readable();
  close(std::move(why));
}

void Connection::abandon() {
  closed_ = true;
  on_closed_ = nullptr;
  if (session_) session_->disconnected(core::error(absl::StatusCode::kUnavailable, "abandoned"));
  session_.reset();
  error_code ignored;  // the socket is gone either way
  socket_.close(ignored);
}

}  // namespace flow::gateway
