// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "boost/beast/core/buffers_to_string.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/websocket.hpp"
#include "client/src/byte_stream.hpp"
#include "client/src/json.hpp"
#include "client/src/transport.hpp"
#include "core/net_address.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::client {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

// How long the last word of a conversation may take.
constexpr auto kCloseWait = std::chrono::milliseconds(200);

// One WebSocket with the sub-protocol "bytes". Confined to one thread at a time.
class Socket {
 public:
  static absl::StatusOr<std::unique_ptr<Socket>> open(const ServerAddress& address,
                                                      const ClientOptions& options,
                                                      asio::ssl::context* tls,
                                                      const std::string& path, Deadline deadline) {
    FLOW_ASSIGN_OR_RETURN(auto link, Link::open(address, options, tls, deadline));
    std::unique_ptr<Socket> socket(new Socket(std::move(link), options.max_message));
    websocket::response_type response;
    const error_code failure = socket->run(deadline, [&](auto done) {
      socket->stream_.async_handshake(
          response, core::format_address({.host = address.host, .port = address.port}), path,
          std::move(done));
    });
    if (failure == websocket::error::upgrade_declined) {
      return core::error(response.result_int() == 503 ? absl::StatusCode::kUnavailable
                                                      : absl::StatusCode::kUnimplemented,
                         fmt::format("the server declined a WebSocket on {}: HTTP {}: {}", path,
                                     response.result_int(), error_text(response.body())));
    }
    if (failure) return socket->explain(failure, "the WebSocket handshake");
    return socket;
  }

  ~Socket() {
    if (!stream_.is_open()) return;
    run(deadline_after(kCloseWait),
        [this](auto done) { stream_.async_close(websocket::close_code::normal, std::move(done)); });
  }

  absl::Status write(const std::string& message, Deadline deadline) {
    stream_.binary(true);
    const error_code failure = run(
        deadline, [&](auto done) { stream_.async_write(asio::buffer(message), std::move(done)); });
    return failure ? explain(failure, "sending the request") : absl::OkStatus();
  }

  absl::StatusOr<std::string> read(Deadline deadline) {
    beast::flat_buffer buffer;
    const error_code failure =
        run(deadline, [&](auto done) { stream_.async_read(buffer, std::move(done)); });
    if (failure) return explain(failure, "waiting for the answer");
    return beast::buffers_to_string(buffer.data());
  }

  bool is_text() const { return stream_.got_text(); }

  // The reason with which the server closed, if it closed with 1011.
  std::string internal_error() const {
    const websocket::close_reason& why = stream_.reason();
    if (why.code != websocket::close_code::internal_error) return {};
    return {why.reason.data(), why.reason.size()};
  }

 private:
  using Stream = websocket::stream<ByteStream>;

  Socket(std::unique_ptr<Link> link, std::size_t max_message)
      : link_(std::move(link)), stream_(*std::exchange(link_->bytes, std::nullopt)) {
    stream_.read_message_max(max_message);
    stream_.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
      request.set(http::field::user_agent, "flow-client/" FLOW_VERSION);
      request.set(http::field::sec_websocket_protocol, "bytes");
    }));
  }

  template <class Start>
  error_code run(Deadline deadline, Start start) {
    return link_->loop.run(deadline, std::move(start), [this] { stream_.next_layer().close(); });
  }

  absl::Status explain(error_code failure, std::string_view doing) const {
    if (failure == websocket::error::closed) {
      const auto& reason = stream_.reason();
      const auto code = reason.code == websocket::close_code::internal_error ||
                                reason.code == websocket::close_code::try_again_later ||
                                reason.code == websocket::close_code::going_away
                            ? absl::StatusCode::kUnavailable
                            : absl::StatusCode::kUnknown;
      return core::error(
          code, reason.reason.empty()
                    ? fmt::format("the server closed the WebSocket with code {}", reason.code)
                    : std::string(reason.reason.data(), reason.reason.size()));
    }
    if (failure == websocket::error::message_too_big) {
      return core::error(absl::StatusCode::kResourceExhausted,
                         "the answer is larger than max_message");
    }
    if (failure == asio::error::eof || failure == http::error::end_of_stream) {
      return core::error(absl::StatusCode::kUnavailable,
                         fmt::format("{}: the server closed the connection", doing));
    }
    return link_error(failure, doing);
  }

  const std::unique_ptr<Link> link_;  // its bytes are stream_'s
  Stream stream_;
};

// Opens sockets. Thread-safe.
class Sockets {
 public:
  Sockets(const ServerAddress& address, const ClientOptions& options,
          std::unique_ptr<asio::ssl::context> tls)
      : address_(address), options_(options), tls_(std::move(tls)) {}

  absl::StatusOr<std::unique_ptr<Socket>> open(const std::string& path, Deadline deadline) {
    return Socket::open(address_, options_, tls_.get(), path, deadline);
  }

 private:
  const ServerAddress address_;
  const ClientOptions options_;
  const std::unique_ptr<asio::ssl::context> tls_;
};

// One request after the other on one socket.
class WebSocketExchange : public Exchange {
 public:
  explicit WebSocketExchange(Sockets& sockets) : sockets_(sockets) {}

  std::size_t window() const override { return 1; }

  absl::Status send(const jina::DataRequestProto& request, Deadline deadline) override {
    if (!socket_) {
      FLOW_ASSIGN_OR_RETURN(socket_, sockets_.open("/", deadline));
    }
    const absl::Status status = socket_->write(request.SerializeAsString(), deadline);
    if (!status.ok()) socket_.reset();
    return status;
  }

  std::optional<absl::StatusOr<jina::DataRequestProto>> receive(Deadline deadline) override {
    auto answer = take(deadline);
    if (answer.ok()) return answer;
    socket_.reset();
    if (absl::IsDeadlineExceeded(answer.status()) && Clock::now() >= deadline) return std::nullopt;
    return answer;
  }

 private:
  absl::StatusOr<jina::DataRequestProto> take(Deadline deadline) {
    FLOW_ASSIGN_OR_RETURN(const std::string message, socket_->read(deadline));
    jina::DataRequestProto answer;
    if (!socket_->is_text() && answer.ParseFromString(message)) return answer;
    return core::error(absl::StatusCode::kInternal,
                       fmt::format("the server answered {}, expected a jina.DataRequestProto",
                                   core::in_quotes(message)));
  }

  Sockets& sockets_;
  std::unique_ptr<Socket> socket_;
};

class WebSocketTransport : public Transport {
 public:
  // `http`: what goes over HTTP even here.
  WebSocketTransport(const ServerAddress& address, const ClientOptions& options,
                     std::unique_ptr<asio::ssl::context> tls, std::unique_ptr<Transport> http)
      : sockets_(address, options, std::move(tls)), http_(std::move(http)) {}

  // The server checks as soon as somebody connects, and sends one message.
  DryRunAnswer dry_run(DryRun depth, Deadline deadline) override {
    const auto socket =
        sockets_.open(depth == DryRun::Deep ? "/dry_run?deep=1" : "/dry_run", deadline);
    if (!socket.ok()) return {socket.status(), {}, {}};
    const auto message = (*socket)->read(deadline);
    if (!message.ok()) {
      // Not ready is said by closing with a reason.
      const std::string reason = (*socket)->internal_error();
      if (reason.empty()) return {message.status(), {}, {}};
      DryRunAnswer answer;
      answer.verdict.set_code(jina::StatusProto::ERROR);
      answer.verdict.set_description(reason);
      return answer;
    }
    if ((*socket)->is_text()) {
      if (*message == "{}") return {};
      auto verdict = read_status_json(*message);
      if (!verdict.ok()) return {verdict.status(), {}, {}};
      return {absl::OkStatus(), {}, *std::move(verdict)};
    }
    DryRunAnswer answer;
    if (!answer.verdict.ParseFromString(*message)) {
      answer.status = core::error(absl::StatusCode::kInternal,
                                  fmt::format("the server answered {}, expected a jina.StatusProto",
                                              core::in_quotes(*message)));
    }
    return answer;
  }

  DryRunAnswer health(const std::string& service, Deadline deadline) override {
    return http_->health(service, deadline);
  }
  absl::StatusOr<std::vector<std::string>> discover(Deadline deadline) override {
    return http_->discover(deadline);
  }

  std::unique_ptr<Exchange> open_exchange(const ExchangeOptions&) override {
    return std::make_unique<WebSocketExchange>(sockets_);
  }

  std::unique_ptr<DocumentFeed> stream_doc(const jina::SingleDocumentRequestProto&,
                                           Deadline) override {
    return failed_feed(core::error(absl::StatusCode::kUnimplemented,
                                   "stream_doc does not exist over WebSocket; use grpc:// or "
                                   "http://"));
  }

 private:
  Sockets sockets_;
  const std::unique_ptr<Transport> http_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> make_websocket_transport(const ServerAddress& address,
                                                                    const ClientOptions& options) {
  FLOW_ASSIGN_OR_RETURN(auto tls, make_tls_context(address, options.tls));
  FLOW_ASSIGN_OR_RETURN(auto http, make_http_transport(address, options));
  return std::make_unique<WebSocketTransport>(address, options, std::move(tls), std::move(http));
}

}  // namespace flow::client
