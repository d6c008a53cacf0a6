// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/detecting_session.hpp"

#include "core/limits.hpp"
#include "core/status.hpp"
#include "gateway/http1/server_session.hpp"
#include "gateway/http2/server_session.hpp"

namespace flow::gateway {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

DetectingSession::DetectingSession(Loop& loop, const Front& front, OutputSignal& output)
    : loop_(loop), front_(front), output_(output) {}

DetectingSession::~DetectingSession() = default;

absl::Status DetectingSession::receive(std::string_view bytes) {
  if (session_) {
    const absl::Status status = session_->receive(bytes);
    follow_upgrade();
    return status;
  }
  if (closing_) return absl::OkStatus();
  first_bytes_.append(bytes);
  const std::string_view seen = std::string_view(first_bytes_).substr(0, kPreface.size());
  if (!kPreface.starts_with(seen)) {
    auto http1 = std::make_unique<Http1ServerSession>(loop_, front_, output_);
    http1_ = http1.get();
    session_ = std::move(http1);
  } else if (seen.size() == kPreface.size()) {
    session_ = std::make_unique<Http2ServerSession>(loop_, front_, output_);
  } else {
    return absl::OkStatus();
  }
  const std::string first_bytes = std::exchange(first_bytes_, std::string());
  return receive(first_bytes);
}

bool DetectingSession::follow_upgrade() {
  if (http1_ == nullptr) return false;
  std::optional<WebSocketUpgrade> upgrade = http1_->take_upgrade();
  if (!upgrade) return false;
  http1_ = nullptr;
  session_ = std::make_unique<WebSocketServerSession>(loop_, front_, output_, *std::move(upgrade));
  output_.output_ready();
  return true;
}

bool DetectingSession::paused() const { return session_ && session_->paused(); }

void DetectingSession::produce(std::string& out, std::size_t limit) {
  if (!session_) return;
  session_->produce(out, limit);
  if (follow_upgrade()) session_->produce(out, limit);
}

bool DetectingSession::finished() const { return session_ ? session_->finished() : closing_; }

void DetectingSession::drain() {
  if (session_) return session_->drain();
  closing_ = true;
  output_.output_ready();
}

absl::Status DetectingSession::sweep(Clock::time_point now) {
  if (session_) return session_->sweep(now);
  if (now - accepted_ > core::limits::kHeaderTimeout) {
    return core::error(absl::StatusCode::kDeadlineExceeded, "the client said nothing");
  }
  return absl::OkStatus();
}

void DetectingSession::disconnected(const absl::Status& why) {
  if (session_) session_->disconnected(why);
}

}  // namespace flow::gateway
