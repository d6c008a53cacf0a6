// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/front/service.hpp"
#include "gateway/net/session.hpp"

namespace flow::gateway {

class Http1ServerSession;

// Finds out from a connection's first bytes whether its client speaks HTTP/2 (by prior knowledge:
// the preface is fixed, RFC 9113, 3.4) or HTTP/1.1, and is that session from then on; or, once an
// HTTP/1.1 client asks for it, a WebSocket's. Confined to its loop.
class DetectingSession final : public Session {
 public:
  DetectingSession(Loop& loop, const Front& front, OutputSignal& output);
  ~DetectingSession() override;

  absl::Status receive(std::string_view bytes) override;
  bool paused() const override;
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status& why) override;

 private:
  // True if the connection has become a WebSocket just now.
  bool follow_upgrade();

  Loop& loop_;
  const Front& front_;
  OutputSignal& output_;
  const Clock::time_point accepted_ = Clock::now();
  std::string first_bytes_;
  std::unique_ptr<Session> session_;
  Http1ServerSession* http1_ = nullptr;  // session_, if it is one
  bool closing_ = false;
};

}  // namespace flow::gateway
