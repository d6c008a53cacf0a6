// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "host/executor/services.hpp"

namespace flow::host {

struct ListenSpec {
  std::string tcp_address;  // "0.0.0.0:12346"; port 0: any free one
  std::string unix_path;    // empty: none
};

// One executor's gRPC server: its data services, discovery, info, health and reflection. Answers
// from its construction until shut_down(). Thread-safe.
class ExecutorServer {
 public:
  // The error names the address that could not be bound, and why. All references in `context` must
  // outlive the server.
  static absl::StatusOr<std::unique_ptr<ExecutorServer>> start(const ServiceContext& context,
                                                               const ListenSpec& listen);
  ExecutorServer(const ExecutorServer&) = delete;
  ExecutorServer& operator=(const ExecutorServer&) = delete;
  ~ExecutorServer();

  // "0.0.0.0:12346", with the port that it really is.
  const std::string& tcp_address() const { return tcp_address_; }
  int port() const { return port_; }

  // What the health service says of the executor and of all its services.
  void set_serving(bool serving);
  // Streams that clients keep open (health, reflection) are cut at the deadline.
  void shut_down(std::chrono::nanoseconds grace);

 private:
  struct Services;
  explicit ExecutorServer(std::unique_ptr<Services> services);

  std::vector<std::string> health_names_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<grpc::Server> server_;
  std::string tcp_address_;
  int port_ = 0;
};

}  // namespace flow::host
