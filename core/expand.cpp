// SPDX-License-Identifier: Apache-2.0
#include "core/expand.hpp"

#include <algorithm>
#include <utility>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

bool is_variable_name(std::string_view name) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && !is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || is_digit(c); });
}

// `reference` is what stands between the braces.
absl::StatusOr<std::string> value_of(std::string_view reference, const Environment& environment) {
  constexpr std::string_view kOtherwise = ":-";
  const std::size_t otherwise = reference.find(kOtherwise);
  const std::string name(reference.substr(0, otherwise));
  if (!is_variable_name(name)) {
    return error(absl::StatusCode::kInvalidArgument,
                 fmt::format("{} is not the name of an environment variable", in_quotes(name)));
  }

  std::optional<std::string> value = environment(name);
  if (otherwise != std::string_view::npos) {
    if (value && !value->empty()) return *std::move(value);
    return std::string(reference.substr(otherwise + kOtherwise.size()));
  }
  if (!value) {
    return error(absl::StatusCode::kInvalidArgument,
                 fmt::format("the environment variable {0} is not set (set it, or write "
                             "${{{0}:-default}})",
                             name));
  }
  return *std::move(value);
}

}  // namespace

absl::StatusOr<std::string> expand(std::string_view text, const Environment& environment) {
  std::string result;
  for (;;) {
    const std::size_t dollar = text.find('$');
    result += text.substr(0, dollar);
    if (dollar == std::string_view::npos) return result;
    text.remove_prefix(dollar + 1);

    if (text.starts_with('$')) {
      result += '$';
      text.remove_prefix(1);
      continue;
    }
    const std::size_t brace = text.find('}');
    if (!text.starts_with('{') || brace == std::string_view::npos) {
      return error(absl::StatusCode::kInvalidArgument,
                   "a lone dollar: write ${NAME} for an environment variable, $$ for a dollar");
    }
    FLOW_ASSIGN_OR_RETURN(const std::string value,
                          value_of(text.substr(1, brace - 1), environment));
    result += value;
    text.remove_prefix(brace + 1);
  }
}

}  // namespace flow::core
