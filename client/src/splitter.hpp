// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "flow/client.hpp"

namespace flow::client {

// Cuts what a source gives into the documents of one request each: `size` of them, the last fewer.
// A source without any makes one request without any, since endpoints need not want documents.
// Asks the source no earlier than it must. Confined to its user.
class Splitter {
 public:
  Splitter(DocumentSource source, std::size_t size)
      : source_(std::move(source)), size_(size == 0 ? 1 : size) {}

  // Nothing after the last.
  std::optional<std::vector<Document>> next() {
    if (over_) return std::nullopt;
    std::vector<Document> documents;
    while (documents.size() < size_) {
      std::optional<Document> document = source_ ? source_() : std::nullopt;
      if (!document) {
        over_ = true;
        break;
      }
      documents.push_back(*std::move(document));
    }
    if (documents.empty() && !std::exchange(is_first_, false)) return std::nullopt;
    is_first_ = false;
    return documents;
  }

 private:
  const DocumentSource source_;
  const std::size_t size_;
  bool over_ = false;
  bool is_first_ = true;
};

}  // namespace flow::client
