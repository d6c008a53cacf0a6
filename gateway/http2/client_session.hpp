// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/http2/nghttp2.hpp"
#include "gateway/net/session.hpp"
#include "wire/backlog.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

class Http2ClientSession;

// One gRPC call to an executor. Its owner derives from it; destroying it while it runs cancels it.
// Confined to its loop.
class ClientCall {
 public:
  ClientCall() = default;
  ClientCall(const ClientCall&) = delete;
  ClientCall& operator=(const ClientCall&) = delete;
  virtual ~ClientCall();

  bool running() const { return session_ != nullptr || ended_; }
  // Ends it without a word to its owner.
  void cancel();

 protected:
  // May end or destroy this.
  virtual void on_reply(std::string framed) = 0;
  // Asked before each reply. While the answer is no, the executor is held back by HTTP/2's flow
  // control, and the end of the call waits as well.
  virtual bool wants_reply() { return true; }
  // It wants replies again. As on_reply().
  void reply_wanted();
  // Exactly once unless cancelled, and the last thing that happens: may destroy this, or start
  // another call.
  virtual void on_done(const absl::Status& status) = 0;

  // ---- about a call that has ended badly, from on_done() on
  // Is it certain that the request did not reach the executor as a whole, or that the executor
  // refused it unseen?
  bool never_ran() const { return never_ran_; }
  // Did the connection break under it?
  bool connection_lost() const { return connection_lost_; }
  // The request's message, to be sent again.
  std::string take_request();

  // Does it keep its request for take_request()? It does unless told otherwise; else the bytes are
  // freed as soon as they are sent.
  void keep_request(bool keep);

 private:
  friend class Http2ClientSession;
  // Hands replies over while they are wanted, and takes them off the front of `bytes`. False if
  // that has ended or destroyed this.
  bool deliver(std::string_view& bytes);
  absl::Status final_status(std::uint32_t error_code);
  void complete(const absl::Status& status);

  Http2ClientSession* session_ = nullptr;
  std::int32_t stream_ = 0;
  std::string out_;
  std::size_t out_sent_ = 0;
  bool handed_over_ = false;  // all of out_, to the connection
  bool keeps_request_ = true;
  bool never_ran_ = false;
  bool connection_lost_ = false;
  std::optional<wire::MessageReader> reader_;
  wire::Backlog unread_;  // bounded by the stream's window
  bool* gone_ = nullptr;  // set by who ends this while deliver() runs, which looks at it
  std::optional<absl::Status> ended_;  // the stream has, its replies are not all wanted yet
  std::optional<absl::Status> error_;  // ours, which goes before what the peer says
  std::string http_status_;
  std::string grpc_status_;
  std::string grpc_message_;
  bool not_started_ = false;  // says the executor
};

// The client's end of one HTTP/2 connection to an executor replica: any number of gRPC calls side
// by side, and PINGs for its heartbeat. Confined to its loop.
class Http2ClientSession final : public Session {
 public:
  // `on_heard` is called whenever the peer sent anything, an answer to a ping for one.
  Http2ClientSession(OutputSignal& output, std::string authority, std::uint64_t message_max,
                     std::function<void()> on_heard);
  ~Http2ClientSession() override;

  // Starts a call with one request message; ends it before returning if the connection takes no
  // more of them. `path` must outlive the session; `timeout` travels as
  // grpc-timeout, keeping to it is the caller's business.
  void call(ClientCall& call, std::string_view path, std::string framed,
            std::optional<std::chrono::nanoseconds> timeout);
  void ping();
  // False once the peer said goodbye, all stream ids are spent (2^30 calls), or the connection is
  // gone: drain it and connect anew.
  bool takes_calls() const;

  absl::Status receive(std::string_view bytes) override;
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status& why) override;

 private:
  friend class ClientCall;
  struct Callbacks;

  void refuse(ClientCall& call, std::string_view why);
  void cancel(std::int32_t stream);
  void reset(std::int32_t stream);
  void consume(std::int32_t stream, std::size_t bytes);

  OutputSignal& output_;
  const std::string authority_;
  const std::uint64_t message_max_;
  const std::function<void()> on_heard_;
  Nghttp2Session session_;
  std::map<std::int32_t, ClientCall*> calls_;  // by stream: in the order in which they started
  bool disconnected_ = false;
  std::string* produced_ = nullptr;  // where produce() writes to, while it runs
  std::size_t produce_limit_ = 0;
};

}  // namespace flow::gateway
