// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <atomic>
#include <deque>
#include <fstream>
#include <iterator>
#include <mutex>
#include <utility>

#include "client/src/convert.hpp"
#include "client/src/transport.hpp"
#include "core/limits.hpp"
#include "core/net_address.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "jina.grpc.pb.h"

namespace flow::client {
namespace {

absl::Status status_of(const grpc::Status& status) {
  return core::error(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

// ---- the connection -----------------------------------------------------------------------------

absl::StatusOr<std::string> read_file(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad() || text.empty()) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("{}: cannot be read; expected a file in PEM format", file));
  }
  return text;
}

// Takes whatever certificate there is. gRPC reads the authorities' certificates only to verify.
std::shared_ptr<grpc::ChannelCredentials> unverified_credentials() {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  return grpc::experimental::TlsCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> make_credentials(
    const ServerAddress& address, const TlsOptions& tls) {
  if (!address.tls) return grpc::InsecureChannelCredentials();
  if (tls.verification == Verification::None) return unverified_credentials();
  grpc::SslCredentialsOptions options;
  const auto read_into = [](const std::string& file, std::string& to) -> absl::Status {
    if (file.empty()) return absl::OkStatus();
    FLOW_ASSIGN_OR_RETURN(to, read_file(file));
    return absl::OkStatus();
  };
  FLOW_RETURN_IF_ERROR(read_into(tls.ca_file, options.pem_root_certs));
  FLOW_RETURN_IF_ERROR(read_into(tls.certificate_file, options.pem_cert_chain));
  FLOW_RETURN_IF_ERROR(read_into(tls.key_file, options.pem_private_key));
  return grpc::SslCredentials(options);
}

// One connection to the server. A channel that failed waits before it tries again and meanwhile
// repeats its last error; who asks now wants to know how things are now, so it is replaced.
// Thread-safe.
class Connection {
 public:
  Connection(const ServerAddress& address, const ClientOptions& options,
             std::shared_ptr<grpc::ChannelCredentials> credentials)
      : target_(core::format_address({.host = address.host, .port = address.port})),
        credentials_(std::move(credentials)) {
    const auto message_max = static_cast<int>(
        std::min<std::uint64_t>(options.max_message, core::limits::kMessageBytesMax));
    arguments_.SetMaxReceiveMessageSize(message_max);
    arguments_.SetMaxSendMessageSize(-1);  // the server says what it takes
    arguments_.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // As over HTTP, and as the reference has it: a proxy is rarely meant for a Flow.
    arguments_.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // How long connecting may take goes by this name, too.
    const auto connect = std::chrono::duration_cast<std::chrono::milliseconds>(std::clamp<Duration>(
        options.connect_timeout, std::chrono::milliseconds(1), std::chrono::hours(1)));
    arguments_.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(connect.count()));
    if (!options.tls.server_name.empty()) {
      arguments_.SetSslTargetNameOverride(options.tls.server_name);
    }
  }

  std::shared_ptr<grpc::Channel> channel() {
    const std::lock_guard lock(mutex_);
    if (!channel_ || channel_->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) {
      channel_ = grpc::CreateCustomChannel(target_, credentials_, arguments_);
    }
    return channel_;
  }

 private:
  const std::string target_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  grpc::ChannelArguments arguments_;
  std::mutex mutex_;
  std::shared_ptr<grpc::Channel> channel_;  // shared with the calls that use it
};

// ---- data ---------------------------------------------------------------------------------------

// Nothing but an id: what the reference's gateway sends before it ends a stream with an error.
// Every true answer has routes.
bool is_empty_answer(const jina::DataRequestProto& answer) {
  return answer.routes_size() == 0 && !answer.has_data() && !answer.header().has_status() &&
         !answer.header().has_exec_endpoint();
}

// One JinaRPC/Call, driven by its caller's thread. Confined to it.
class CallStream {
 public:
  CallStream(std::shared_ptr<grpc::Channel> channel, const ExchangeOptions& options)
      : channel_(std::move(channel)), stub_(jina::JinaRPC::NewStub(channel_)) {
    context_.AddMetadata("__prefetch__", std::to_string(options.prefetch));
    context_.AddMetadata("__results_in_order__", options.results_in_order ? "true" : "false");
    stream_ = stub_->PrepareAsyncCall(&context_, &queue_);
    begin(Op::Start);
    stream_->StartCall(tag(Op::Start));
  }
  CallStream(const CallStream&) = delete;
  CallStream& operator=(const CallStream&) = delete;
  ~CallStream() {
    context_.TryCancel();
    while (pending_ != 0 && advance(Deadline::max())) {  // cancelled: at once
    }
    queue_.Shutdown();
    void* ignored = nullptr;
    bool ok = false;
    while (queue_.Next(&ignored, &ok)) {
    }
  }

  // False: not until the deadline. That the stream has ended shows when it is read, after the
  // answers that came before.
  bool write(const jina::DataRequestProto& request, Deadline deadline) {
    if (!wait_for(Op::Start, deadline)) return false;
    if (over_) return true;
    begin(Op::Write);
    stream_->Write(request, tag(Op::Write));
    return wait_for(Op::Write, deadline);
  }

  // False: nothing until the deadline, or the stream is over.
  bool read(Deadline deadline, jina::DataRequestProto& to) {
    while (answers_.empty() && !over_) {
      if (!advance(deadline)) return false;
    }
    if (answers_.empty()) return false;
    to = std::move(answers_.front());
    answers_.pop_front();
    return true;
  }

  bool over() const { return over_; }

  // Of a stream that is over.
  grpc::Status finish(Deadline deadline) {
    begin(Op::Finish);
    stream_->Finish(&status_, tag(Op::Finish));
    // Nothing else is due but what is on the way already.
    if (!wait_for(Op::Finish, deadline)) {
      context_.TryCancel();
      wait_for(Op::Finish, Deadline::max());
    }
    return status_;
  }

 private:
  // Their tags are their bits.
  enum class Op : unsigned { Start = 1, Read = 2, Write = 4, Finish = 8 };
  static void* tag(Op op) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(op)); }
  void begin(Op op) { pending_ |= static_cast<unsigned>(op); }
  bool is_pending(Op op) const { return (pending_ & static_cast<unsigned>(op)) != 0; }

  bool wait_for(Op op, Deadline deadline) {
    while (is_pending(op)) {
      if (!advance(deadline)) return false;
    }
    return true;
  }

  // Takes one event; false if there is none until the deadline.
  bool advance(Deadline deadline) {
    void* event = nullptr;
    bool ok = false;
    const auto got = deadline == Deadline::max()
                         ? (queue_.Next(&event, &ok) ? grpc::CompletionQueue::GOT_EVENT
                                                     : grpc::CompletionQueue::SHUTDOWN)
                         : queue_.AsyncNext(&event, &ok, wall_time(deadline));
    if (got != grpc::CompletionQueue::GOT_EVENT) return false;
    const auto op = static_cast<Op>(reinterpret_cast<std::uintptr_t>(event));
    pending_ &= ~static_cast<unsigned>(op);
    if (op == Op::Finish || op == Op::Write) return true;
    if (op == Op::Read && ok && !is_empty_answer(incoming_)) {
      answers_.push_back(std::exchange(incoming_, {}));
    }
    if (!ok) over_ = true;
    if (!over_ && (op == Op::Start || op == Op::Read)) {
      begin(Op::Read);
      stream_->Read(&incoming_, tag(Op::Read));
    }
    return true;
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<jina::JinaRPC::Stub> stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<jina::DataRequestProto, jina::DataRequestProto>>
      stream_;
  unsigned pending_ = 0;
  bool over_ = false;
  jina::DataRequestProto incoming_;
  std::deque<jina::DataRequestProto> answers_;  // no more than requests were sent
  grpc::Status status_;
};

// Does the server have JinaRPC/Call? Executors have not.
enum class CallSupport { Unknown, Yes, No };

// How long a stream that is over may take to say why.
constexpr auto kFinishWait = std::chrono::seconds(1);

// A stream of requests, or, with a server that has no Call, one process_single_data at a time.
// Which it is shows with the first answer, so until then one request goes alone and is kept.
class GrpcExchange : public Exchange {
 public:
  GrpcExchange(Connection& connection, std::atomic<CallSupport>& support, ExchangeOptions options)
      : connection_(connection), support_(support), options_(options) {}

  std::size_t window() const override {
    return support_ == CallSupport::Yes ? std::max<std::size_t>(1, options_.prefetch) : 1;
  }

  absl::Status send(const jina::DataRequestProto& request, Deadline deadline) override {
    if (window() == 1) kept_ = request;
    if (support_ == CallSupport::No) return absl::OkStatus();
    if (!stream_) stream_.emplace(connection_.channel(), options_);
    if (stream_->write(request, deadline)) return absl::OkStatus();
    stream_.reset();
    return core::error(absl::StatusCode::kDeadlineExceeded,
                       "the server did not take the request in time");
  }

  std::optional<absl::StatusOr<jina::DataRequestProto>> receive(Deadline deadline) override {
    if (support_ == CallSupport::No) return call_once(deadline);
    jina::DataRequestProto answer;
    if (stream_->read(deadline, answer)) {
      support_ = CallSupport::Yes;
      return answer;
    }
    if (!stream_->over()) {
      if (window() == 1) stream_.reset();  // nobody would know whose a late answer is
      return std::nullopt;
    }
    const absl::Status status = end_stream();
    if (support_ == CallSupport::No) return call_once(deadline);
    return status;
  }

 private:
  absl::Status end_stream() {
    const grpc::Status status = stream_->finish(deadline_after(kFinishWait));
    stream_.reset();
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && support_ != CallSupport::Yes) {
      support_ = CallSupport::No;
    }
    if (!status.ok()) return status_of(status);
    return core::error(absl::StatusCode::kUnavailable,
                       "the server ended the stream and left requests unanswered");
  }

  std::optional<absl::StatusOr<jina::DataRequestProto>> call_once(Deadline deadline) {
    grpc::ClientContext context;
    context.set_deadline(wall_time(deadline));
    jina::DataRequestProto answer;
    const grpc::Status status = jina::JinaSingleDataRequestRPC::NewStub(connection_.channel())
                                    ->process_single_data(&context, kept_, &answer);
    if (status.ok()) return answer;
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && Clock::now() >= deadline) {
      return std::nullopt;
    }
    return status_of(status);
  }

  Connection& connection_;
  std::atomic<CallSupport>& support_;
  const ExchangeOptions options_;
  std::optional<CallStream> stream_;
  jina::DataRequestProto kept_;  // the only request that waits, if the window is one
};

class GrpcFeed : public DocumentFeed {
 public:
  GrpcFeed(std::shared_ptr<grpc::Channel> channel, const jina::SingleDocumentRequestProto& request,
           Deadline deadline)
      : stub_(jina::JinaSingleDocumentRequestRPC::NewStub(std::move(channel))) {
    context_.set_deadline(wall_time(deadline));
    reader_ = stub_->stream_doc(&context_, request);
  }
  ~GrpcFeed() override {
    if (over_) return;
    context_.TryCancel();
    finish().IgnoreError();
  }

  std::optional<absl::StatusOr<docarray::DocumentProto>> next() override {
    if (over_) return std::nullopt;
    jina::SingleDocumentRequestProto answer;
    if (!reader_->Read(&answer)) {
      const absl::Status status = finish();
      if (status.ok()) return std::nullopt;
      return status;
    }
    if (answer.header().status().code() == jina::StatusProto::SUCCESS) {
      return std::move(*answer.mutable_document());
    }
    context_.TryCancel();
    finish().IgnoreError();
    return status_from(answer.header().status());
  }

 private:
  absl::Status finish() {
    over_ = true;
    jina::SingleDocumentRequestProto ignored;
    while (reader_->Read(&ignored)) {
    }
    return status_of(reader_->Finish());
  }

  const std::unique_ptr<jina::JinaSingleDocumentRequestRPC::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<jina::SingleDocumentRequestProto>> reader_;
  bool over_ = false;
};

// ---- all of it ----------------------------------------------------------------------------------

class GrpcTransport : public Transport {
 public:
  GrpcTransport(const ServerAddress& address, const ClientOptions& options,
                std::shared_ptr<grpc::ChannelCredentials> credentials)
      : connection_(address, options, std::move(credentials)) {}

  DryRunAnswer dry_run(DryRun depth, Deadline deadline) override {
    grpc::ClientContext context;
    context.set_deadline(wall_time(deadline));
    if (depth == DryRun::Deep) context.AddMetadata("flow-dry-run", "deep");
    DryRunAnswer answer;
    answer.status = status_of(jina::JinaGatewayDryRunRPC::NewStub(connection_.channel())
                                  ->dry_run(&context, {}, &answer.verdict));
    if (!answer.status.ok()) answer.debug = context.debug_error_string();
    return answer;
  }

  DryRunAnswer health(const std::string& service, Deadline deadline) override {
    namespace v1 = grpc::health::v1;
    grpc::ClientContext context;
    context.set_deadline(wall_time(deadline));
    v1::HealthCheckRequest request;
    request.set_service(service);
    v1::HealthCheckResponse response;
    DryRunAnswer answer;
    answer.status =
        status_of(v1::Health::NewStub(connection_.channel())->Check(&context, request, &response));
    if (!answer.status.ok()) answer.debug = context.debug_error_string();
    if (response.status() == v1::HealthCheckResponse::SERVING) return answer;
    answer.verdict.set_code(jina::StatusProto::ERROR);
    answer.verdict.set_description(
        fmt::format("the health service says {}",
                    v1::HealthCheckResponse::ServingStatus_Name(response.status())));
    return answer;
  }

  absl::StatusOr<std::vector<std::string>> discover(Deadline deadline) override {
    grpc::ClientContext context;
    context.set_deadline(wall_time(deadline));
    jina::EndpointsProto endpoints;
    FLOW_RETURN_IF_ERROR(status_of(jina::JinaDiscoverEndpointsRPC::NewStub(connection_.channel())
                                       ->endpoint_discovery(&context, {}, &endpoints)));
    return std::vector<std::string>(endpoints.endpoints().begin(), endpoints.endpoints().end());
  }

  std::unique_ptr<Exchange> open_exchange(const ExchangeOptions& options) override {
    return std::make_unique<GrpcExchange>(connection_, call_support_, options);
  }

  std::unique_ptr<DocumentFeed> stream_doc(const jina::SingleDocumentRequestProto& request,
                                           Deadline deadline) override {
    return std::make_unique<GrpcFeed>(connection_.channel(), request, deadline);
  }

 private:
  Connection connection_;
  std::atomic<CallSupport> call_support_ = CallSupport::Unknown;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> make_grpc_transport(const ServerAddress& address,
                                                               const ClientOptions& options) {
  FLOW_ASSIGN_OR_RETURN(auto credentials, make_credentials(address, options.tls));
  return std::make_unique<GrpcTransport>(address, options, std::move(credentials));
}

}  // namespace flow::client
