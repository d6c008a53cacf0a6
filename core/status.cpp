// SPDX-License-Identifier: Apache-2.0
#include "core/status.hpp"

#include "fmt/format.h"

namespace flow::core {

absl::Status with_context(const absl::Status& status, std::string_view context) {
  return error(status.code(), fmt::format("{}: {}", context, message(status)));
}

absl::Status system_error(int error_number, std::string_view what) {
  return absl::ErrnoToStatus(error_number, absl::string_view(what.data(), what.size()));
}

}  // namespace flow::core
