// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <fstream>
#include <sstream>

#include "flow/client.hpp"
#include "jina.grpc.pb.h"
#include "tests/component/client/certificate.hpp"
#include "tests/component/client/fake_server.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using namespace flow::testing;
using ::testing::HasSubstr;

namespace websocket = beast::websocket;
namespace ssl = asio::ssl;

constexpr auto kPatience = 20s;

// One port that is ready, over TLS: the protocols differ, what a client must check does not.
class ReadyServer {
 public:
  virtual ~ReadyServer() = default;
  virtual std::uint16_t port() const = 0;
};

std::string content(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

class GrpcServer : public ReadyServer {
 public:
  explicit GrpcServer(const Certificate& certificate) {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back(
        {content(certificate.key_file()), content(certificate.certificate_file())});
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~GrpcServer() override { server_->Shutdown(std::chrono::system_clock::now()); }
  std::uint16_t port() const override { return static_cast<std::uint16_t>(port_); }

 private:
  struct Service : jina::JinaGatewayDryRunRPC::Service {
    grpc::Status dry_run(grpc::ServerContext*, const google::protobuf::Empty*,
                         jina::StatusProto*) override {
      return grpc::Status::OK;
    }
  } service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

using TlsStream = ssl::stream<tcp::socket&>;

class StreamServer : public ReadyServer {
 public:
  StreamServer(const Certificate& certificate, std::function<void(TlsStream&)> serve)
      : serve_(std::move(serve)) {
    context_.use_certificate_chain_file(certificate.certificate_file());
    context_.use_private_key_file(certificate.key_file(), ssl::context::pem);
    server_.emplace([this](tcp::socket& socket) {
      TlsStream stream(socket, context_);
      stream.handshake(ssl::stream_base::server);
      serve_(stream);
    });
  }
  std::uint16_t port() const override { return server_->port(); }

 private:
  const std::function<void(TlsStream&)> serve_;
  ssl::context context_{ssl::context::tls_server};
  std::optional<FakeServer> server_;
};

void serve_ready_http(TlsStream& stream) {
  serve_http(stream, [](const HttpRequest&) {
    return json(200, R"({"code":0,"description":"","exception":null})");
  });
}

void serve_ready_websocket(TlsStream& stream) {
  websocket::stream<TlsStream&> socket(stream);
  socket.accept();
  socket.binary(true);
  socket.write(asio::buffer(std::string()));
  socket.close(websocket::close_code::normal);
}

class Tls : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<ReadyServer> serve(const Certificate& certificate) const {
    if (GetParam() == "grpcs") return std::make_unique<GrpcServer>(certificate);
    return std::make_unique<StreamServer>(
        certificate, GetParam() == "https" ? serve_ready_http : serve_ready_websocket);
  }
  std::string url(const std::string& host, const ReadyServer& server) const {
    return GetParam() + "://" + host + ":" + std::to_string(server.port());
  }
};
INSTANTIATE_TEST_SUITE_P(Protocols, Tls, ::testing::Values("grpcs", "https", "wss"),
                         [](const auto& each) { return each.param; });

TEST_P(Tls, TrustsACertificateThatItsAuthorityVouchesFor) {
  const Certificate certificate("DNS:localhost,IP:127.0.0.1");
  const auto server = serve(certificate);
  for (const char* host : {"localhost", "127.0.0.1"}) {
    Client client(url(host, *server), {.tls = {.ca_file = certificate.certificate_file()}});
    EXPECT_TRUE(client.is_flow_ready(kPatience)) << client.last_reason();
  }
}

TEST_P(Tls, DistrustsACertificateThatNobodyVouchesFor) {
  const Certificate certificate("DNS:localhost");
  const Certificate other("DNS:localhost");
  const auto server = serve(certificate);
  for (const std::string& ca : {std::string(), other.certificate_file()}) {
    Client client(url("localhost", *server), {.tls = {.ca_file = ca}});
    EXPECT_FALSE(client.is_flow_ready(kPatience));
    EXPECT_NE(client.last_reason(), "");
  }
}

TEST_P(Tls, DistrustsACertificateForSomebodyElse) {
  const Certificate certificate("DNS:example.com");
  const auto server = serve(certificate);
  Client client(url("localhost", *server), {.tls = {.ca_file = certificate.certificate_file()}});
  EXPECT_FALSE(client.is_flow_ready(kPatience));
  Client told(url("localhost", *server),
              {.tls = {.ca_file = certificate.certificate_file(), .server_name = "example.com"}});
  EXPECT_TRUE(told.is_flow_ready(kPatience)) << told.last_reason();
}

TEST_P(Tls, TakesAnyCertificateIfToldNotToVerify) {
  const Certificate certificate("DNS:example.com");
  const auto server = serve(certificate);
  Client client(url("localhost", *server), {.tls = {.verification = Verification::None}});
  EXPECT_TRUE(client.is_flow_ready(kPatience)) << client.last_reason();
}

TEST_P(Tls, IsNotReadyWhereTheServerSpeaksPlainly) {
  const FakeServer server(raw_answer("HTTP/1.1 200 OK\r\n\r\n", Afterwards::HangUp));
  Client client(server.url(GetParam()));
  EXPECT_FALSE(client.is_flow_ready(2s));
}

}  // namespace
}  // namespace flow
