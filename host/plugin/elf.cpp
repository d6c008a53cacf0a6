// SPDX-License-Identifier: Apache-2.0
#include "host/plugin/elf.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "flow/plugin.h"
#include "fmt/format.h"

namespace flow::host {
namespace {

using Bytes = std::span<const std::byte>;

// A name longer than this in a string table is not a name.
constexpr std::size_t kNameBytesMax = 4096;
// A plugin exports one symbol; a message about more of them shows this many.
constexpr std::size_t kExportedNamesMax = 8;
constexpr std::size_t kNeededMax = 1024;

absl::Status malformed(std::string_view what, std::uint64_t offset) {
  return core::error(absl::StatusCode::kInvalidArgument,
                     fmt::format("{} at offset {:#x}", what, offset));
}

absl::StatusOr<Bytes> slice(Bytes bytes, std::uint64_t offset, std::uint64_t size,
                            std::string_view what) {
  if (offset > bytes.size() || size > bytes.size() - offset) {
    return malformed(fmt::format("{} of {} bytes does not fit into the {} bytes there are", what,
                                 size, bytes.size()),
                     offset);
  }
  return bytes.subspan(offset, size);
}

template <typename T>
absl::StatusOr<T> read(Bytes bytes, std::uint64_t offset, std::string_view what) {
  FLOW_ASSIGN_OR_RETURN(const Bytes source, slice(bytes, offset, sizeof(T), what));
  T value;
  std::memcpy(&value, source.data(), sizeof(T));
  return value;
}

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The NUL-terminated name at an index of a string table.
absl::StatusOr<std::string_view> name_at(Bytes table, std::uint64_t index, std::string_view what) {
  if (index >= table.size()) {
    return malformed(
        fmt::format("{} lies outside its string table of {} bytes", what, table.size()), index);
  }
  const auto text = as_text(table).substr(index, kNameBytesMax);
  const auto end = text.find('\0');
  if (end == text.npos) return malformed(fmt::format("{} does not end", what), index);
  return text.substr(0, end);
}

struct Note {
  std::string_view owner;
  std::uint32_t type = 0;
  Bytes description;
};

// The first note in `bytes` that `wanted` accepts.
template <typename Predicate>
absl::StatusOr<std::optional<Note>> find_note(Bytes bytes, Predicate wanted) {
  const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
  std::uint64_t offset = 0;
  while (offset < bytes.size()) {
    FLOW_ASSIGN_OR_RETURN(const auto header, read<Elf64_Nhdr>(bytes, offset, "note header"));
    offset += sizeof header;
    FLOW_ASSIGN_OR_RETURN(const Bytes name, slice(bytes, offset, header.n_namesz, "note name"));
    offset += padded(header.n_namesz);
    FLOW_ASSIGN_OR_RETURN(const Bytes content,
                          slice(bytes, offset, header.n_descsz, "note content"));
    offset += padded(header.n_descsz);
    auto owner = as_text(name);
    owner = owner.substr(0, owner.find('\0'));
    if (const Note note{owner, header.n_type, content}; wanted(note)) return note;
  }
  return std::nullopt;
}

bool is_flow_note(const Note& note) {
  return note.owner == FLOW_NOTE_NAME && note.type == FLOW_NOTE_TYPE;
}
bool is_build_id(const Note& note) {
  return note.owner == ELF_NOTE_GNU && note.type == NT_GNU_BUILD_ID;
}

// The file with its header and tables found; everything they say is still unchecked.
struct Image {
  Bytes file;
  Elf64_Ehdr header{};
  std::vector<Elf64_Shdr> sections;
  std::vector<Elf64_Phdr> segments;
};

absl::Status check_header(const Elf64_Ehdr& header) {
  if (header.e_ident[EI_CLASS] != ELFCLASS64) {
    return malformed("not a 64-bit object", EI_CLASS);
  }
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return malformed("not a little-endian object", EI_DATA);
  }
  if (header.e_type != ET_DYN) {
    return malformed(fmt::format("not a shared object (ELF type {})", header.e_type),
                     offsetof(Elf64_Ehdr, e_type));
  }
  if (header.e_machine != EM_X86_64 && header.e_machine != EM_AARCH64) {
    return malformed(
        fmt::format("built for machine {}, neither x86-64 nor aarch64", header.e_machine),
        offsetof(Elf64_Ehdr, e_machine));
  }
  return absl::OkStatus();
}

template <typename Entry>
absl::StatusOr<std::vector<Entry>> read_table(Bytes file, std::uint64_t offset, std::size_t count,
                                              std::size_t entry_size, std::string_view what) {
  if (count == 0 || offset == 0) return std::vector<Entry>{};
  if (entry_size != sizeof(Entry)) {
    return malformed(
        fmt::format("{} with entries of {} bytes, not {}", what, entry_size, sizeof(Entry)),
        offset);
  }
  if (count > core::limits::kElfSectionsMax) {
    return malformed(fmt::format("{} with {} entries", what, count), offset);
  }
  FLOW_ASSIGN_OR_RETURN(const Bytes source, slice(file, offset, count * sizeof(Entry), what));
  std::vector<Entry> entries(count);
  std::memcpy(entries.data(), source.data(), source.size());
  return entries;
}

absl::StatusOr<Image> open_image(Bytes file) {
  if (file.size() < SELFMAG || as_text(file).substr(0, SELFMAG) != ELFMAG) {
    return malformed("not an ELF file: no magic number", 0);
  }
  Image image{file, {}, {}, {}};
  FLOW_ASSIGN_OR_RETURN(image.header, read<Elf64_Ehdr>(file, 0, "ELF header"));
  FLOW_RETURN_IF_ERROR(check_header(image.header));
  FLOW_ASSIGN_OR_RETURN(image.sections,
                        read_table<Elf64_Shdr>(file, image.header.e_shoff, image.header.e_shnum,
                                               image.header.e_shentsize, "section table"));
  FLOW_ASSIGN_OR_RETURN(image.segments,
                        read_table<Elf64_Phdr>(file, image.header.e_phoff, image.header.e_phnum,
                                               image.header.e_phentsize, "program header table"));
  return image;
}

absl::StatusOr<Bytes> content(const Image& image, const Elf64_Shdr& section,
                              std::string_view what) {
  if (section.sh_type == SHT_NOBITS) return Bytes{};
  return slice(image.file, section.sh_offset, section.sh_size, what);
}

// The string table that a section's sh_link names.
absl::StatusOr<Bytes> linked_strings(const Image& image, const Elf64_Shdr& section,
                                     std::string_view what) {
  if (section.sh_link >= image.sections.size()) {
    return malformed(fmt::format("{} names section {} of {} as its string table", what,
                                 section.sh_link, image.sections.size()),
                     section.sh_offset);
  }
  return content(image, image.sections[section.sh_link], "string table");
}

absl::StatusOr<const Elf64_Shdr*> section_named(const Image& image, std::string_view wanted) {
  if (image.header.e_shstrndx >= image.sections.size()) return nullptr;
  FLOW_ASSIGN_OR_RETURN(const Bytes names, content(image, image.sections[image.header.e_shstrndx],
                                                   "table of section names"));
  for (const auto& section : image.sections) {
    FLOW_ASSIGN_OR_RETURN(const auto name, name_at(names, section.sh_name, "section name"));
    if (name == wanted) return &section;
  }
  return nullptr;
}

// By the section's name first: tools that move sections about (patchelf) have been seen to leave
// notes outside of PT_NOTE. By segment for files without a section table.
template <typename Predicate>
absl::StatusOr<std::optional<Note>> find_note(const Image& image, std::string_view section_name,
                                              Predicate wanted) {
  FLOW_ASSIGN_OR_RETURN(const Elf64_Shdr* section, section_named(image, section_name));
  if (section != nullptr) {
    FLOW_ASSIGN_OR_RETURN(const Bytes notes, content(image, *section, section_name));
    FLOW_ASSIGN_OR_RETURN(auto note, find_note(notes, wanted));
    if (note) return note;
  }
  for (const auto& segment : image.segments) {
    if (segment.p_type != PT_NOTE) continue;
    FLOW_ASSIGN_OR_RETURN(const Bytes notes,
                          slice(image.file, segment.p_offset, segment.p_filesz, "note segment"));
    FLOW_ASSIGN_OR_RETURN(auto note, find_note(notes, wanted));
    if (note) return note;
  }
  return std::nullopt;
}

absl::Status read_notes(const Image& image, ElfFacts& facts) {
  FLOW_ASSIGN_OR_RETURN(const auto flow, find_note(image, FLOW_NOTE_SECTION, is_flow_note));
  if (flow) {
    if (flow->description.size() > core::limits::kMetadataBytesMax) {
      return core::error(absl::StatusCode::kInvalidArgument,
                         fmt::format("the flow note has {} bytes, at most {} are read",
                                     flow->description.size(), core::limits::kMetadataBytesMax));
    }
    facts.note = std::string(as_text(flow->description));
  }
  FLOW_ASSIGN_OR_RETURN(const auto build, find_note(image, ".note.gnu.build-id", is_build_id));
  if (build) {
    for (const auto byte :
         build->description.first(std::min<std::size_t>(build->description.size(), 64))) {
      fmt::format_to(std::back_inserter(facts.build_id), "{:02x}", static_cast<unsigned>(byte));
    }
  }
  return absl::OkStatus();
}

absl::Status read_dynamic(const Image& image, const Elf64_Shdr& section, ElfFacts& facts) {
  FLOW_ASSIGN_OR_RETURN(const Bytes entries, content(image, section, "dynamic section"));
  FLOW_ASSIGN_OR_RETURN(const Bytes names, linked_strings(image, section, "dynamic section"));
  for (std::uint64_t offset = 0; offset + sizeof(Elf64_Dyn) <= entries.size();
       offset += sizeof(Elf64_Dyn)) {
    FLOW_ASSIGN_OR_RETURN(const auto entry, read<Elf64_Dyn>(entries, offset, "dynamic entry"));
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_SONAME) continue;
    FLOW_ASSIGN_OR_RETURN(const auto name, name_at(names, entry.d_un.d_val, "library name"));
    if (entry.d_tag == DT_SONAME) {
      facts.soname = std::string(name);
    } else if (facts.needed.size() < kNeededMax) {
      facts.needed.emplace_back(name);
    } else {
      return malformed(fmt::format("more than {} needed libraries", kNeededMax), offset);
    }
  }
  return absl::OkStatus();
}

// What other objects could bind to. SHN_ABS leaves out the names of symbol versions.
bool is_exported(const Elf64_Sym& symbol) {
  const auto binding = ELF64_ST_BIND(symbol.st_info);
  const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS &&
         (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

absl::Status read_symbols(const Image& image, const Elf64_Shdr& section, ElfFacts& facts) {
  FLOW_ASSIGN_OR_RETURN(const Bytes symbols, content(image, section, "dynamic symbol table"));
  FLOW_ASSIGN_OR_RETURN(const Bytes names, linked_strings(image, section, "dynamic symbol table"));
  for (std::uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= symbols.size();
       offset += sizeof(Elf64_Sym)) {
    FLOW_ASSIGN_OR_RETURN(const auto symbol, read<Elf64_Sym>(symbols, offset, "symbol"));
    if (!is_exported(symbol)) continue;
    ++facts.exported_count;
    if (facts.exported.size() == kExportedNamesMax) continue;
    FLOW_ASSIGN_OR_RETURN(const auto name, name_at(names, symbol.st_name, "symbol name"));
    facts.exported.emplace_back(name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ElfFacts> read_elf(Bytes file) {
  FLOW_ASSIGN_OR_RETURN(const Image image, open_image(file));
  ElfFacts facts;
  facts.machine = image.header.e_machine;
  FLOW_RETURN_IF_ERROR(read_notes(image, facts));
  const auto first_of = [&](std::uint32_t type) {
    return std::find_if(image.sections.begin(), image.sections.end(),
                        [type](const auto& section) { return section.sh_type == type; });
  };
  const auto dynamic = first_of(SHT_DYNAMIC);
  const auto symbols = first_of(SHT_DYNSYM);
  if (dynamic == image.sections.end() || symbols == image.sections.end()) {
    return malformed("no dynamic symbol table: not a shared library, or its sections are stripped",
                     image.header.e_shoff);
  }
  FLOW_RETURN_IF_ERROR(read_dynamic(image, *dynamic, facts));
  FLOW_RETURN_IF_ERROR(read_symbols(image, *symbols, facts));
  return facts;
}

}  // namespace flow::host
