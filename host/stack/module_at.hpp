// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <link.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace flow::host {

// One file that is loaded into this process. The loader's memory: valid while it stays loaded.
struct Module {
  const char* path = "";
  std::uintptr_t begin = 0;  // where it is mapped
  std::uintptr_t end = 0;
  std::uintptr_t base = 0;  // what its symbols' addresses are relative to
  std::span<const std::byte> build_id;
  const link_map* entry = nullptr;  // in the loader's list
};

// Once, from main(): the loader does not say what the program's own file is called.
void remember_program_path();

// The file in which an address lies; false: in none. Takes no lock. Async-signal-safe.
bool module_at(std::uintptr_t address, Module& to);

// The content of the first GNU build-id note; empty if there is none. Async-signal-safe.
std::span<const std::byte> build_id_in(std::span<const std::byte> notes);
// "3fa2..." of it. Not async-signal-safe.
std::string hexadecimal(std::span<const std::byte> bytes);

}  // namespace flow::host
