// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "core/config.hpp"
#include "core/status.hpp"
#include "gtest/gtest.h"

namespace flow::core::testing {

inline constexpr const char* kFile = "/flows/search/flow.toml";

inline std::optional<std::string> test_environment(const std::string& name) {
  if (name == "PORT") return "8080";
  if (name == "WORD") return "word";
  return std::nullopt;
}

inline absl::StatusOr<FlowConfig> parse(const std::string& text) {
  return parse_config(text, kFile, test_environment);
}

// A file that must be right.
inline FlowConfig parsed(const std::string& text) {
  absl::StatusOr<FlowConfig> config = parse(text);
  EXPECT_TRUE(config.ok()) << message(config.status()) << "\nin:\n" << text;
  return config.ok() ? *std::move(config) : FlowConfig{};
}

// What is said about a file that must be wrong, without its name before each line.
inline std::string errors_of(const std::string& text) {
  const absl::StatusOr<FlowConfig> config = parse(text);
  EXPECT_FALSE(config.ok()) << text;
  if (config.ok()) return {};
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  std::string errors(message(config.status()));
  const std::string prefix = std::string(kFile) + ":";
  for (std::size_t at = 0; (at = errors.find(prefix, at)) != std::string::npos;) {
    errors.erase(at, prefix.size());
  }
  return errors;
}

}  // namespace flow::core::testing
