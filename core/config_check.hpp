// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "core/config.hpp"
#include "core/config_reader.hpp"

// What one key alone cannot show: names, ports and processes that clash, and the graph. Private to
// core/config*.cpp.
namespace flow::core {

// An executor as it was read, with the places that ExecutorConfig does not keep.
struct ExecutorDraft {
  ExecutorConfig config;  // `needs` is empty until link_executors()
  Location name_at;       // of the [[executors]] if the name is the default
  Location process_at;
  std::optional<std::vector<PlacedText>> needs;  // nullopt: the executor above; empty: wrong
};

void check_names(const std::vector<ExecutorDraft>& executors, ConfigErrors& errors);
void check_ports(const GatewayConfig& gateway, const std::vector<ExecutorDraft>& executors,
                 ConfigErrors& errors);
void check_processes(const std::vector<ExecutorDraft>& executors, ConfigErrors& errors);

// Fills in every executor's `needs` and checks that they form one chain.
void link_executors(std::vector<ExecutorDraft>& executors, ConfigErrors& errors);

}  // namespace flow::core
