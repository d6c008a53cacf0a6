// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace flow::host {

// What the host wants to know of a shared object before it lets the loader near it.
struct ElfFacts {
  std::uint16_t machine = 0;        // EM_X86_64 or EM_AARCH64
  std::optional<std::string> note;  // the flow note's content; nullopt: the file has none
  std::string build_id;             // hexadecimal; empty if the linker wrote none
  std::string soname;
  std::vector<std::string> needed;    // DT_NEEDED, in order
  std::vector<std::string> exported;  // names of defined dynamic symbols; the first few only
  std::size_t exported_count = 0;
};

// Reads an ELF64 little-endian shared object. The bytes may be hostile: every offset in them is
// checked, and what is allocated is bounded by the file's size and by constants. An error names
// what is wrong and the offset at which it stands.
absl::StatusOr<ElfFacts> read_elf(std::span<const std::byte> file);

}  // namespace flow::host
