// SPDX-License-Identifier: Apache-2.0
#include "flowctl/convert/variables.hpp"

#include <algorithm>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::ctl {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

std::size_t name_length(std::string_view text) {
  if (text.empty() || !is_name_start(text[0])) return 0;
  std::size_t length = 1;
  while (length < text.size() && is_name_part(text[length])) ++length;
  return length;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// What stands between `${{` and `}}`.
absl::StatusOr<std::string> convert_expression(std::string_view expression) {
  constexpr std::string_view kEnvironment = "ENV.";
  const std::string_view inside = trimmed(expression);
  if (inside.starts_with(kEnvironment)) {
    const std::string_view name = inside.substr(kEnvironment.size());
    if (name_length(name) == name.size() && !name.empty()) return fmt::format("${{{}}}", name);
  }
  return core::error(absl::StatusCode::kInvalidArgument,
                     fmt::format("the variable {} has no counterpart, only those of the "
                                 "environment have (${{{{ ENV.NAME }}}})",
                                 core::in_quotes(fmt::format("${{{{{}}}}}", expression))));
}

}  // namespace

absl::StatusOr<std::string> convert_variables(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('$'), text.size());
    result += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;

    if (text.starts_with("${{")) {
      const std::size_t end = text.find("}}");
      if (end != text.npos) {
        FLOW_ASSIGN_OR_RETURN(const std::string variable,
                              convert_expression(text.substr(3, end - 3)));
        result += variable;
        text.remove_prefix(end + 2);
        continue;
      }
    }
    const bool braced = text.starts_with("${");
    const std::size_t skip = braced ? 2 : 1;
    const std::size_t length = name_length(text.substr(skip));
    const bool closed = !braced || text.substr(skip + length).starts_with('}');
    if (length > 0 && closed) {
      result += fmt::format("${{{}}}", text.substr(skip, length));
      text.remove_prefix(skip + length + (braced ? 1 : 0));
    } else {
      result += "$$";
      text.remove_prefix(1);
    }
  }
  return result;
}

}  // namespace flow::ctl
