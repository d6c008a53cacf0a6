// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/src/deadline.hpp"
#include "flow/client.hpp"
#include "jina.pb.h"

// What a protocol must be able to do for the client: the border between what is asked and how.
namespace flow::client {

// Requests of one caller and their answers. Confined to one thread at a time.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // How many requests may wait for their answers at once; may grow as the server is known better.
  virtual std::size_t window() const = 0;
  // Hands a request over; never more than the window allows. After an error this request and all
  // that wait are lost, and the exchange is as new.
  virtual absl::Status send(const jina::DataRequestProto& request, Deadline deadline) = 0;
  // Waits for an answer to any request that waits. Nothing: there was none until the deadline; a
  // window of one is then as new, and in a wider one the answers may still come. After an error all
  // that wait are lost, and the exchange is as new.
  virtual std::optional<absl::StatusOr<jina::DataRequestProto>> receive(Deadline deadline) = 0;
};

// The documents that answer one. Confined to one thread at a time.
class DocumentFeed {
 public:
  virtual ~DocumentFeed() = default;
  // Nothing after the last; an error is the last.
  virtual std::optional<absl::StatusOr<docarray::DocumentProto>> next() = 0;
};

struct DryRunAnswer {
  absl::Status status;  // why there is no verdict
  std::string debug;    // more about that, from the library below
  jina::StatusProto verdict;
};

struct ExchangeOptions {
  std::size_t prefetch = 1;
  bool results_in_order = true;
};

// One server. Thread-safe. Errors do not name the server's url: the caller knows it.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual DryRunAnswer dry_run(DryRun depth, Deadline deadline) = 0;
  virtual DryRunAnswer health(const std::string& service, Deadline deadline) = 0;
  virtual absl::StatusOr<std::vector<std::string>> discover(Deadline deadline) = 0;
  // Do not outlive the transport.
  virtual std::unique_ptr<Exchange> open_exchange(const ExchangeOptions& options) = 0;
  virtual std::unique_ptr<DocumentFeed> stream_doc(const jina::SingleDocumentRequestProto& request,
                                                   Deadline deadline) = 0;
};

// Fail if a file of TlsOptions cannot be read or is none.
absl::StatusOr<std::unique_ptr<Transport>> make_grpc_transport(const ServerAddress& address,
                                                               const ClientOptions& options);
absl::StatusOr<std::unique_ptr<Transport>> make_http_transport(const ServerAddress& address,
                                                               const ClientOptions& options);
absl::StatusOr<std::unique_ptr<Transport>> make_websocket_transport(const ServerAddress& address,
                                                                    const ClientOptions& options);

// A feed that is an error.
std::unique_ptr<DocumentFeed> failed_feed(absl::Status status);

}  // namespace flow::client
