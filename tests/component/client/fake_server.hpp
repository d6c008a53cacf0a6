// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

// Servers that behave as a test wants them to, well or badly.
namespace flow::testing {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using HttpRequest = http::request<http::string_body>;
using HttpResponse = http::response<http::string_body>;

// Gives each connection, one after the other, to a function. Whatever that function waits for ends
// when this object does.
class FakeServer {
 public:
  using Serve = std::function<void(tcp::socket&)>;

  explicit FakeServer(Serve serve)
      : serve_(std::move(serve)),
        acceptor_(context_, {asio::ip::address_v4::loopback(), 0}),
        port_(acceptor_.local_endpoint().port()),
        thread_([this] { run(); }) {}
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  ~FakeServer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (current_ != nullptr) ::shutdown(current_->native_handle(), SHUT_RDWR);
    }
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  std::string url(const std::string& scheme) const {
    return scheme + "://127.0.0.1:" + std::to_string(port_);
  }
  int connections() const { return connections_; }

 private:
  void run() {
    while (true) {
      tcp::socket socket(context_);
      boost::system::error_code failure;
      acceptor_.accept(socket, failure);
      if (failure) return;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        current_ = &socket;
      }
      ++connections_;
      try {
        serve_(socket);
      } catch (const boost::system::system_error&) {
        // The client went away, or the test is over.
      }
      const std::lock_guard lock(mutex_);
      current_ = nullptr;
    }
  }

  const Serve serve_;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  const std::uint16_t port_;
  std::mutex mutex_;
  tcp::socket* current_ = nullptr;
  bool stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

// Until the client goes away.
template <class Stream>
void wait_for_end(Stream& stream) {
  char byte = 0;
  boost::system::error_code failure;
  while (stream.read_some(asio::buffer(&byte, 1), failure) != 0) {
  }
}

inline FakeServer::Serve silence() {
  return [](tcp::socket& socket) { wait_for_end(socket); };
}

inline HttpResponse json(unsigned status, std::string body) {
  HttpResponse response(http::int_to_status(status), 11);
  response.set(http::field::content_type, "application/json");
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

// Answers each request of a connection.
template <class Stream>
void serve_http(Stream& stream, const std::function<HttpResponse(const HttpRequest&)>& answer) {
  beast::flat_buffer buffer;
  bool keep = true;
  while (keep) {
    HttpRequest request;
    http::read(stream, buffer, request);
    HttpResponse response = answer(request);
    keep = response.keep_alive();
    http::write(stream, response);
  }
}

inline FakeServer::Serve http_server(std::function<HttpResponse(const HttpRequest&)> answer) {
  return [answer = std::move(answer)](tcp::socket& socket) { serve_http(socket, answer); };
}

// Reads one request and answers it with these bytes, whatever they are; then waits or hangs up.
enum class Afterwards { HangUp, Wait };
inline FakeServer::Serve raw_answer(std::string bytes, Afterwards afterwards) {
  return [bytes = std::move(bytes), afterwards](tcp::socket& socket) {
    beast::flat_buffer buffer;
    HttpRequest request;
    http::read(socket, buffer, request);
    asio::write(socket, asio::buffer(bytes));
    if (afterwards == Afterwards::Wait) wait_for_end(socket);
  };
}

// A port on which nobody listens.
inline std::uint16_t closed_port() {
  asio::io_context context;
  return tcp::acceptor(context, {asio::ip::address_v4::loopback(), 0}).local_endpoint().port();
}

}  // namespace flow::testing
