// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace flow::wire {

// FastAPI's word for a text that is no JSON at all.
constexpr std::string_view kJsonSyntaxError = "value_error.jsondecode";

// Why a JSON text was refused, and where in it.
struct JsonProblem {
  // Characters (code points), lines and columns, all counted as Python's json module counts them.
  std::size_t offset = 0;
  std::size_t line = 1;
  std::size_t column = 1;
  std::string message;    // "Expecting value"; "expected a string, found a number"
  std::string_view type;  // FastAPI's word for it, a literal: "type_error.str"
  // The way to the value: "data", 0, "text". Empty if it is the whole, or if the text is no JSON.
  std::vector<std::variant<std::string, std::size_t>> where;

  bool is_syntax_error() const { return type == kJsonSyntaxError; }
};

// For logs, consoles and WebSocket close frames: "data[0].text: expected a string, found a number
// (line 1, column 18)".
std::string describe(const JsonProblem& problem);

// The body of an HTTP answer with status 422, in the form of FastAPI's. A short `json`, the text
// that was refused, is repeated in it.
std::string problem_body(const JsonProblem& problem, std::string_view json);

}  // namespace flow::wire
