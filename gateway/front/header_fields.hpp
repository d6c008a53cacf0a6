// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flow::gateway {

// The header fields of a request that somebody here looks at; others are not kept. Names are
// lower-case.
class HeaderFields {
 public:
  // Every name that is kept.
  static constexpr std::array<std::string_view, 16> kNames = {
      "__prefetch__",
      "__results_in_order__",
      "accept",
      "accept-encoding",
      "access-control-request-headers",
      "access-control-request-method",
      "content-encoding",
      "content-type",
      "cookie",
      "flow-dry-run",
      "grpc-accept-encoding",
      "grpc-encoding",
      "grpc-timeout",
      "if-none-match",
      "origin",
      "traceparent",
  };

  // A field that occurs again is joined to the first with ", " (RFC 9110, 5.2).
  void add(std::string_view name, std::string_view value) {
    const auto known = std::ranges::find(kNames, name);
    if (known == kNames.end()) return;
    const auto present = std::ranges::find(fields_, name, &Field::first);
    if (present == fields_.end()) {
      fields_.emplace_back(*known, value);
    } else {
      present->second.append(", ").append(value);
    }
  }

  // The value of a field; "" if the request does not have it. `name` is one of kNames.
  std::string_view get(std::string_view name) const {
    const auto present = std::ranges::find(fields_, name, &Field::first);
    return present == fields_.end() ? std::string_view() : std::string_view(present->second);
  }

 private:
  using Field = std::pair<std::string_view, std::string>;
  std::vector<Field> fields_;
};

}  // namespace flow::gateway
