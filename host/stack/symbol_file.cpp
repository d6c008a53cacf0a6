// SPDX-License-Identifier: Apache-2.0
#include "host/stack/symbol_file.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "host/stack/module_at.hpp"

namespace flow::host {
namespace {

namespace limits = core::limits;

absl::Status malformed(std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument, what);
}

// Parts of a file, which may shrink meanwhile: so it is read and not mapped.
class Reader {
 public:
  static absl::StatusOr<Reader> open(const std::string& path) {
    core::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return core::system_error(errno, path);
    if (!S_ISREG(status.st_mode)) return malformed("not a regular file");
    return Reader(std::move(file), static_cast<std::uint64_t>(status.st_size));
  }

  absl::Status read_into(std::uint64_t offset, std::span<std::byte> to) const {
    while (!to.empty()) {
      const ssize_t got = ::pread(file_.get(), to.data(), to.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return core::system_error(errno, "read");
      if (got == 0) return malformed("it became shorter while it was read");
      to = to.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    return absl::OkStatus();
  }

  template <typename Entry>
  absl::StatusOr<std::vector<Entry>> read(std::uint64_t offset, std::uint64_t bytes) const {
    if (bytes > limits::kSymbolBytesMax) {
      return malformed(
          fmt::format("a table of {} bytes, at most {} are read", bytes, limits::kSymbolBytesMax));
    }
    // Of what the file does not have, nothing is allocated.
    if (offset > size_ || bytes > size_ - offset) {
      return malformed(fmt::format("{} bytes at offset {:#x} are not within the {} there are",
                                   bytes, offset, size_));
    }
    std::vector<Entry> entries(static_cast<std::size_t>(bytes) / sizeof(Entry));
    FLOW_RETURN_IF_ERROR(read_into(offset, std::as_writable_bytes(std::span(entries))));
    return entries;
  }

 private:
  Reader(core::UniqueFd file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  core::UniqueFd file_;
  std::uint64_t size_;
};

absl::StatusOr<Elf64_Ehdr> read_header(const Reader& file) {
  FLOW_ASSIGN_OR_RETURN(const auto headers, file.read<Elf64_Ehdr>(0, sizeof(Elf64_Ehdr)));
  const Elf64_Ehdr& header = headers.front();
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return malformed("not a 64-bit little-endian ELF file");
  }
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_phentsize != sizeof(Elf64_Phdr)) {
    return malformed("no section table, or one of an unknown form");
  }
  return header;
}

absl::StatusOr<std::string> read_build_id(const Reader& file, const Elf64_Ehdr& header) {
  FLOW_ASSIGN_OR_RETURN(const auto segments,
                        file.read<Elf64_Phdr>(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)));
  for (const auto& segment : segments) {
    if (segment.p_type != PT_NOTE) continue;
    FLOW_ASSIGN_OR_RETURN(const auto notes,
                          file.read<std::byte>(segment.p_offset, segment.p_filesz));
    if (const auto found = build_id_in(notes); !found.empty()) return hexadecimal(found);
  }
  return std::string();
}

}  // namespace

absl::StatusOr<SymbolFile> SymbolFile::open(const std::string& path, std::string_view build_id) {
  FLOW_ASSIGN_OR_RETURN(const Reader file, Reader::open(path));
  FLOW_ASSIGN_OR_RETURN(const Elf64_Ehdr header, read_header(file));
  FLOW_ASSIGN_OR_RETURN(const std::string found, read_build_id(file, header));
  if (!build_id.empty() && found != build_id) {
    return malformed(fmt::format("its build id is {}, not {}: another file has taken its place",
                                 core::in_quotes(found), core::in_quotes(build_id)));
  }
  FLOW_ASSIGN_OR_RETURN(const auto sections,
                        file.read<Elf64_Shdr>(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr)));
  // All functions if the file was not stripped, otherwise those that others may call.
  const auto of_type = [&](std::uint32_t type) {
    return std::find_if(sections.begin(), sections.end(),
                        [type](const auto& section) { return section.sh_type == type; });
  };
  auto table = of_type(SHT_SYMTAB);
  if (table == sections.end()) table = of_type(SHT_DYNSYM);
  if (table == sections.end() || table->sh_link >= sections.size()) {
    return malformed("no symbol table");
  }
  const Elf64_Shdr& strings = sections[table->sh_link];
  FLOW_ASSIGN_OR_RETURN(const auto symbols, file.read<Elf64_Sym>(table->sh_offset, table->sh_size));
  FLOW_ASSIGN_OR_RETURN(const auto names, file.read<char>(strings.sh_offset, strings.sh_size));

  SymbolFile result;
  result.names_.assign(names.begin(), names.end());
  for (const auto& symbol : symbols) {
    const auto type = ELF64_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC) continue;
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= names.size()) continue;
    result.entries_.push_back({symbol.st_value, symbol.st_size, symbol.st_name});
  }
  std::stable_sort(result.entries_.begin(), result.entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
  return result;
}

std::optional<SymbolFile::Function> SymbolFile::function_at(std::uint64_t offset) const {
  const auto next =
      std::upper_bound(entries_.begin(), entries_.end(), offset,
                       [](std::uint64_t at, const Entry& entry) { return at < entry.begin; });
  if (next == entries_.begin()) return std::nullopt;
  const Entry& entry = *std::prev(next);
  const std::uint64_t end = entry.size != 0          ? entry.begin + entry.size
                            : next == entries_.end() ? entry.begin
                                                     : next->begin;
  if (offset >= end) return std::nullopt;
  const std::string_view name = names_.c_str() + entry.name;
  if (name.empty()) return std::nullopt;
  return Function{name, entry.begin};
}

}  // namespace flow::host
