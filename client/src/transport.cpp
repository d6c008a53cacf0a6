// SPDX-License-Identifier: Apache-2.0
#include "client/src/transport.hpp"

#include <utility>

namespace flow::client {
namespace {

class FailedFeed : public DocumentFeed {
 public:
  explicit FailedFeed(absl::Status status) : status_(std::move(status)) {}

  std::optional<absl::StatusOr<docarray::DocumentProto>> next() override {
    if (status_.ok()) return std::nullopt;
    return std::exchange(status_, absl::OkStatus());
  }

 private:
  absl::Status status_;
};

}  // namespace

std::unique_ptr<DocumentFeed> failed_feed(absl::Status status) {
  return std::make_unique<FailedFeed>(std::move(status));
}

}  // namespace flow::client
