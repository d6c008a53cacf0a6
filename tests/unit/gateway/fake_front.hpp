// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/status.hpp"
#include "gateway/front/service.hpp"
#include "gateway/net/session.hpp"
#include "wire/grpc.hpp"

// Services that do as the path says, for sessions under test.
namespace flow::gateway {

class FakeOutput final : public OutputSignal {
 public:
  void output_ready() override { ++signals; }
  int signals = 0;
};

class FakeFront final : public GrpcServices, public HttpRoutes {
 public:
  // "/echo" and "/stream" answer each message with itself, "/silent" never answers, "/fail" ends
  // with NOT_FOUND, "/picky" is a stream that takes as many messages as front.wanted says and
  // answers none.
  class Handler final : public GrpcHandler {
   public:
    Handler(FakeFront& front, GrpcCall& call, std::string path)
        : front_(front), call_(call), path_(std::move(path)) {
      ++front_.open_calls;
      front_.last_call = &call;
    }
    ~Handler() override { --front_.open_calls; }
    void on_message(std::string framed) override {
      if (path_ == "/echo" || path_ == "/stream") return call_.send(std::move(framed));
      if (path_ != "/picky") return;
      --front_.wanted;
      front_.taken.emplace_back(wire::payload(framed));
      if (front_.on_taken) front_.on_taken();
    }
    bool wants_message() override { return path_ != "/picky" || front_.wanted > 0; }
    void on_sent() override { ++front_.sent_told; }
    void on_drain() override {
      if (streaming()) call_.finish(core::error(absl::StatusCode::kUnavailable, "stopping"));
    }
    bool streaming() const override { return path_ == "/stream" || path_ == "/picky"; }
    void on_end() override {
      ++front_.ends_told;
      if (path_ == "/echo" || path_ == "/stream") call_.finish(absl::OkStatus());
      if (path_ == "/fail") {
        call_.finish(core::error(absl::StatusCode::kNotFound, "no such thing: 100 %"));
      }
    }

   private:
    FakeFront& front_;
    GrpcCall& call_;
    const std::string path_;
  };

  std::unique_ptr<GrpcHandler> open(std::string_view path, GrpcCall& call) override {
    if (path != "/echo" && path != "/stream" && path != "/silent" && path != "/fail" &&
        path != "/picky")
      return nullptr;
    return std::make_unique<Handler>(*this, call, std::string(path));
  }

  // "/late..." is answered when the test says so; everything else at once with what was asked for.
  class LateAnswer final : public HttpHandler {
   public:
    LateAnswer(FakeFront& front, HttpExchange& exchange) : front_(front) {
      ++front_.open_exchanges;
      front_.last_exchange = &exchange;
    }
    ~LateAnswer() override { --front_.open_exchanges; }
    void on_sent() override { ++front_.pieces_sent; }

   private:
    FakeFront& front_;
  };

  std::unique_ptr<HttpHandler> open(HttpRequest request, HttpExchange& exchange) override {
    ++http_requests;
    if (request.target.starts_with("/late")) return std::make_unique<LateAnswer>(*this, exchange);
    std::string body = std::string(request.method) + " " + std::string(request.target);
    if (!request.body.empty()) body += " " + request.body;
    exchange.respond({.status = request.target == "/missing" ? 404 : 200, .body = std::move(body)});
    return nullptr;
  }

  Front front(std::uint64_t message_max = 1 << 20) { return {*this, *this, message_max}; }

  int open_calls = 0;
  int open_exchanges = 0;
  int pieces_sent = 0;
  int http_requests = 0;
  int wanted = 0;                  // by "/picky"
  std::vector<std::string> taken;  // by "/picky"
  std::function<void()> on_taken;
  int sent_told = 0;
  int ends_told = 0;
  GrpcCall* last_call = nullptr;
  HttpExchange* last_exchange = nullptr;
};

// Everything that a session has to say now.
inline std::string output_of(Session& session) {
  std::string all;
  for (;;) {
    std::string part;
    session.produce(part, 64 << 10);
    if (part.empty()) return all;
    all += part;
  }
}

}  // namespace flow::gateway
