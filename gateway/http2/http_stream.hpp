// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/http2/server_stream.hpp"

namespace flow::gateway {

// A stream that carries a plain HTTP request. Confined to its loop.
class HttpStream final : public ServerStream, public HttpExchange {
 public:
  HttpStream(Http2Connection& connection, std::int32_t id, RequestHeader header);

  void on_data(std::string_view bytes) override;
  void on_output_taken() override;

  void respond(HttpResponse response) override;
  void start(HttpResponse head) override;
  void send(std::string piece) override;
  void end() override;
  std::size_t unsent() const override { return out_left(); }

 private:
  void on_end() override;
  bool waits_for_peer() const override { return !answered_ && !request_ended(); }
  void submit_trailers(std::uint32_t*) override {}

  enum class Length { Known, Open };
  void submit_head(const HttpResponse& response, Length length);

  const RequestHeader header_;
  std::string body_;
  bool answered_ = false;
  // Last: its destructor may still look at the members above.
  std::unique_ptr<HttpHandler> handler_;
};

}  // namespace flow::gateway
