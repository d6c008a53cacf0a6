// SPDX-License-Identifier: Apache-2.0
// Any bytes that a client of HTTP/1.1 sends, in pieces of any size, with answers that come late, in
// parts or not at all, and are read or not: what it reads are the answers to its requests, in
// order.
#include <optional>
#include <string>
#include <string_view>

#include "boost/asio/buffer.hpp"
#include "boost/beast/http/error.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"
#include "gateway/http1/server_session.hpp"
#include "tests/fuzz/fuzz_check.hpp"
#include "tests/fuzz/scripted_connection.hpp"
#include "tests/fuzz/scripted_front.hpp"
#include "tests/unit/gateway/fake_front.hpp"

namespace {

namespace http = boost::beast::http;
using namespace flow::gateway;
using flow::fuzz::check;

// Reads what the server sends, and compares it with what the front says that it has answered.
class AnswerReader {
 public:
  AnswerReader(const ScriptedFront& front, bool little_room)
      : front_(front), little_room_(little_room) {}

  void take(std::string_view bytes) {
    unread_.append(bytes);
    while (!unread_.empty()) {
      check(!closed_, "nothing follows an answer that closes");
      if (!parser_) begin();
      boost::system::error_code error;
      const std::size_t taken =
          parser_->put(boost::asio::buffer(unread_.data(), unread_.size()), error);
      unread_.erase(0, taken);
      check(!error || error == http::error::need_more, "an answer is HTTP");
      if (parser_->is_done()) {
        finish();
      } else if (taken == 0) {
        return;
      }
    }
  }

 private:
  void begin() {
    parser_.emplace();
    parser_->eager(true);
    const auto& answers = front_.answers();
    if (count_ < answers.size() && answers[count_].method == "HEAD") parser_->skip(true);
  }

  void finish() {
    const http::response<http::string_body> answer = parser_->release();
    parser_.reset();
    if (answer.result() == http::status::continue_) return;
    closed_ = !answer.keep_alive();
    const std::size_t index = count_++;
    if (index >= front_.answers().size()) {
      check(closed_ && answer.result_int() >= 400, "an answer to no request refuses and closes");
      return;
    }
    const ScriptedFront::Answer& expected = front_.answers()[index];
    if (little_room_ && answer.result_int() == 503) return;
    check(answer.result_int() == static_cast<unsigned>(expected.status), "a status is what it was");
    if (expected.method == "HEAD") return check(answer.body().empty(), "HEAD has no body");
    check(expected.complete && answer.body() == expected.body, "a body is what it was, all of it");
  }

  const ScriptedFront& front_;
  const bool little_room_;
  std::string unread_;
  std::optional<http::response_parser<http::string_body>> parser_;
  std::size_t count_ = 0;
  bool closed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Loop loop;
  const Script script(data, size);
  ScriptedFront services(script.message_max());
  const Front front = services.front();
  FakeOutput output;
  {
    Http1ServerSession session(loop, front, output);
    AnswerReader client(services, script.little_room());
    ScriptedConnection connection(loop, session, services,
                                  [&](std::string_view bytes) { client.take(bytes); });
    connection.run(script);
  }
  check(services.open_requests() == 0, "no handler is left");
  check(loop.budget().used() == 0, "nothing is held afterwards");
  return 0;
}
