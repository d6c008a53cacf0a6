// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"
#include "gateway/front/service.hpp"
#include "gateway/net/session.hpp"

namespace flow::gateway {

// The server's end of one HTTP/1.1 connection: one request after another, pipelined ones too.
// Confined to its loop.
class Http1ServerSession final : public Session {
 public:
  Http1ServerSession(const Front& front, OutputSignal& output);

  absl::Status receive(std::string_view bytes) override;
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status&) override {}

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  enum class Connection { KeepAlive, Close };

  void expect_request();
  // Takes what it can from the front of `bytes`; true if a request is complete.
  absl::StatusOr<bool> parse(std::string_view& bytes);
  void answer();
  void respond(const HttpResponse& response, bool head_only, Connection connection);
  // An error answer after which the connection ends.
  absl::Status refuse(int status, std::string_view detail);

  const Front& front_;
  OutputSignal& output_;
  std::string in_;
  std::string out_;
  std::optional<Parser> parser_;
  Clock::time_point waiting_since_;
  bool draining_ = false;
  bool closing_ = false;
};

}  // namespace flow::gateway
