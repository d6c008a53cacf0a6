// SPDX-License-Identifier: Apache-2.0
#include "gateway/tls/tls_session.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

constexpr std::size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;
// Every TLS connection begins with a handshake record.
constexpr char kHandshakeRecord = SSL3_RT_HANDSHAKE;
constexpr std::string_view kPlainTextDetail = R"({"detail":"this port speaks TLS: use https"})";

TlsConnection make_connection(SSL_CTX& context) {
  TlsConnection connection(SSL_new(&context));
  BIO* records = BIO_new(BIO_s_mem());
  if (!connection || records == nullptr) std::abort();  // out of memory
  SSL_set0_wbio(connection.get(), records);
  SSL_set_accept_state(connection.get());
  return connection;
}

}  // namespace

TlsSession::TlsSession(SSL_CTX& context, std::unique_ptr<Session> inner, OutputSignal& output)
    : connection_(make_connection(context)),
      records_(SSL_get_wbio(connection_.get())),
      inner_(std::move(inner)),
      output_(output) {
  SSL_set_app_data(connection_.get(), this);
  SSL_set_info_callback(connection_.get(), &TlsSession::on_event);
}

// OpenSSL answers a client that wants to renegotiate with a warning and goes on; we do not.
void TlsSession::on_event(const SSL* connection, int where, int value) {
  if (where == SSL_CB_WRITE_ALERT && (value & 0xff) == SSL_AD_NO_RENEGOTIATION) {
    static_cast<TlsSession*>(SSL_get_app_data(connection))->renegotiation_ = true;
  }
}

absl::Status TlsSession::receive(std::string_view bytes) {
  if (bytes.empty() || !reading()) return absl::OkStatus();
  if (!heard_ && bytes.front() != kHandshakeRecord) return refuse_plain_text(bytes.front());
  heard_ = true;

  // OpenSSL reads the caller's buffer itself, to its end, and keeps what is no whole record.
  SSL_set0_rbio(connection_.get(), reader_of(bytes).release());
  const absl::Status status = decrypt();
  SSL_set0_rbio(connection_.get(), nullptr);
  output_.output_ready();
  return status;
}

absl::Status TlsSession::decrypt() {
  std::array<char, kRecordBytes> plain;
  while (reading()) {
    ERR_clear_error();
    const int size = SSL_read(connection_.get(), plain.data(), static_cast<int>(plain.size()));
    if (phase_ == Phase::Handshake && SSL_is_init_finished(connection_.get()) != 0) {
      phase_ = Phase::Open;
    }
    if (size > 0) {
      const absl::Status status = inner_->receive({plain.data(), static_cast<std::size_t>(size)});
      if (!status.ok()) {
        phase_ = Phase::Closing;
        return status;
      }
      continue;
    }
    const int reason = SSL_get_error(connection_.get(), size);
    if (reason == SSL_ERROR_WANT_READ) break;
    if (reason == SSL_ERROR_ZERO_RETURN) {
      phase_ = Phase::Closing;  // as if it had closed its socket
      break;
    }
    const long verdict = SSL_get_verify_result(connection_.get());
    if (verdict == X509_V_OK) return fail(absl::StatusCode::kInvalidArgument, "TLS");
    return fail(
        absl::StatusCode::kUnauthenticated,
        fmt::format("TLS: the client's certificate: {}", X509_verify_cert_error_string(verdict)));
  }
  if (renegotiation_) {
    return fail(absl::StatusCode::kInvalidArgument, "TLS: the client wants to renegotiate");
  }
  if (BIO_ctrl_pending(records_) > limits::kTlsBacklogMax) {
    return fail(absl::StatusCode::kResourceExhausted,
                "TLS: the client asks for answers and does not read them");
  }
  return absl::OkStatus();
}

void TlsSession::produce(std::string& out, std::size_t limit) {
  take_records(out);
  while (out.size() < limit && (phase_ == Phase::Open || phase_ == Phase::Closing)) {
    if (refill()) {
      encrypt_record();
    } else if (phase_ == Phase::Closing || inner_->finished()) {
      say_goodbye();
    } else {
      break;
    }
    take_records(out);
  }
}

bool TlsSession::refill() {
  // Whole records as long as there is enough for one: each costs a header and a tag.
  if (plain_.size() - plain_sent_ < kRecordBytes) {
    plain_.erase(0, plain_sent_);
    plain_sent_ = 0;
    inner_->produce(plain_, kRecordBytes);
  }
  return plain_sent_ < plain_.size();
}

void TlsSession::encrypt_record() {
  ERR_clear_error();
  const std::size_t size = std::min(plain_.size() - plain_sent_, kRecordBytes);
  const int written =
      SSL_write(connection_.get(), plain_.data() + plain_sent_, static_cast<int>(size));
  if (written > 0) {
    plain_sent_ += static_cast<std::size_t>(written);
  } else {
    phase_ = Phase::Closed;  // memory takes everything, so this is the end of the connection
  }
}

void TlsSession::say_goodbye() {
  ERR_clear_error();
  if (SSL_is_init_finished(connection_.get()) != 0) SSL_shutdown(connection_.get());
  phase_ = Phase::Closed;
}

void TlsSession::take_records(std::string& out) {
  const std::size_t size = BIO_ctrl_pending(records_);
  if (size == 0) return;
  const std::size_t before = out.size();
  out.resize(before + size);
  BIO_read(records_, out.data() + before, static_cast<int>(size));
}

bool TlsSession::finished() const {
  if (BIO_ctrl_pending(records_) > 0) return false;
  return phase_ == Phase::Closed || (phase_ == Phase::Handshake && inner_->finished());
}

void TlsSession::drain() { inner_->drain(); }

absl::Status TlsSession::sweep(Clock::time_point now) {
  if (phase_ == Phase::Handshake) {
    if (now - accepted_ <= limits::kHeaderTimeout) return absl::OkStatus();
    return fail(absl::StatusCode::kDeadlineExceeded,
                fmt::format("TLS: the client did not finish its handshake within {} s",
                            limits::kHeaderTimeout / std::chrono::seconds(1)));
  }
  if (phase_ != Phase::Open) return absl::OkStatus();
  const absl::Status status = inner_->sweep(now);
  if (!status.ok()) phase_ = Phase::Closing;
  return status;
}

void TlsSession::disconnected(const absl::Status& why) { inner_->disconnected(why); }

absl::Status TlsSession::refuse_plain_text(char first) {
  // Every method of HTTP begins with a capital letter, and so does the preface of HTTP/2, whose
  // clients know an answer in HTTP/1.1 when they see one.
  if ('A' <= first && first <= 'Z') {
    const std::string answer = fmt::format(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n"
        "connection: close\r\n\r\n{}",
        kPlainTextDetail.size(), kPlainTextDetail);
    BIO_write(records_, answer.data(), static_cast<int>(answer.size()));
    output_.output_ready();
  }
  return fail(absl::StatusCode::kInvalidArgument,
              fmt::format("TLS: the client speaks plain text (its first byte is {}), this port TLS",
                          core::in_quotes({&first, 1})));
}

absl::Status TlsSession::fail(absl::StatusCode code, std::string_view what) {
  phase_ = Phase::Closed;
  return openssl_error(code, what);
}

}  // namespace flow::gateway
