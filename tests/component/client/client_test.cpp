// SPDX-License-Identifier: Apache-2.0
//
// What is the same for every protocol.
#include "flow/client.hpp"

#include <gmock/gmock.h>

#include "core/status.hpp"
#include "tests/component/client/fake_server.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using flow::testing::closed_port;
using flow::testing::FakeServer;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Long enough for any machine that works; nothing waits this long unless it is broken.
constexpr auto kPatience = 20s;
constexpr auto kShort = 50ms;

class EveryProtocol : public ::testing::TestWithParam<std::string> {
 protected:
  std::string url(std::uint16_t port) const {
    return GetParam() + "://127.0.0.1:" + std::to_string(port);
  }
};
INSTANTIATE_TEST_SUITE_P(Protocols, EveryProtocol, ::testing::Values("grpc", "http", "ws"),
                         [](const auto& each) { return each.param; });
INSTANTIATE_TEST_SUITE_P(Tls, EveryProtocol, ::testing::Values("grpcs", "https", "wss"),
                         [](const auto& each) { return each.param; });

TEST_P(EveryProtocol, IsNotReadyWhereNobodyListensAndSaysSo) {
  Client client(url(closed_port()));
  const CheckResult result = client.ready(kPatience);
  EXPECT_FALSE(result.ready);
  EXPECT_TRUE(absl::IsUnavailable(result.status)) << result.status;
  EXPECT_THAT(result.reason(), StartsWith(client.url() + ": UNAVAILABLE: "));
  EXPECT_THAT(result.reason(), HasSubstr("refused"));
  EXPECT_EQ(client.last_reason(), result.reason());
  EXPECT_LT(result.latency, kPatience);
}

TEST_P(EveryProtocol, GivesUpOnASilentServerInTime) {
  const FakeServer server(flow::testing::silence());
  Client client(server.url(GetParam()));
  for (const auto& check : {client.ready(kShort), client.health({}, kShort)}) {
    EXPECT_FALSE(check.ready);
    EXPECT_THAT(check.status.code(),
                AnyOf(absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kUnavailable))
        << check.status;
    EXPECT_GE(check.latency, kShort);
    EXPECT_LT(check.latency, kPatience);
  }
  EXPECT_FALSE(client.discover(kShort).ok());
}

TEST_P(EveryProtocol, GivesUpOnASilentServerInTheMiddleOfAPost) {
  const FakeServer server(flow::testing::silence());
  Client client(server.url(GetParam()));
  const auto answer = client.post("/", {Document()}, {}, {.timeout = kShort});
  EXPECT_FALSE(answer.ok());
  EXPECT_THAT(std::string(core::message(answer.status())), StartsWith(client.url()));
}

TEST_P(EveryProtocol, IsNotReadyIfSomethingElseListens) {
  const FakeServer server([](flow::testing::tcp::socket& socket) {
    flow::testing::asio::write(
        socket, flow::testing::asio::buffer(std::string("220 smtp at your service\r\n")));
    flow::testing::wait_for_end(socket);
  });
  Client client(server.url(GetParam()));
  EXPECT_FALSE(client.is_flow_ready(2s));
  EXPECT_NE(client.last_reason(), "");
}

TEST_P(EveryProtocol, IsNotReadyIfTheServerHangsUp) {
  const FakeServer server([](flow::testing::tcp::socket&) {});
  Client client(server.url(GetParam()));
  EXPECT_FALSE(client.is_flow_ready(2s));
  EXPECT_FALSE(client.health({}, 2s).ready);
}

TEST_P(EveryProtocol, IsNotReadyWithoutTime) {
  Client client(url(closed_port()));
  EXPECT_FALSE(client.is_flow_ready(0s));
  EXPECT_FALSE(client.is_flow_ready(-1s));
}

TEST_P(EveryProtocol, SaysWhenANameDoesNotResolve) {
  Client client(GetParam() + "://no-such-host.invalid:1");
  const CheckResult result = client.ready(kPatience);
  EXPECT_FALSE(result.ready);
  EXPECT_THAT(result.reason(), HasSubstr("no-such-host.invalid"));
}

TEST_P(EveryProtocol, EndsAStreamOfDocumentsWithItsError) {
  Client client(url(closed_port()));
  DocumentStream documents = client.stream_doc("/stream", Document::of_text("x"), {}, kPatience);
  const auto first = documents.next();
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->ok());
  EXPECT_FALSE(documents.next());
}

TEST(Client, WithAUrlThatIsWrongSaysSoInEveryCall) {
  Client client("htpp://localhost:1");
  EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(client.is_flow_ready());
  EXPECT_THAT(client.last_reason(), HasSubstr("did you mean \"http\"?"));
  EXPECT_EQ(client.post("/", {}).status(), client.status());
  EXPECT_EQ(client.discover().status(), client.status());
  EXPECT_EQ(client.post_each("/", {}, {}), client.status());
  const auto document = client.stream_doc("/", Document()).next();
  ASSERT_TRUE(document);
  EXPECT_FALSE(document->ok());
  EXPECT_FALSE(client.health().ready);
}

TEST(Client, WithATlsFileThatIsNoneSaysSo) {
  for (const std::string scheme : {"grpcs", "https", "wss"}) {
    Client client(scheme + "://localhost:1", {.tls = {.ca_file = "/nowhere/ca.pem"}});
    EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(client.ready().reason(), HasSubstr("/nowhere/ca.pem"));
  }
}

TEST(Client, IsMadeOfAPortAsWell) {
  EXPECT_EQ(Client({.port = 23456}).url(), "grpc://localhost:23456");
}

}  // namespace
}  // namespace flow
