// SPDX-License-Identifier: Apache-2.0
//
// The client of a Flow: asks whether it is ready, and sends it documents.
//
//   flow::Client client("grpc://localhost:12345");
//   if (!client.is_flow_ready()) std::cerr << client.last_reason() << '\n';
//   auto answers = client.post("/search", {flow::Document::of_text("hello")});
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/address.hpp"
#include "flow/document.hpp"
#include "flow/json.hpp"

namespace flow {

// Lengths of time; any unit of std::chrono converts. Longer than a year counts as a year.
using Duration = std::chrono::nanoseconds;

// ---- options ------------------------------------------------------------------------------------

enum class Verification {
  Full,  // the certificate's chain and the server's name
  None,  // whoever answers: for experiments
};

struct TlsOptions {
  std::string ca_file = {};           // PEM: whom to trust; empty: the system's authorities
  std::string certificate_file = {};  // PEM: ours, if the server wants to know who asks
  std::string key_file = {};          // PEM: of that certificate
  std::string server_name = {};  // the name in the server's certificate, if not the address's host
  Verification verification = Verification::Full;
};

// Of requests that ended with UNAVAILABLE, and of no others. One attempt, the default, is safe for
// endpoints that must not run twice: an unavailable server may have run a request before it went.
// The waits double from first_wait to longest_wait, each shortened by a random part of up to half.
struct RetryOptions {
  int attempts = 1;
  Duration first_wait = std::chrono::milliseconds(100);
  Duration longest_wait = std::chrono::seconds(5);
  // Retries that a Client may spend while nothing succeeds; every ten successes earn one back.
  int budget = 10;
};

struct ClientOptions {
  TlsOptions tls = {};
  RetryOptions retry = {};
  Duration connect_timeout = std::chrono::seconds(5);  // within whatever deadline there is
  std::size_t max_message = std::size_t{256} << 20;    // bytes of one answer
};

struct PostOptions {
  std::size_t request_size = 100;    // documents per request, at least 1
  std::string target_executor = {};  // regular expression: only executors whose names start like it
  Duration timeout = std::chrono::minutes(10);         // of everything
  Duration request_timeout = std::chrono::minutes(1);  // of each request, its retries included
  std::size_t prefetch = 64;     // gRPC: requests that may wait for their answers at once
  bool results_in_order = true;  // else as they come
};

enum class DryRun {
  Known,  // what the gateway knows anyway: microseconds, reaches no executor
  Deep,   // a request through all executors
};

// ---- results ------------------------------------------------------------------------------------

// What a check found. Not ready has two kinds: the server says so (`status` is OK, `description`
// and the rest say why), or there was no answer (`status` says why not).
struct CheckResult {
  bool ready = false;
  std::string url;      // who was asked
  Duration latency{0};  // from the question to the answer, or to giving up
  absl::Status status;  // its message is what the library below said, without the url
  std::string debug;    // gRPC's debug string, if there is one
  std::string description;
  std::string exception;            // the exception's name: "InternalNetworkError"
  std::vector<std::string> stacks;  // the server's evidence: each replica in the way, and its crash
  std::string executor;             // who failed, if the server names one

  // Why it is not ready, in one line with the url; empty if it is.
  std::string reason() const;
};

// One executor's share in answering a request, with times as the gateway saw them.
struct RouteStep {
  std::string executor;
  std::optional<std::chrono::system_clock::time_point> start;
  std::optional<std::chrono::system_clock::time_point> end;  // none: it was skipped
  absl::Status status;
};

// How one request ended. Every request ends in exactly one of these.
struct Response {
  std::size_t index = 0;  // of the request, counted from 0
  absl::Status status;    // why it failed; names the executor if it was one
  std::string request_id;
  std::vector<Document> documents;
  Json::Object parameters;  // as the executors left them
  std::vector<RouteStep> routes;
};

// Called as each request ends, by the thread that called post_each. Any may be empty.
struct PostCallbacks {
  std::function<void(const Response&)> on_done = {};    // it succeeded
  std::function<void(const Response&)> on_error = {};   // it failed
  std::function<void(const Response&)> on_always = {};  // after either
};

// Gives the next document to send, and nothing after the last.
using DocumentSource = std::function<std::optional<Document>()>;

// Documents or responses that are fetched as they are asked for; ends what it started when it is
// destroyed. May outlive its Client. Confined to one thread at a time.
//
//   for (const flow::Response& response : client.stream("/index", documents)) ...
template <class Item>
class Stream {
 public:
  using Next = std::function<std::optional<Item>()>;
  explicit Stream(Next next) : next_(std::move(next)) {}
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = default;

  // Waits for the next item, within the deadlines of its options; nothing after the last.
  std::optional<Item> next() { return next_(); }

  class Iterator {
   public:
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(Stream* stream) : stream_(stream), item_(stream->next()) {}
    const Item& operator*() const { return *item_; }
    const Item* operator->() const { return &*item_; }
    Iterator& operator++() {
      item_ = stream_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !item_; }

   private:
    Stream* stream_ = nullptr;
    std::optional<Item> item_;
  };
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  Next next_;
};

using ResponseStream = Stream<Response>;
// An error is the last item.
using DocumentStream = Stream<absl::StatusOr<Document>>;

// ---- the client ---------------------------------------------------------------------------------

// Connects when it is first used, and keeps its connections. Nothing throws or logs, and every wait
// has a deadline. A url that is wrong shows in status() and in the result of every call.
// Thread-safe. Cheap to move, not to copy. Do not destroy it while another thread is inside.
class Client {
 public:
  explicit Client(std::string_view url, ClientOptions options = {});
  explicit Client(ServerAddress address, ClientOptions options = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // OK, or what is wrong with the url or with a file of TlsOptions.
  absl::Status status() const;
  std::string url() const;

  // Is every executor that is needed for an answer ready? One question, no retries.
  bool is_flow_ready(Duration timeout = std::chrono::seconds(3));
  // CheckResult::reason() of the check that ended last; empty before the first.
  std::string last_reason() const;
  // The same question, with everything that is known about the answer.
  CheckResult ready(Duration timeout = std::chrono::seconds(3), DryRun depth = DryRun::Known);
  // Does the server itself answer, gateway or executor, whatever the others do? gRPC: the standard
  // health service, asked about `service`, where a Flow's gateway knows "" (the whole Flow),
  // "liveness" and its executors' names. HTTP and WebSocket: GET / is 200; `service` must be empty.
  CheckResult health(std::string_view service = {}, Duration timeout = std::chrono::seconds(1));
  // The endpoints that can be posted to.
  absl::StatusOr<std::vector<std::string>> discover(Duration timeout = std::chrono::seconds(3));

  // Sends documents in requests of request_size and waits for all answers: their documents, in
  // order. The first request that fails ends it, and its error is returned.
  absl::StatusOr<std::vector<Document>> post(std::string_view endpoint,
                                             std::vector<Document> documents,
                                             Json::Object parameters = {},
                                             const PostOptions& options = {});
  // The same, but goes on after errors. OK if all succeeded, else the first error.
  absl::Status post_each(std::string_view endpoint, std::vector<Document> documents,
                         const PostCallbacks& callbacks, Json::Object parameters = {},
                         const PostOptions& options = {});
  // The same, answer by answer. `documents` is asked for as there is room to send.
  ResponseStream stream(std::string_view endpoint, DocumentSource documents,
                        Json::Object parameters = {}, const PostOptions& options = {});
  ResponseStream stream(std::string_view endpoint, std::vector<Document> documents,
                        Json::Object parameters = {}, const PostOptions& options = {});

  // One document in, many out. Over HTTP the document travels in the query: id, text, uri,
  // mime_type and weight; anything else in it is refused. UNIMPLEMENTED over WebSocket.
  DocumentStream stream_doc(std::string_view endpoint, const Document& document,
                            Json::Object parameters = {},
                            Duration timeout = std::chrono::minutes(10));

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flow
