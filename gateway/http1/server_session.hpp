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
class Http1ServerSession final : public Session, private HttpExchange {
 public:
  Http1ServerSession(const Front& front, OutputSignal& output);

  absl::Status receive(std::string_view bytes) override;
  bool paused() const override;
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status& why) override;

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  // Reading: between requests, or in the middle of one. Answering: its handler has it.
  enum class State { Reading, Answering, Closing };

  // ---- for the handler
  void respond(HttpResponse response) override;
  void start(HttpResponse head) override;
  void send(std::string piece) override;
  void end() override;
  std::size_t unsent() const override { return out_.size(); }

  void expect_request();
  // Has the client so many answers to take that it gets no more before it does?
  bool answers_wait() const;
  // Takes requests from in_ and opens them, as long as each is answered at once.
  absl::Status proceed();
  // Takes what it can from the front of `bytes`; true if a request is complete.
  absl::StatusOr<bool> parse(std::string_view& bytes);
  void allow_body();
  void open();
  void write_head(const HttpResponse& response, std::string_view length);
  // The answer is complete.
  void finish_answer();
  // An error answer after which the connection ends.
  absl::Status refuse(int status, std::string_view detail);

  const Front& front_;
  OutputSignal& output_;
  std::string in_;
  std::string out_;
  std::optional<Parser> parser_;
  Clock::time_point waiting_since_;
  State state_ = State::Reading;
  bool body_allowed_ = false;
  bool keep_alive_ = true;  // after the answer to this request
  bool head_only_ = false;  // the answer has no body, whatever its header says
  bool chunked_ = false;    // of the answer that is being sent
  bool draining_ = false;
  bool proceeding_ = false;
  HeaderFields fields_;
  // Last: its destructor may still look at the members above.
  std::unique_ptr<HttpHandler> handler_;
};

}  // namespace flow::gateway
