// SPDX-License-Identifier: Apache-2.0
#include <cxxabi.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>

#include "core/limits.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "host/stack/demangle.hpp"
#include "host/stack/module_at.hpp"
#include "host/stack/stack.hpp"
#include "host/stack/symbol_file.hpp"

namespace flow::host {
namespace {

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Reads each file once.
class Symbols {
 public:
  // "flow_fn(int)+0x1c", or empty.
  std::string function(const Frame& frame) {
    const auto [entry, is_new] = files_.try_emplace({frame.module, frame.build_id});
    if (is_new) entry->second = open(frame);
    if (!entry->second) return {};
    const auto function = entry->second->function_at(frame.offset);
    if (!function) return {};
    return fmt::format("{}+{:#x}", demangle(function->name), frame.offset - function->begin);
  }

 private:
  static std::optional<SymbolFile> open(const Frame& frame) {
    // What a distribution strips from its files it offers beside them, found by their build ids.
    if (frame.build_id.size() > 2) {
      auto apart =
          SymbolFile::open(fmt::format("/usr/lib/debug/.build-id/{}/{}.debug",
                                       frame.build_id.substr(0, 2), frame.build_id.substr(2)),
                           frame.build_id);
      if (apart.ok()) return *std::move(apart);
    }
    auto file = SymbolFile::open(frame.module, frame.build_id);
    if (!file.ok()) return std::nullopt;  // the module and the offset say enough
    return *std::move(file);
  }

  std::map<std::pair<std::string, std::string>, std::optional<SymbolFile>> files_;
};

std::string cut(std::string text) {
  if (text.size() > core::limits::kFunctionNameMax) {
    text.resize(core::limits::kFunctionNameMax);
    text += "...";
  }
  return text;
}

}  // namespace

std::string demangle(std::string_view name) {
  // Without the prefix it is C's: there "i" is a function, and to the demangler a type.
  return name.starts_with("_Z") ? demangle_type(name) : cut(std::string(name));
}

std::string demangle_type(std::string_view name) {
  const std::string mangled(name);
  int failure = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &failure), std::free);
  return cut(failure == 0 ? plain.get() : mangled);
}

std::vector<Frame> locate(const RawStack& stack) {
  std::vector<Frame> frames;
  for (std::size_t i = 0; i < stack.count; ++i) {
    Frame& frame = frames.emplace_back();
    frame.address = stack.frames[i];
    Module module;
    if (!module_at(frame.address, module)) continue;
    frame.module = module.path;
    frame.offset = frame.address - module.base;
    frame.build_id = hexadecimal(module.build_id);
  }
  return frames;
}

std::vector<std::string> functions_of(const std::vector<Frame>& frames) {
  Symbols symbols;
  std::vector<std::string> functions;
  for (const Frame& frame : frames) {
    functions.push_back(frame.module.empty() ? std::string() : symbols.function(frame));
  }
  return functions;
}

std::vector<std::string> lines_of(const std::vector<Frame>& frames,
                                  const std::vector<std::string>& functions) {
  std::vector<std::string> lines;
  for (const Frame& frame : frames) {
    const std::string& function = functions[lines.size()];
    std::string line = fmt::format("#{} {:#x}{}{}", lines.size(), frame.address,
                                   function.empty() ? "" : " ", function);
    if (frame.module.empty()) {
      line += " in no module";
    } else {
      line += fmt::format(" in {}+{:#x}", file_name(frame.module), frame.offset);
      if (!frame.build_id.empty()) line += fmt::format(" (build id {})", frame.build_id);
    }
    lines.push_back(core::one_line(line));
  }
  return lines;
}

std::vector<std::string> symbolise(const std::vector<Frame>& frames) {
  return lines_of(frames, functions_of(frames));
}

std::vector<std::string> symbolise(const RawStack& stack) { return symbolise(locate(stack)); }

}  // namespace flow::host
