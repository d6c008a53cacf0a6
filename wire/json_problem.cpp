// SPDX-License-Identifier: Apache-2.0
#include "wire/json_problem.hpp"

#include "core/limits.hpp"
#include "fmt/format.h"
#include "wire/json_text.hpp"

namespace flow::wire {
namespace {

void append_location(std::string& out, const JsonProblem& problem) {
  out += R"(["body")";
  if (problem.is_syntax_error()) {
    out += ',';
    append_json_integer(out, problem.offset);
  }
  for (const auto& step : problem.where) {
    out += ',';
    if (const auto* index = std::get_if<std::size_t>(&step)) {
      append_json_integer(out, *index);
    } else {
      append_json_string(out, std::get<std::string>(step));
    }
  }
  out += ']';
}

void append_context(std::string& out, const JsonProblem& problem, std::string_view json) {
  out += R"(,"ctx":{"msg":)";
  append_json_string(out, problem.message);
  if (json.size() <= core::limits::kEchoedJsonMax) {
    append_json_key(out, "doc");
    append_json_string(out, json);
  }
  append_json_key(out, "pos");
  append_json_integer(out, problem.offset);
  append_json_key(out, "lineno");
  append_json_integer(out, problem.line);
  append_json_key(out, "colno");
  append_json_integer(out, problem.column);
  out += '}';
}

}  // namespace

std::string describe(const JsonProblem& problem) {
  std::string path;
  for (const auto& step : problem.where) {
    if (const auto* index = std::get_if<std::size_t>(&step)) {
      path += fmt::format("[{}]", *index);
    } else {
      if (!path.empty()) path += '.';
      path += std::get<std::string>(step);
    }
  }
  return fmt::format("{}{}{} (line {}, column {})", path, path.empty() ? "" : ": ", problem.message,
                     problem.line, problem.column);
}

std::string problem_body(const JsonProblem& problem, std::string_view json) {
  std::string body = R"({"detail":[{"loc":)";
  append_location(body, problem);
  append_json_key(body, "msg");
  if (problem.is_syntax_error()) {
    append_json_string(body, fmt::format("{}: line {} column {} (char {})", problem.message,
                                         problem.line, problem.column, problem.offset));
  } else {
    append_json_string(body, problem.message);
  }
  append_json_key(body, "type");
  append_json_string(body, problem.type);
  if (problem.is_syntax_error()) append_context(body, problem, json);
  body += "}]}";
  return body;
}

}  // namespace flow::wire
