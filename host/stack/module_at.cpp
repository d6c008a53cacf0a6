// SPDX-License-Identifier: Apache-2.0
#include "host/stack/module_at.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <linux/limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "fmt/format.h"
#include "host/stack/machine_context.hpp"

namespace flow::host {
namespace {

// Process-wide because signal handlers have nobody to ask for it.
constinit std::array<char, PATH_MAX> program_path{};

std::span<const std::byte> memory(std::uintptr_t begin, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(begin), size};
}

// From the headers that the loader has mapped along with the code.
std::span<const std::byte> mapped_build_id(const Module& module) {
  const auto fits = [&](std::uintptr_t begin, std::size_t size) {
    return begin >= module.begin && begin <= module.end && size <= module.end - begin;
  };
  Elf64_Ehdr header;
  if (!fits(module.begin, sizeof header) || !is_readable(module.begin)) return {};
  std::memcpy(&header, memory(module.begin, sizeof header).data(), sizeof header);
  const bool is_elf = std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
  if (!is_elf || header.e_phentsize != sizeof(Elf64_Phdr)) return {};
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const std::uintptr_t at = module.begin + header.e_phoff + i * sizeof segment;
    if (!fits(at, sizeof segment) || !is_readable(at)) return {};
    std::memcpy(&segment, memory(at, sizeof segment).data(), sizeof segment);
    if (segment.p_type != PT_NOTE) continue;
    const std::uintptr_t notes = module.base + segment.p_vaddr;
    if (!fits(notes, segment.p_memsz) || !is_readable(notes)) continue;
    const auto found = build_id_in(memory(notes, segment.p_memsz));
    if (!found.empty()) return found;
  }
  return {};
}

}  // namespace

void remember_program_path() {
  const ssize_t size = ::readlink("/proc/self/exe", program_path.data(), program_path.size() - 1);
  program_path[size > 0 ? static_cast<std::size_t>(size) : 0] = '\0';
}

bool module_at(std::uintptr_t address, Module& to) {
  dl_find_object found;
  // Not dl_iterate_phdr: it takes the loader's lock, which the interrupted thread may hold.
  if (::_dl_find_object(reinterpret_cast<void*>(address), &found) != 0) return false;
  to = {};
  to.entry = found.dlfo_link_map;
  to.path = to.entry->l_name;
  if (to.path == nullptr || *to.path == '\0') to.path = program_path.data();
  to.begin = reinterpret_cast<std::uintptr_t>(found.dlfo_map_start);
  to.end = reinterpret_cast<std::uintptr_t>(found.dlfo_map_end);
  to.base = to.entry->l_addr;
  to.build_id = mapped_build_id(to);
  return true;
}

std::span<const std::byte> build_id_in(std::span<const std::byte> notes) {
  const auto padded = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
  constexpr std::string_view kOwner{ELF_NOTE_GNU, sizeof ELF_NOTE_GNU};  // with its NUL
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header;
    std::memcpy(&header, notes.data(), sizeof header);
    notes = notes.subspan(sizeof header);
    const std::size_t name = padded(header.n_namesz);
    if (name > notes.size() || header.n_descsz > notes.size() - name) return {};
    const auto content = notes.subspan(name, header.n_descsz);
    const bool wanted = header.n_type == NT_GNU_BUILD_ID && header.n_namesz == kOwner.size() &&
                        std::memcmp(notes.data(), kOwner.data(), kOwner.size()) == 0;
    if (wanted) return content;
    notes = notes.subspan(std::min(name + padded(header.n_descsz), notes.size()));
  }
  return {};
}

std::string hexadecimal(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

}  // namespace flow::host
