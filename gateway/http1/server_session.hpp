// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "boost/beast/http/parser.hpp"
#include "gateway/front/service.hpp"
#include "gateway/http1/request_body.hpp"
#include "gateway/net/session.hpp"
#include "gateway/websocket/server_session.hpp"

namespace flow::gateway {

// The server's end of one HTTP/1.1 connection: one request after another, pipelined ones too.
// Confined to its loop.
class Http1ServerSession final : public Session, private HttpExchange {
 public:
  Http1ServerSession(Loop& loop, const Front& front, OutputSignal& output);

  absl::Status receive(std::string_view bytes) override;
  bool paused() const override;
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status& why) override;

  // Has the connection become a WebSocket? Then this was its last word: what there is to say and to
  // read goes to the session that follows. To be asked after receive() and produce().
  std::optional<WebSocketUpgrade> take_upgrade();

 private:
  using Parser = boost::beast::http::request_parser<RequestBody>;
  // Reading: between requests, or in the middle of one. Answering: its handler has it. Answered:
  // the handler has said all, and may be the one whose call into us this is. Upgraded: what comes
  // next is not HTTP.
  enum class State { Reading, Answering, Answered, Upgraded, Closing };

  // ---- for the handler
  void respond(HttpResponse response) override;
  void start(HttpResponse head) override;
  void send(std::string piece) override;
  void end() override;
  std::size_t unsent() const override { return out_.size() - out_sent_; }

  void expect_request();
  // Has the client begun no request?
  bool idle() const;
  // Is there enough to do before the next request is looked at?
  bool busy() const;
  // Takes requests from in_ and opens them, as long as each is answered at once.
  absl::Status proceed();
  // Takes what it can from the front of `bytes`; true if a request is complete.
  absl::StatusOr<bool> parse(std::string_view& bytes);
  void allow_body();
  void open();
  // Makes a WebSocket of the connection, or refuses to, if that is what the request asks for. It is
  // answered like any other where there is no WebSocket (RFC 9110, 7.8).
  bool upgrade();
  enum class Length { Known, Open };
  void write_head(const HttpResponse& response, Length length);
  void write_whole(const HttpResponse& response);
  void append_output(std::string_view bytes);
  // The answer is complete.
  void finish_answer();
  // An error answer after which the connection ends.
  absl::Status refuse(int status, std::string_view detail);
  absl::Status refuse(const HttpResponse& response, std::string_view why);
  // Counts bytes that are about to be kept. False past the budget.
  bool hold(std::uint64_t bytes);
  // Gives back what is no longer kept.
  void let_go();

  Loop& loop_;
  const Front& front_;
  OutputSignal& output_;
  std::string in_;
  std::string out_;
  std::size_t out_sent_ = 0;
  std::uint64_t body_bytes_ = 0;  // of the request that is being answered
  BufferBudget::Lease held_;
  std::optional<Parser> parser_;
  Clock::time_point waiting_since_;
  State state_ = State::Reading;
  bool body_allowed_ = false;
  bool old_client_ = false;  // it speaks HTTP/1.0
  bool keep_alive_ = true;   // after the answer to this request
  bool head_only_ = false;   // the answer has no body, whatever its header says
  bool chunked_ = false;     // of the answer that is being sent
  bool draining_ = false;
  bool proceeding_ = false;
  HeaderFields fields_;
  WebSocketUpgrade upgrade_;
  // Last: its destructor may still look at the members above.
  std::unique_ptr<HttpHandler> handler_;
};

}  // namespace flow::gateway
