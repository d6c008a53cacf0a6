// SPDX-License-Identifier: Apache-2.0
// Both ends of a TLS connection talk to each other in memory: no socket, no thread, no file.
#include "gateway/tls/tls_session.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/limits.hpp"
#include "gateway/front/detecting_session.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/fake_front.hpp"
#include "tests/unit/gateway/tls_test_support.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

namespace limits = core::limits;

constexpr std::size_t kRecord = 16 << 10;  // of plain text
constexpr std::size_t kRecordExtra = 64;   // more than its header and tag
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kRequest = "GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n";

void speak_http2(SSL_CTX& client) {
  constexpr std::string_view kOffer = "\x08http/1.1\x02h2";
  SSL_CTX_set_alpn_protos(&client, reinterpret_cast<const unsigned char*>(kOffer.data()),
                          kOffer.size());
}
void speak_http1(SSL_CTX& client) {
  constexpr std::string_view kOffer = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(&client, reinterpret_cast<const unsigned char*>(kOffer.data()),
                          kOffer.size());
}
void speak_mail(SSL_CTX& client) {
  constexpr std::string_view kOffer = "\x04imap";
  SSL_CTX_set_alpn_protos(&client, reinterpret_cast<const unsigned char*>(kOffer.data()),
                          kOffer.size());
}
void speak_tls_1_2(SSL_CTX& client) { SSL_CTX_set_max_proto_version(&client, TLS1_2_VERSION); }
void speak_tls_1_1(SSL_CTX& client) {
  SSL_CTX_set_cipher_list(&client, "ALL:@SECLEVEL=0");
  SSL_CTX_set_min_proto_version(&client, TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(&client, TLS1_1_VERSION);
}
void speak_without_forward_secrecy(SSL_CTX& client) {
  SSL_CTX_set_max_proto_version(&client, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(&client, "kRSA");
}

// What is inside of TLS when it is not a protocol of ours.
class FakeSession final : public Session {
 public:
  absl::Status receive(std::string_view bytes) override {
    received += bytes;
    return verdict;
  }
  void produce(std::string& out, std::size_t limit) override {
    if (out.size() >= limit) return;
    const std::size_t size = std::min(left, limit - out.size());
    out.append(size, 'x');
    left -= size;
  }
  bool finished() const override { return left == 0 && done; }
  void drain() override { done = true; }
  absl::Status sweep(Clock::time_point) override {
    ++sweeps;
    return verdict;
  }
  void disconnected(const absl::Status& why) override { gone = why; }

  std::string received;
  std::size_t left = 0;  // bytes to send
  bool done = false;
  int sweeps = 0;
  absl::Status verdict;
  absl::Status gone;
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() { serve(std::make_unique<DetectingSession>(loop_, front_, output_)); }

  void serve(std::unique_ptr<Session> inner) {
    server_ = std::make_unique<TlsSession>(*context_, std::move(inner), output_);
    status_ = absl::OkStatus();
  }
  void serve_with_client_certificates() {
    context_ = server_context(identity_, authority_.certificate());
    serve(std::make_unique<DetectingSession>(loop_, front_, output_));
  }
  FakeSession& serve_fake() {
    auto inner = std::make_unique<FakeSession>();
    FakeSession& fake = *inner;
    serve(std::move(inner));
    return fake;
  }

  // To the server, `piece` bytes at a time; as a socket's owner does, not after it failed.
  void send(std::string_view records, std::size_t piece = std::string_view::npos) {
    while (!records.empty() && status_.ok()) {
      status_ = server_->receive(records.substr(0, piece));
      records.remove_prefix(std::min(piece, records.size()));
    }
  }

  // Carries records back and forth until both fall silent.
  void exchange(TlsClient& client, std::size_t piece = std::string_view::npos) {
    for (;;) {
      const std::string to_server = client.output();
      send(to_server, piece);
      const std::string to_client = output_of(*server_);
      if (to_server.empty() && to_client.empty()) return;
      if (!to_client.empty()) client.take(to_client);
    }
  }

  TlsClient connected(TlsClient::Change change = nullptr) {
    TlsClient client(authority_.certificate(), change);
    exchange(client);
    EXPECT_TRUE(client.connected()) << client.error() << status_;
    return client;
  }

  const Authority authority_{"The authority"};
  const Identity identity_ = authority_.issue("the gateway");
  TlsContext context_ = server_context(identity_);
  Loop loop_;
  FakeFront fake_;
  Front front_ = fake_.front();
  FakeOutput output_;
  absl::Status status_;
  std::unique_ptr<TlsSession> server_;
};

// ---- what clients come for
// ------------------------------------------------------------------------

TEST_F(TlsTest, AnswersRequestsOverBothVersions) {
  for (const TlsClient::Change version : {TlsClient::Change(nullptr), &speak_tls_1_2}) {
    serve(std::make_unique<DetectingSession>(loop_, front_, output_));
    TlsClient client = connected(version);
    client.say(kRequest);
    client.say(kRequest);
    exchange(client);

    EXPECT_THAT(client.heard(), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(client.heard(), EndsWith("GET /x"));
    EXPECT_TRUE(status_.ok()) << status_;
    EXPECT_FALSE(server_->finished());
  }
  EXPECT_EQ(fake_.http_requests, 4);
}

TEST_F(TlsTest, TakesEverythingInPiecesOfOneByte) {
  TlsClient client(authority_.certificate());
  client.say(kRequest);  // does nothing before the handshake
  exchange(client, 1);
  ASSERT_TRUE(client.connected()) << client.error();
  client.say(kRequest);
  exchange(client, 1);

  EXPECT_THAT(client.heard(), EndsWith("GET /x"));
}

TEST_F(TlsTest, PrefersHttp2WhateverTheClientPrefers) {
  TlsClient client = connected(&speak_http2);
  EXPECT_EQ(client.protocol(), "h2");
  client.say(kPreface);
  client.say(std::string_view("\0\0\0\4\0\0\0\0\0", 9));
  exchange(client);

  ASSERT_GT(client.heard().size(), 9u);
  EXPECT_EQ(client.heard()[3], 4) << "the first frame of a server is SETTINGS";
}

TEST_F(TlsTest, ChoosesHttp1IfTheClientKnowsNothingElse) {
  EXPECT_EQ(connected(&speak_http1).protocol(), "http/1.1");
}

TEST_F(TlsTest, ChoosesNothingForAClientThatDoesNotAsk) { EXPECT_EQ(connected().protocol(), ""); }

TEST_F(TlsTest, ShowsTheChainOfItsCertificate) {
  const Identity other = Authority("Another").issue("whoever");
  context_ = server_context({identity_.certificate + other.certificate, identity_.key});
  serve(std::make_unique<DetectingSession>(loop_, front_, output_));

  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(connected().ssl())), 2);
}

TEST_F(TlsTest, AConnectionOutlivesItsContext) {
  TlsClient client = connected();
  context_.reset();
  client.say(kRequest);
  exchange(client);

  EXPECT_THAT(client.heard(), EndsWith("GET /x"));
}

// ---- whom it lets in
// ------------------------------------------------------------------------------

TEST_F(TlsTest, RefusesAClientWithoutACommonProtocol) {
  TlsClient client(authority_.certificate(), &speak_mail);
  exchange(client);

  EXPECT_EQ(status_.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(client.error(), HasSubstr("no application protocol"));
}

TEST_F(TlsTest, RefusesOldVersionsAndWeakCiphers) {
  for (const TlsClient::Change change : {&speak_tls_1_1, &speak_without_forward_secrecy}) {
    serve(std::make_unique<DetectingSession>(loop_, front_, output_));
    TlsClient client(authority_.certificate(), change);
    exchange(client);

    EXPECT_FALSE(status_.ok());
    EXPECT_FALSE(client.connected());
    EXPECT_THAT(client.error(), HasSubstr("alert")) << "the client is told";
  }
}

TEST_F(TlsTest, LetsInAClientWhoseCertificateIsVouchedFor) {
  serve_with_client_certificates();
  const Identity alice = authority_.issue("alice");
  TlsClient client(authority_.certificate(), nullptr, &alice);
  exchange(client);
  client.say(kRequest);
  exchange(client);

  EXPECT_THAT(client.heard(), EndsWith("GET /x")) << client.error() << status_;
}

TEST_F(TlsTest, RefusesAClientWhoseCertificateIsNotVouchedFor) {
  const Identity mallory = Authority("Nobody knows").issue("mallory");
  const Identity former = authority_.issue("former", {.from = -2h, .until = -1h});
  const std::pair<const Identity*, const char*> cases[] = {
      {nullptr, "peer did not return a certificate"},
      {&mallory, "unable to get local issuer certificate"},
      {&former, "certificate has expired"},
  };
  for (const auto& [identity, why] : cases) {
    for (const TlsClient::Change version : {TlsClient::Change(nullptr), &speak_tls_1_2}) {
      serve_with_client_certificates();
      TlsClient client(authority_.certificate(), version, identity);
      exchange(client);
      client.say(kRequest);
      exchange(client);

      EXPECT_FALSE(status_.ok());
      EXPECT_THAT(std::string(core::message(status_)), HasSubstr(why));
      EXPECT_THAT(client.error(), HasSubstr("alert"));
      EXPECT_EQ(client.heard(), "");
    }
  }
  EXPECT_EQ(fake_.http_requests, 0);
}

TEST_F(TlsTest, ResumesASessionWithoutKeepingAnything) {
  serve_with_client_certificates();
  const Identity alice = authority_.issue("alice");
  TlsClient client(authority_.certificate(), nullptr, &alice);
  exchange(client);
  SSL_SESSION* session = SSL_get1_session(client.ssl());
  client.close();  // one that is not closed is not resumed
  serve(std::make_unique<DetectingSession>(loop_, front_, output_));
  client.connect(session);
  SSL_SESSION_free(session);
  exchange(client);
  client.say(kRequest);
  exchange(client);

  EXPECT_EQ(SSL_session_reused(client.ssl()), 1) << client.error() << status_;
  EXPECT_THAT(client.heard(), EndsWith("GET /x"));
}

// ---- the end
// --------------------------------------------------------------------------------------

TEST_F(TlsTest, AnswersAClientsGoodbyeAndIsFinished) {
  TlsClient client = connected();
  client.close();
  exchange(client);

  EXPECT_TRUE(status_.ok()) << status_;
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(server_->finished());
}

TEST_F(TlsTest, AnswersWhatWasAskedBeforeAGoodbye) {
  TlsClient client = connected();
  client.say(kRequest);
  client.close();
  exchange(client);

  EXPECT_THAT(client.heard(), EndsWith("GET /x"));
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(server_->finished());
}

TEST_F(TlsTest, SaysGoodbyeAfterTheLastAnswer) {
  TlsClient client = connected();
  client.say("GET / HTTP/1.1\r\nconnection: close\r\n\r\n");
  exchange(client);

  EXPECT_THAT(client.heard(), EndsWith("GET /"));
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(server_->finished());
}

TEST_F(TlsTest, SendsTheInnerSessionsLastWordsWhenThatFails) {
  TlsClient client = connected();
  client.say("this is no HTTP\r\n\r\n");
  exchange(client);

  EXPECT_FALSE(status_.ok());
  EXPECT_THAT(client.heard(), StartsWith("HTTP/1.1 400"));
  EXPECT_TRUE(client.closed());
}

TEST_F(TlsTest, ADrainEndsAnIdleConnection) {
  TlsClient client = connected();
  client.say(kRequest);
  exchange(client);
  server_->drain();
  exchange(client);

  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(server_->finished());
}

TEST_F(TlsTest, ADrainEndsAHandshake) {
  TlsClient client(authority_.certificate());
  send(client.output().substr(0, 20));
  server_->drain();

  EXPECT_EQ(output_of(*server_), "");
  EXPECT_TRUE(server_->finished());
}

TEST_F(TlsTest, ADrainLetsARequestEnd) {
  FakeSession& inner = serve_fake();
  TlsClient client = connected();
  inner.left = 3 * kRecord;
  server_->drain();
  EXPECT_FALSE(server_->finished());
  exchange(client);

  EXPECT_EQ(client.heard().size(), 3 * kRecord);
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(server_->finished());
}

TEST_F(TlsTest, TellsTheInnerSessionOfTheEnd) {
  FakeSession& inner = serve_fake();
  TlsClient client = connected();
  server_->disconnected(core::error(absl::StatusCode::kUnavailable, "gone"));

  EXPECT_EQ(inner.gone.message(), "gone");
}

// ---- time
// -----------------------------------------------------------------------------------------

TEST_F(TlsTest, HangsUpOnAHandshakeThatDoesNotEnd) {
  TlsClient client(authority_.certificate());
  send(client.output().substr(0, 20));

  EXPECT_TRUE(server_->sweep(Clock::now() + 1s).ok());
  const absl::Status status = server_->sweep(Clock::now() + limits::kHeaderTimeout + 1s);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(TlsTest, TheInnerSessionsTimeOutsCountAfterTheHandshake) {
  FakeSession& inner = serve_fake();
  EXPECT_TRUE(server_->sweep(Clock::now()).ok());
  EXPECT_EQ(inner.sweeps, 0);
  TlsClient client = connected();
  EXPECT_TRUE(server_->sweep(Clock::now() + limits::kHeaderTimeout + 1s).ok());
  EXPECT_EQ(inner.sweeps, 1);
  inner.verdict = core::error(absl::StatusCode::kDeadlineExceeded, "too slow");
  inner.left = 5;

  EXPECT_EQ(server_->sweep(Clock::now()).message(), "too slow");
  exchange(client);
  EXPECT_EQ(client.heard(), "xxxxx") << "its last words";
  EXPECT_TRUE(client.closed());
}

// ---- bounds
// ---------------------------------------------------------------------------------------

TEST_F(TlsTest, TakesFromTheInnerSessionOnlyWhatThereIsRoomFor) {
  constexpr std::size_t kAnswer = 8 << 20;
  FakeSession& inner = serve_fake();
  TlsClient client = connected();
  inner.left = kAnswer;
  for (const std::size_t limit : {std::size_t{1}, std::size_t{1000}, kRecord, 5 * kRecord}) {
    const std::size_t before = inner.left;
    std::string out;
    server_->produce(out, limit);

    EXPECT_GE(out.size(), limit);
    EXPECT_LT(out.size(), limit + kRecord + kRecordExtra);
    EXPECT_LE(before - inner.left, limit + 2 * kRecord);
    client.take(out);
  }
  exchange(client);
  EXPECT_TRUE(client.heard() == std::string(kAnswer, 'x'));
}

TEST_F(TlsTest, ProducesNothingWhenThereIsNoRoom) {
  FakeSession& inner = serve_fake();
  TlsClient client = connected();
  inner.left = 100;
  std::string out(1000, 'o');
  server_->produce(out, 1000);

  EXPECT_EQ(out.size(), 1000u);
  EXPECT_EQ(inner.left, 100u);
}

TEST_F(TlsTest, FillsWholeRecords) {
  constexpr std::size_t kAnswer = 100 * kRecord;
  FakeSession& inner = serve_fake();
  TlsClient client = connected();
  inner.left = kAnswer;

  EXPECT_LT(output_of(*server_).size(), kAnswer + 100 * kRecordExtra);
}

// ---- bad input
// ------------------------------------------------------------------------------------

TEST_F(TlsTest, TellsAClientOfPlainHttpWhatIsWrong) {
  for (const std::string_view hello : {kRequest, kPreface, std::string_view("P")}) {
    serve(std::make_unique<DetectingSession>(loop_, front_, output_));
    send(hello);

    EXPECT_EQ(status_.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(core::message(status_)), HasSubstr("plain text"));
    const std::string answer = output_of(*server_);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n{\"detail\":\"this port speaks TLS: use https\"}"));
    EXPECT_TRUE(server_->finished());
  }
  EXPECT_EQ(fake_.http_requests, 0);
}

TEST_F(TlsTest, SaysNothingToAClientThatSpeaksNeitherTlsNorHttp) {
  for (const std::string_view hello : {"\r\n", "\x80\x2e\x01", "\xff\xff", "hello"}) {
    serve(std::make_unique<DetectingSession>(loop_, front_, output_));
    send(hello);

    EXPECT_EQ(status_.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(output_of(*server_), "");
    EXPECT_TRUE(server_->finished());
  }
}

TEST_F(TlsTest, EndsAHandshakeOfGarbage) {
  const std::string cases[] = {
      std::string("\x16\x03\x01\xff\xff", 5) + std::string(0xffff, '\0'),
      std::string("\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9),
      std::string("\x16\x03\x01\x00\x04\x02\xff\xff\xff", 9),
      std::string("\x16\x00\x00\x00\x05hello", 10),
      std::string("\x16") + std::string(100, '\x16'),
  };
  for (const std::string& garbage : cases) {
    serve(std::make_unique<DetectingSession>(loop_, front_, output_));
    send(garbage);

    EXPECT_FALSE(status_.ok()) << garbage;
    EXPECT_LT(output_of(*server_).size(), 100u) << "an alert, at most";
    EXPECT_TRUE(server_->finished());
  }
}

// Every byte of the first flight, changed: whatever it means then, nothing gets through to the
// inner session that the client did not say.
TEST_F(TlsTest, SurvivesAHelloWithAnyByteChanged) {
  const std::string hello = TlsClient(authority_.certificate(), &speak_http2).output();
  for (std::size_t place = 0; place < hello.size(); ++place) {
    FakeSession& inner = serve_fake();
    std::string changed = hello;
    changed[place] = static_cast<char>(changed[place] ^ 0x41);
    send(changed);
    output_of(*server_);

    EXPECT_EQ(inner.received, "") << place;
  }
}

TEST_F(TlsTest, EndsAtARecordThatWasTamperedWith) {
  for (const TlsClient::Change version : {TlsClient::Change(nullptr), &speak_tls_1_2}) {
    FakeSession& inner = serve_fake();
    TlsClient client = connected(version);
    client.say("harmless");
    std::string record = client.output();
    record.back() = static_cast<char>(record.back() ^ 1);
    send(record);
    client.take(output_of(*server_));

    EXPECT_EQ(status_.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(inner.received, "");
    EXPECT_THAT(client.error(), HasSubstr("alert"));
    EXPECT_TRUE(server_->finished());
    inner.left = 10;
    EXPECT_EQ(output_of(*server_), "") << "nothing after an alert";
    EXPECT_TRUE(server_->receive("more").ok()) << "what comes after it is nothing to us";
  }
}

TEST_F(TlsTest, WaitsForTheRestOfATruncatedRecord) {
  FakeSession& inner = serve_fake();
  TlsClient client = connected();
  client.say("harmless");
  const std::string record = client.output();
  send(record.substr(0, record.size() - 1));
  EXPECT_TRUE(status_.ok()) << status_;
  EXPECT_EQ(inner.received, "");
  send(record.substr(record.size() - 1));

  EXPECT_EQ(inner.received, "harmless");
}

TEST_F(TlsTest, EndsWhenAClientWantsToRenegotiate) {
  TlsClient client = connected(&speak_tls_1_2);
  ASSERT_EQ(SSL_renegotiate(client.ssl()), 1);
  client.say("");
  SSL_do_handshake(client.ssl());
  exchange(client);

  EXPECT_THAT(std::string(core::message(status_)), HasSubstr("renegotiate"));
  EXPECT_TRUE(server_->finished());
}

TEST_F(TlsTest, TakesAClientsNewKeys) {
  TlsClient client = connected();
  ASSERT_EQ(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
  client.say(kRequest);
  exchange(client);

  EXPECT_THAT(client.heard(), EndsWith("GET /x")) << client.error() << status_;
}

TEST_F(TlsTest, HoldsNoEndlessQueueForAClientThatOnlyAsks) {
  serve_fake();
  TlsClient client = connected();
  // Nobody takes the server's output meanwhile.
  for (int i = 0; i < 20'000 && status_.ok(); ++i) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.ssl());
    send(client.output());
  }

  EXPECT_EQ(status_.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LT(output_of(*server_).size(), limits::kTlsBacklogMax + 1000);
}

TEST_F(TlsTest, EndsWhenTheClientRefusesItsCertificate) {
  TlsClient client(Authority("Another").certificate());
  exchange(client);

  EXPECT_EQ(status_.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(core::message(status_)), HasSubstr("unknown ca"));
  EXPECT_TRUE(server_->finished());
}

}  // namespace
}  // namespace flow::gateway
