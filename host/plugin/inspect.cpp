// SPDX-License-Identifier: Apache-2.0
#include "host/plugin/inspect.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string_view>

#include "core/status.hpp"
#include "core/unique_fd.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "host/plugin/elf.hpp"
#include "host/plugin/plugin_info.hpp"

namespace flow::host {
namespace {

constexpr std::string_view kSymbol = "flow_plugin_v1";
// A larger file than this is not a plugin; reading it would only cost memory.
constexpr off_t kFileBytesMax = off_t{1} << 30;

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
#error "plugins are supported on x86-64 and aarch64"
#endif

absl::Status refused(std::string_view text) {
  return core::error(absl::StatusCode::kFailedPrecondition, text);
}

// Read, not mapped: a file that shrinks while it is mapped would raise SIGBUS.
absl::StatusOr<std::vector<std::byte>> read_file(const std::string& path) {
  const core::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return core::system_error(errno, "cannot be opened");
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return core::system_error(errno, "cannot be examined");
  if (S_ISDIR(facts.st_mode)) return refused("is a folder, not a shared library");
  if (!S_ISREG(facts.st_mode)) return refused("is not a regular file");
  if (facts.st_size == 0) return refused("is empty");
  if (facts.st_size > kFileBytesMax) {
    return refused(fmt::format("has {} bytes, too many for a plugin", facts.st_size));
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(facts.st_size));
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto got = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return core::system_error(errno, "cannot be read");
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

absl::Status check_needed(const std::vector<std::string>& needed) {
  for (const auto& library : needed) {
    if (library.starts_with("libprotobuf")) {
      return refused(
          fmt::format("links {}: two copies of protobuf's descriptor pool abort the "
                      "process; a plugin needs none, see plugin.h",
                      library));
    }
    if (library.starts_with("libgrpc")) {
      return refused(
          fmt::format("links {}, which brings protobuf: two copies of protobuf's "
                      "descriptor pool abort the process; call other services from "
                      "another process",
                      library));
    }
  }
  return absl::OkStatus();
}

absl::Status check_exported(const ElfFacts& elf) {
  if (std::find(elf.exported.begin(), elf.exported.end(), kSymbol) == elf.exported.end() &&
      elf.exported_count == elf.exported.size()) {
    return refused(fmt::format("does not export {} (rule A2)", kSymbol));
  }
  if (elf.exported_count > 1) {
    return refused(
        fmt::format("exports {} symbols ({}{}), but a plugin exports {} alone (rule A2): "
                    "link it with plugin.map",
                    elf.exported_count, fmt::join(elf.exported, ", "),
                    elf.exported_count > elf.exported.size() ? ", ..." : "", kSymbol));
  }
  return absl::OkStatus();
}

absl::StatusOr<PluginFacts> inspect_bytes(std::span<const std::byte> bytes) {
  FLOW_ASSIGN_OR_RETURN(ElfFacts elf, read_elf(bytes));
  if (elf.machine != kMachine) {
    return refused(fmt::format("is built for {}, not for this machine",
                               elf.machine == EM_X86_64 ? "x86-64" : "aarch64"));
  }
  if (!elf.note) {
    return refused("has no flow note, so it is not a plugin (FLOW_METADATA writes the note)");
  }
  FLOW_RETURN_IF_ERROR(check_needed(elf.needed));
  PluginFacts facts;
  facts.metadata = std::string(metadata_text(*elf.note));
  FLOW_ASSIGN_OR_RETURN(facts.info, parse_plugin_info(facts.metadata));
  FLOW_RETURN_IF_ERROR(check_exported(elf));
  facts.build_id = std::move(elf.build_id);
  facts.needed = std::move(elf.needed);
  return facts;
}

}  // namespace

absl::StatusOr<PluginFacts> inspect_plugin(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes.ok()) return core::with_context(bytes.status(), path);
  auto facts = inspect_bytes(*bytes);
  if (!facts.ok()) return core::with_context(facts.status(), path);
  return facts;
}

}  // namespace flow::host
