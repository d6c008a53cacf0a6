// SPDX-License-Identifier: Apache-2.0
#include "core/plot.hpp"

#include <map>
#include <set>
#include <string_view>

#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

// Between quotes, Mermaid takes everything literally but quotes, entities and its Markdown.
std::string label(std::string_view text) {
  std::string escaped;
  for (const char c : one_line(text)) {
    if (std::string_view("\"#&;<>`").find(c) == std::string_view::npos) {
      escaped += c;
    } else {
      escaped += fmt::format("#{};", static_cast<int>(c));
    }
  }
  return escaped;
}

std::string node_text(const ExecutorConfig& executor) {
  const std::string_view uses = executor.uses;
  std::string text =
      fmt::format("{}<br/>{}", label(executor.name), label(uses.substr(uses.rfind('/') + 1)));
  if (executor.replicas > 1) text += fmt::format(" ×{}", executor.replicas);
  return text;
}

}  // namespace

std::string plot_mermaid(const FlowConfig& config) {
  std::string plot = "flowchart LR\n    start([gateway])\n    finish([gateway])\n";
  // Names may be words of Mermaid's; numbers are not.
  std::map<std::string_view, std::string> ids;
  std::set<std::string_view> needed;
  for (const ExecutorConfig& executor : config.executors) {
    const std::string id = fmt::format("e{}", ids.size());
    plot += fmt::format("    {}[\"{}\"]\n", id, node_text(executor));
    ids.emplace(executor.name, id);
    needed.insert(executor.needs.begin(), executor.needs.end());
  }
  for (const ExecutorConfig& executor : config.executors) {
    const std::string& id = ids[executor.name];
    if (executor.needs.empty()) plot += fmt::format("    start --> {}\n", id);
    for (const std::string& need : executor.needs) {
      plot += fmt::format("    {} --> {}\n", ids[need], id);
    }
    if (!needed.contains(executor.name)) plot += fmt::format("    {} --> finish\n", id);
  }
  return plot;
}

}  // namespace flow::core
