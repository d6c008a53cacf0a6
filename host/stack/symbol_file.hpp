// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/unique_fd.hpp"

namespace flow::host {

// The functions of one ELF file, by where they begin. The file may be anybody's: what it says of
// itself is checked, and what is read is bounded. Immutable.
class SymbolFile {
 public:
  // An error if it is not the file with this build id (hexadecimal; empty: any file will do), or
  // none that we can read.
  static absl::StatusOr<SymbolFile> open(const std::string& path, std::string_view build_id);

  struct Function {
    std::string_view name;  // mangled; valid as long as the SymbolFile
    std::uint64_t begin = 0;
  };
  std::optional<Function> function_at(std::uint64_t offset) const;

 private:
  struct Entry {
    std::uint64_t begin;
    std::uint64_t size;  // 0: up to the next one
    std::uint32_t name;
  };

  std::vector<Entry> entries_;  // sorted
  std::string names_;
};

}  // namespace flow::host
