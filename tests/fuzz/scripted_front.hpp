// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.hpp"
#include "gateway/front/service.hpp"
#include "tests/fuzz/fuzz_check.hpp"
#include "wire/compression.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

// Services for sessions that are fuzzed: they do as the first letter of the path says, some of it
// at once and some when act() is called, and check what they are given. Confined to its loop.
class ScriptedFront final : public GrpcServices, public HttpRoutes {
 public:
  // What an HTTP request was answered; in the order of the requests.
  struct Answer {
    std::string method;
    int status = 200;
    std::string body = {};
    bool complete = false;
  };

  explicit ScriptedFront(std::uint64_t message_max) : message_max_(message_max) {}

  Front front(WebSockets* websockets = nullptr) { return {*this, *this, message_max_, websockets}; }

  // One request that waits does its next step; they take turns.
  void act() {
    if (waiting_.empty()) return;
    Request& request = *waiting_.front();
    request.stop_waiting();
    if (request.act() == Next::More) request.wait();
  }

  // Requests that have a handler.
  int open_requests() const { return open_requests_; }
  const std::vector<Answer>& answers() const { return answers_; }
  // Most of what sessions may hold for their answers and for messages that become larger.
  std::uint64_t may_hold() const {
    return answered_ + static_cast<std::uint64_t>(open_requests_) * message_max_;
  }

  // "/late" is answered by act(); "/stream" by several of them; "/pump" sends more whenever all was
  // taken; "/refuse", "/no-content" and "/big" are what they say. Everything else comes back.
  std::unique_ptr<HttpHandler> open(HttpRequest request, HttpExchange& exchange) override {
    fuzz::check(!request.method.empty(), "a request has a method");
    fuzz::check(request.body.size() <= message_max_, "a body is within the limit");
    fuzz::check(is_one_line(request.method) && is_one_line(request.target), "a target is one line");
    for (const std::string_view name : HeaderFields::kNames) {
      fuzz::check(is_one_line(request.headers.get(name)), "a header field is one line");
    }
    answers_.push_back({.method = std::string(request.method)});
    switch (letter(request.target)) {
      case 'l':
      case 's':
      case 'p':
        return std::make_unique<LateAnswer>(*this, exchange, letter(request.target));
      case 'r':
        respond(exchange, answers_.size() - 1, 404, "no");
        break;
      case 'n':
        respond(exchange, answers_.size() - 1, 204, "");
        break;
      case 'b':
        respond(exchange, answers_.size() - 1, 200, std::string(300 << 10, 'b'));
        break;
      default:
        respond(exchange, answers_.size() - 1, 200, std::move(request.body));
    }
    return nullptr;
  }

  // "/echo" answers each message with itself, "/stream" as well but takes one for each act();
  // "/late" is answered by act(); "/fail" fails at its first message; "/none" does not exist.
  std::unique_ptr<GrpcHandler> open(std::string_view path, GrpcCall& call) override {
    if (letter(path) == 'n') return nullptr;
    return std::make_unique<Call>(*this, call, letter(path));
  }

 private:
  enum class Next { More, Done };

  // What somebody waits for.
  class Request {
   public:
    Request(ScriptedFront& front) : front_(front) { ++front_.open_requests_; }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    virtual ~Request() {
      stop_waiting();
      --front_.open_requests_;
    }
    virtual Next act() = 0;
    void wait() { front_.waiting_.push_back(this); }
    void stop_waiting() { front_.waiting_.remove(this); }

   protected:
    ScriptedFront& front_;
  };

  class LateAnswer final : public HttpHandler, private Request {
   public:
    LateAnswer(ScriptedFront& front, HttpExchange& exchange, char how)
        : Request(front), exchange_(exchange), how_(how), index_(front.answers_.size() - 1) {
      wait();
    }
    void on_sent() override {
      if (how_ == 'p' && steps_ > 0 && exchange_.unsent() == 0 && !answer().complete) act();
    }

   private:
    static constexpr int kPieces = 4;

    Answer& answer() { return front_.answers_[index_]; }
    Next act() override {
      if (how_ == 'l') {
        front_.respond(exchange_, index_, 200, "late");
        return Next::Done;
      }
      const std::string piece(static_cast<std::size_t>(1) << (4 * steps_), 'p');  // 1 to 4096 bytes
      if (steps_ < kPieces) front_.answered_ += piece.size();
      if (steps_ < kPieces) answer().body += piece;
      if (steps_ == 0) {
        exchange_.start({.body = piece, .content_type = "text/event-stream"});
      } else if (steps_ < kPieces) {
        exchange_.send(piece);
      } else {
        answer().complete = true;
        exchange_.end();
      }
      ++steps_;
      return how_ == 's' && !answer().complete ? Next::More : Next::Done;
    }

    HttpExchange& exchange_;
    const char how_;
    const std::size_t index_;
    int steps_ = 0;
  };

  class Call final : public GrpcHandler, private Request {
   public:
    Call(ScriptedFront& front, GrpcCall& call, char how) : Request(front), call_(call), how_(how) {
      if (how_ == 'l' || how_ == 's') wait();
    }
    void on_message(std::string framed) override {
      fuzz::check(!ended_ && !finished_, "a message comes before the end");
      fuzz::check(!wire::is_compressed(framed), "a message is not compressed any more");
      fuzz::check(framed == wire::frame(wire::payload(framed)), "a message is framed");
      fuzz::check(wire::payload(framed).size() <= front_.message_max_,
                  "a message is within the limit");
      fuzz::check(how_ != 's' || wanted_-- > 0, "only messages that are wanted come");
      if (how_ == 'f') return finish(core::error(absl::StatusCode::kNotFound, "100 % gone"));
      if (how_ == 'l') return;
      front_.answered_ += framed.size() + kCompressedMore;
      call_.send(std::move(framed));
    }
    void on_end() override {
      fuzz::check(!ended_ && !finished_, "there is one end");
      ended_ = true;
      if (how_ != 'l') finish(absl::OkStatus());
    }
    bool streaming() const override { return how_ == 's'; }
    bool wants_message() override { return how_ != 's' || wanted_ > 0; }
    void on_drain() override {
      if (streaming()) finish(core::error(absl::StatusCode::kUnavailable, "stopping"));
    }

   private:
    // What a message may grow by when it is compressed.
    static constexpr std::uint64_t kCompressedMore = 64;

    Next act() override {
      if (how_ == 's') {
        ++wanted_;
        call_.input_wanted();
        return finished_ ? Next::Done : Next::More;
      }
      finish(absl::OkStatus());
      return Next::Done;
    }
    void finish(const absl::Status& status) {
      if (!std::exchange(finished_, true)) call_.finish(status);
    }

    GrpcCall& call_;
    const char how_;
    int wanted_ = 0;
    bool ended_ = false;
    bool finished_ = false;
  };

  static char letter(std::string_view path) { return path.size() > 1 ? path[1] : '/'; }
  static bool is_one_line(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
  }

  void respond(HttpExchange& exchange, std::size_t index, int status, std::string body) {
    Answer& answer = answers_[index];
    answer.status = status;
    answer.body = body;
    answer.complete = true;
    answered_ += body.size();
    exchange.respond({.status = status, .body = std::move(body)});
  }

  const std::uint64_t message_max_;
  int open_requests_ = 0;
  std::uint64_t answered_ = 0;  // bytes
  std::vector<Answer> answers_;
  std::list<Request*> waiting_;
};

}  // namespace flow::gateway
