// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/http2/client_session.hpp"
#include "gateway/http2/server_session.hpp"
#include "gtest/gtest.h"
#include "tests/unit/gateway/fake_front.hpp"

// Ends of HTTP/2 connections that talk in memory.
namespace flow::gateway {

struct RecordedCall final : ClientCall {
  void on_reply(std::string framed) override {
    replies.emplace_back(wire::payload(framed));
    if (on_each) on_each();
  }
  void on_done(const absl::Status& status) override {
    done.push_back(status);
    if (then) then();
  }
  using ClientCall::reply_wanted;
  bool wants_reply() override { return wanted == nullptr || wanted(*this); }

  std::vector<std::string> replies;
  std::vector<absl::Status> done;
  std::function<void()> then;
  std::function<void()> on_each;
  std::function<bool(RecordedCall&)> wanted;
};

class Http2Test : public testing::Test {
 protected:
  // Carries bytes back and forth until both fall silent.
  void exchange() {
    for (;;) {
      const std::string to_server = output_of(*client_);
      const std::string to_client = output_of(*server_);
      if (to_server.empty() && to_client.empty()) return;
      if (!to_server.empty()) server_error_ = server_->receive(to_server);
      if (!to_client.empty()) client_error_ = client_->receive(to_client);
    }
  }
  void make_server(std::uint64_t message_max) {
    front_.message_max = message_max;
    server_ = std::make_unique<Http2ServerSession>(loop_, front_, server_output_);
  }

  Loop loop_;
  FakeFront fake_;
  Front front_ = fake_.front();
  FakeOutput server_output_;
  FakeOutput client_output_;
  int heard_ = 0;
  absl::Status server_error_;
  absl::Status client_error_;
  std::unique_ptr<Http2ServerSession> server_ =
      std::make_unique<Http2ServerSession>(loop_, front_, server_output_);
  std::unique_ptr<Http2ClientSession> client_ = std::make_unique<Http2ClientSession>(
      client_output_, "localhost", 1 << 24, [this] { ++heard_; });
};

// A client that writes its frames by hand, because no library would write such ones.
class Http2WireTest : public testing::Test {
 protected:
  enum Type { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kWindowUpdate = 8 };
  enum Flags { kNone = 0, kEndStream = 1, kEndHeaders = 4 };

  static std::string frame_bytes(Type type, int flags, std::uint32_t stream,
                                 std::string_view payload) {
    std::string bytes;
    for (int shift : {16, 8, 0}) bytes += static_cast<char>(payload.size() >> shift);
    bytes += static_cast<char>(type);
    bytes += static_cast<char>(flags);
    for (int shift : {24, 16, 8, 0}) bytes += static_cast<char>(stream >> shift);
    return bytes.append(payload);
  }
  static std::string literal(std::string_view name, std::string_view value) {
    std::string bytes(1, '\0');
    bytes += static_cast<char>(name.size());
    bytes.append(name);
    bytes += static_cast<char>(value.size());
    return bytes.append(value);
  }
  static std::string http_header(std::string_view method, std::string_view path) {
    return literal(":method", method) + literal(":scheme", "http") + literal(":path", path) +
           literal(":authority", "x");
  }
  // A request over plain HTTP that has been begun.
  static std::string begin(std::string_view method, std::string_view path, int flags = kEndStream) {
    return frame_bytes(kHeaders, kEndHeaders | flags, 1, http_header(method, path));
  }
  static std::string grpc_header(std::string_view path) {
    return literal(":method", "POST") + literal(":scheme", "http") + literal(":path", path) +
           literal(":authority", "x") + literal("content-type", "application/grpc");
  }

  absl::Status say(const std::string& bytes) { return server_.receive(bytes); }
  std::string start(std::string_view settings = "") {
    return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame_bytes(kSettings, kNone, 0, settings);
  }
  absl::Status sweep_after(Clock::duration time) { return server_.sweep(Clock::now() + time); }

  Loop loop_;
  FakeFront fake_;
  Front front_ = fake_.front();
  FakeOutput output_;
  Http2ServerSession server_{loop_, front_, output_};
};

}  // namespace flow::gateway
