// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/net/session.hpp"
#include "gateway/tls/openssl.hpp"

namespace flow::gateway {

// The server's end of a TLS connection around another session, which does not know of it. As the
// other sessions it is bytes in, bytes out (docs/decisions/0014-tls-without-sockets.md). It holds
// one record and one piece of the other session's output at a time. Confined to its loop.
class TlsSession final : public Session {
 public:
  // A new connection of `context`, which may go before this does.
  TlsSession(SSL_CTX& context, std::unique_ptr<Session> inner, OutputSignal& output);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  absl::Status receive(std::string_view bytes) override;
  // Passes `limit` by less than a record.
  bool paused() const override { return inner_->paused(); }
  void produce(std::string& out, std::size_t limit) override;
  bool finished() const override;
  void drain() override;
  absl::Status sweep(Clock::time_point now) override;
  void disconnected(const absl::Status& why) override;

 private:
  enum class Phase {
    Handshake,
    Open,
    Closing,  // nothing is read any more; what the other session has to say now is still sent
    Closed,   // what is encrypted is still sent
  };

  static void on_event(const SSL* connection, int where, int value);

  bool reading() const { return phase_ == Phase::Handshake || phase_ == Phase::Open; }
  absl::Status decrypt();
  // Is there plain text to encrypt?
  bool refill();
  void encrypt_record();
  void say_goodbye();
  void take_records(std::string& out);
  absl::Status refuse_plain_text(char first);
  // Ends the connection; the reason is OpenSSL's, if it has one.
  absl::Status fail(absl::StatusCode code, std::string_view what);

  const TlsConnection connection_;
  BIO* const records_;  // output; connection_ owns it
  const std::unique_ptr<Session> inner_;
  OutputSignal& output_;
  const Clock::time_point accepted_ = Clock::now();
  Phase phase_ = Phase::Handshake;
  bool heard_ = false;  // the client's first byte
  bool renegotiation_ = false;
  std::string plain_;  // output that is not encrypted yet
  std::size_t plain_sent_ = 0;
};

}  // namespace flow::gateway
