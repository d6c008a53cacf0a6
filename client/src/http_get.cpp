// SPDX-License-Identifier: Apache-2.0
#include "client/src/http_get.hpp"

#include <memory>
#include <utility>

#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http.hpp"
#include "client/src/byte_stream.hpp"
#include "core/net_address.hpp"
#include "core/status.hpp"

namespace flow::client {

namespace http = boost::beast::http;

absl::StatusOr<HttpAnswer> http_get(const ServerAddress& address, const ClientOptions& options,
                                    std::string_view target, Deadline deadline) {
  FLOW_ASSIGN_OR_RETURN(const auto tls, make_tls_context(address, options.tls));
  FLOW_ASSIGN_OR_RETURN(const auto link, Link::open(address, options, tls.get(), deadline));
  http::request<http::empty_body> request(http::verb::get, {target.data(), target.size()}, 11);
  request.set(http::field::host,
              core::format_address({.host = address.host, .port = address.port}));
  request.set(http::field::user_agent, "flow-client/" FLOW_VERSION);
  request.set(http::field::connection, "close");
  error_code failure = link->run(
      deadline, [&](auto done) { http::async_write(*link->bytes, request, std::move(done)); });
  if (failure) return link_error(failure, "sending the request");

  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(options.max_message);
  failure = link->run(deadline, [&](auto done) {
    http::async_read(*link->bytes, buffer, parser, std::move(done));
  });
  if (failure) return link_error(failure, "waiting for the answer");
  return HttpAnswer{parser.get().result_int(), std::move(parser.get().body())};
}

}  // namespace flow::client
