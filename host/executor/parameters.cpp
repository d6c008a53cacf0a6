// SPDX-License-Identifier: Apache-2.0
#include "host/executor/parameters.hpp"

#include <string>

namespace flow::host {
namespace {

constexpr std::string_view kSeparator = "__";

// Where the separator of "name__key" begins; npos for other keys, such as "__results__".
std::size_t separator(std::string_view key) {
  if (key.starts_with(kSeparator) || key.ends_with(kSeparator)) return std::string_view::npos;
  return key.rfind(kSeparator);
}

}  // namespace

std::optional<google::protobuf::Struct> parameters_for(std::string_view executor,
                                                       const google::protobuf::Struct& all) {
  const auto own = all.fields().find(std::string(executor));
  const bool has_own = own != all.fields().end() && own->second.has_struct_value();
  bool plain = !has_own;
  for (const auto& [key, value] : all.fields()) {
    plain = plain && separator(key) == std::string_view::npos;
  }
  if (plain) return std::nullopt;

  google::protobuf::Struct scoped;
  auto& fields = *scoped.mutable_fields();
  for (const auto& [key, value] : all.fields()) {
    if (separator(key) == std::string_view::npos) fields[key] = value;
  }
  for (const auto& [key, value] : all.fields()) {
    const std::size_t at = separator(key);
    if (at == std::string_view::npos || std::string_view(key).substr(0, at) != executor) continue;
    fields[key.substr(at + kSeparator.size())] = value;
  }
  if (has_own) {
    for (const auto& [key, value] : own->second.struct_value().fields()) fields[key] = value;
  }
  return scoped;
}

}  // namespace flow::host
