// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/websocket.hpp>

#include "core/status.hpp"
#include "flow/client.hpp"
#include "jina.pb.h"
#include "tests/component/client/fake_server.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using namespace flow::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace websocket = beast::websocket;
using Socket = websocket::stream<tcp::socket&>;

constexpr auto kPatience = 20s;

// Accepts the handshake, checking what was asked, and gives the socket to a function.
FakeServer::Serve websocket_server(std::string path, std::function<void(Socket&)> serve) {
  return [path = std::move(path), serve = std::move(serve)](tcp::socket& connection) {
    beast::flat_buffer buffer;
    HttpRequest request;
    http::read(connection, buffer, request);
    EXPECT_EQ(request.target(), path);
    EXPECT_EQ(request[http::field::sec_websocket_protocol], "bytes");
    Socket socket(connection);
    socket.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
      response.set(http::field::sec_websocket_protocol, "bytes");
    }));
    socket.accept(request);
    serve(socket);
  };
}

void send(Socket& socket, const std::string& message) {
  socket.binary(true);
  socket.write(asio::buffer(message));
}

jina::DataRequestProto read_request(Socket& socket) {
  beast::flat_buffer buffer;
  socket.read(buffer);
  jina::DataRequestProto request;
  EXPECT_TRUE(request.ParseFromString(beast::buffers_to_string(buffer.data())));
  return request;
}

CheckResult ready(std::function<void(Socket&)> serve, Duration timeout = kPatience) {
  const FakeServer server(websocket_server("/dry_run", std::move(serve)));
  return Client(server.url("ws")).ready(timeout);
}

TEST(WebSocketClient, IsReadyByAnEmptyMessage) {
  EXPECT_TRUE(ready([](Socket& socket) {
                send(socket, "");
                socket.close(websocket::close_code::normal);
              }).ready);
}

TEST(WebSocketClient, IsReadyByAnEmptyObjectAsText) {
  EXPECT_TRUE(ready([](Socket& socket) {
                socket.text(true);
                socket.write(asio::buffer(std::string("{}")));
              }).ready);
}

TEST(WebSocketClient, TellsWhyTheFlowIsNotReady) {
  const CheckResult result = ready([](Socket& socket) {
    socket.close({websocket::close_code::internal_error, "executor0 may be down"});
  });
  EXPECT_FALSE(result.ready);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.description, "executor0 may be down");
}

TEST(WebSocketClient, TellsAVerdictThatComesAsAMessage) {
  const CheckResult result = ready([](Socket& socket) {
    jina::StatusProto verdict;
    verdict.set_code(jina::StatusProto::ERROR);
    verdict.set_description("executor0 may be down");
    send(socket, verdict.SerializeAsString());
  });
  EXPECT_FALSE(result.ready);
  EXPECT_EQ(result.description, "executor0 may be down");
}

TEST(WebSocketClient, DoesNotTakeClosingForReady) {
  const CheckResult normal =
      ready([](Socket& socket) { socket.close(websocket::close_code::normal); });
  EXPECT_FALSE(normal.ready);
  EXPECT_THAT(normal.reason(), HasSubstr("closed the WebSocket with code 1000"));

  const CheckResult abrupt = ready([](Socket& socket) { socket.next_layer().close(); });
  EXPECT_FALSE(abrupt.ready);
  EXPECT_TRUE(absl::IsUnavailable(abrupt.status)) << abrupt.status;
}

TEST(WebSocketClient, DoesNotTakeAnyMessageForReady) {
  EXPECT_FALSE(ready([](Socket& socket) { send(socket, "\xff\xff"); }).ready);
  EXPECT_FALSE(ready([](Socket& socket) {
                 socket.text(true);
                 socket.write(asio::buffer(std::string("[]")));
               }).ready);
}

TEST(WebSocketClient, GivesUpWhenNoMessageComes) {
  const CheckResult result = ready([](Socket& socket) { wait_for_end(socket.next_layer()); }, 50ms);
  EXPECT_TRUE(absl::IsDeadlineExceeded(result.status)) << result.status;
}

TEST(WebSocketClient, TellsWhyTheHandshakeWasDeclined) {
  const FakeServer server(
      http_server([](const HttpRequest&) { return json(404, R"({"detail":"Not Found"})"); }));
  const CheckResult result = Client(server.url("ws")).ready(kPatience);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(result.reason(), HasSubstr("HTTP 404"));
}

TEST(WebSocketClient, PostsThroughOneSocket) {
  const FakeServer server(websocket_server("/", [](Socket& socket) {
    while (true) send(socket, read_request(socket).SerializeAsString());
  }));
  Client client(server.url("ws"));
  std::vector<Document> documents(5, Document::of_text("x"));
  const auto answer = client.post("/index", documents, {}, {.request_size = 2});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->size(), 5u);
  EXPECT_EQ(server.connections(), 1);
}

TEST(WebSocketClient, GivesTheReasonWithWhichTheServerCloses) {
  const FakeServer server(websocket_server("/", [](Socket& socket) {
    read_request(socket);
    socket.close({websocket::close_code::internal_error, "executor0 may be down"});
  }));
  Client client(server.url("ws"));
  EXPECT_EQ(client.post("/", {Document()}).status(),
            absl::UnavailableError(client.url() + ": executor0 may be down"));
}

TEST(WebSocketClient, OpensANewSocketAfterOneThatFailed) {
  std::atomic<int> sockets = 0;
  const FakeServer server(websocket_server("/", [&](Socket& socket) {
    const bool first = sockets++ == 0;
    const std::string request = read_request(socket).SerializeAsString();
    if (first) return socket.close({websocket::close_code::internal_error, "not yet"});
    send(socket, request);
    wait_for_end(socket.next_layer());
  }));
  Client client(server.url("ws"), {.retry = {.attempts = 2, .first_wait = 1ms}});
  const auto answer = client.post("/", {Document()}, {}, {.timeout = kPatience});
  EXPECT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(sockets, 2);
}

TEST(WebSocketClient, GivesUpOnAnAnswerThatDoesNotCome) {
  const FakeServer server(websocket_server("/", [](Socket& socket) {
    read_request(socket);
    wait_for_end(socket.next_layer());
  }));
  Client client(server.url("ws"));
  const auto answer = client.post("/", {Document()}, {}, {.request_timeout = 50ms});
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status())) << answer.status();
}

TEST(WebSocketClient, RefusesAnswersThatAreNone) {
  for (const bool text : {false, true}) {
    const FakeServer server(websocket_server("/", [text](Socket& socket) {
      read_request(socket);
      socket.text(text);
      socket.write(asio::buffer(std::string(text ? "{}" : "\xff\xff")));
      wait_for_end(socket.next_layer());
    }));
    const auto answer =
        Client(server.url("ws")).post("/", {Document()}, {}, {.timeout = kPatience});
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal) << answer.status();
  }
}

TEST(WebSocketClient, RefusesAnswersLargerThanItsLimit) {
  const FakeServer server(websocket_server("/", [](Socket& socket) {
    read_request(socket);
    send(socket, std::string(5000, 'x'));
    wait_for_end(socket.next_layer());
  }));
  Client client(server.url("ws"), {.max_message = 1000});
  const auto answer = client.post("/", {Document()}, {}, {.timeout = kPatience});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kResourceExhausted) << answer.status();
}

}  // namespace
}  // namespace flow
