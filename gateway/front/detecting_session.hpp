// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/front/service.hpp"
#include "gateway/net/session.hpp"

namespace flow::gateway {

// Finds out from a connection's first bytes whether its client speaks HTTP/2 (by prior knowledge:
// the preface is fixed, RFC 9113, 3.4) or HTTP/1.1, and is that session from then on. Confined to
// its loop.
class DetectingSession final : public Session {
 public:
  DetectingSession(Loop& loop, const Front& front, OutputSignal& output);

  absl::Status receive(std::string_view bytes) override;
  bool paused() const override;
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status& why) override;

 private:
  Loop& loop_;
  const Front& front_;
  OutputSignal& output_;
  const Clock::time_point accepted_ = Clock::now();
  std::string first_bytes_;
  std::unique_ptr<Session> session_;
  bool closing_ = false;
};

}  // namespace flow::gateway
