// SPDX-License-Identifier: Apache-2.0
#include "core/config_check.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include "core/limits.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

constexpr std::string_view kGateway = "gateway";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

void check_name(std::string_view what, std::string_view name, Location at, ConfigErrors& errors) {
  const auto allowed = [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '.' || c == '-';
  };
  if (!std::all_of(name.begin(), name.end(), allowed)) {
    errors.add(at, fmt::format("the {} {} has other characters than letters, digits, '_', '.' "
                               "and '-'",
                               what, in_quotes(name)));
  } else if (name.front() == '.' || name.front() == '-') {
    // They would read as a hidden file or as an option.
    errors.add(at, fmt::format("the {} {} does not start with a letter, a digit or '_'", what,
                               in_quotes(name)));
  } else if (name.size() > limits::kNameBytesMax) {
    errors.add(at, fmt::format("the {} {} has {} characters, at most {} are allowed", what,
                               in_quotes(name), name.size(), limits::kNameBytesMax));
  }
}

// The ports of an executor's replicas, or the gateway's one.
struct PortRange {
  std::string owner;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  Location at;

  std::string text() const {
    return first == last ? fmt::format("port {}", first)
                         : fmt::format("ports {} to {}", first, last);
  }
};

}  // namespace

void check_names(const std::vector<ExecutorDraft>& executors, ConfigErrors& errors) {
  std::map<std::string_view, Location> seen;
  for (const ExecutorDraft& executor : executors) {
    const std::string& name = executor.config.name;
    check_name("name", name, executor.name_at, errors);
    if (!executor.config.process.empty()) {
      check_name("process", executor.config.process, executor.process_at, errors);
    }
    if (name == kGateway) {
      errors.add(executor.name_at, "the name \"gateway\" is reserved for the gateway itself");
    }
    const auto [other, is_new] = seen.emplace(name, executor.name_at);
    if (!is_new) {
      errors.add(executor.name_at, fmt::format("the name {} is taken by the executor of line {}",
                                               in_quotes(name), other->second.line));
    }
  }
}

void check_ports(const GatewayConfig& gateway, const std::vector<ExecutorDraft>& executors,
                 ConfigErrors& errors) {
  constexpr std::uint32_t kPortMax = 65535;
  std::vector<PortRange> taken;
  if (gateway.port != 0) {
    taken.push_back({"the gateway", gateway.port, gateway.port, gateway.port_at});
  }

  for (const ExecutorDraft& executor : executors) {
    const ExecutorConfig& config = executor.config;
    if (config.port == 0) continue;
    const PortRange range{fmt::format("executor {}", in_quotes(config.name)), config.port,
                          config.port + config.replicas - 1, config.port_at};
    if (range.last > kPortMax) {
      errors.add(config.port_at,
                 fmt::format("port is {}, and {} replicas need as many ports from there on, but "
                             "the last port is {}",
                             config.port, config.replicas, kPortMax));
      continue;
    }
    for (const PortRange& other : taken) {
      if (range.first > other.last || other.first > range.last) continue;
      const std::string where =
          other.at.line == 0 ? std::string("by default") : fmt::format("line {}", other.at.line);
      errors.add(config.port_at, fmt::format("{} asks for {}, but {} ({}) has {}", range.owner,
                                             range.text(), other.owner, where, other.text()));
    }
    taken.push_back(range);
  }
}

void check_processes(const std::vector<ExecutorDraft>& executors, ConfigErrors& errors) {
  std::map<std::string_view, const ExecutorDraft*> first_of;
  for (const ExecutorDraft& executor : executors) {
    const std::string& process = executor.config.process;
    if (process.empty()) continue;
    const ExecutorDraft& first = *first_of.emplace(process, &executor).first->second;
    const auto refuse = [&](std::string_view what) {
      errors.add(executor.process_at,
                 fmt::format("executors of one process must have equal {}, but those of {} and {} "
                             "(line {}), which share the process {}, differ",
                             what, in_quotes(executor.config.name), in_quotes(first.config.name),
                             first.config.at.line, in_quotes(process)));
    };
    if (executor.config.replicas != first.config.replicas) refuse("replicas");
    if (executor.config.env != first.config.env) refuse("env");
    if (executor.config.limits != first.config.limits) refuse("memory, files and cpus");
  }
}

namespace {

// Which executor each one needs, by index; kGatewayIndex, or kUnknown after a mistake.
constexpr std::size_t kGatewayIndex = static_cast<std::size_t>(-1);
constexpr std::size_t kUnknown = static_cast<std::size_t>(-2);

Location needs_place(const ExecutorDraft& executor) {
  return executor.needs && !executor.needs->empty() ? executor.needs->front().at
                                                    : executor.config.at;
}

std::string name_of(const std::vector<ExecutorDraft>& executors, std::size_t index) {
  return in_quotes(index == kGatewayIndex ? kGateway : executors[index].config.name);
}

std::size_t find_needed(const std::vector<ExecutorDraft>& executors, std::size_t index,
                        ConfigErrors& errors) {
  const ExecutorDraft& executor = executors[index];
  if (!executor.needs) return index == 0 ? kGatewayIndex : index - 1;

  std::vector<std::string> names = {std::string(kGateway)};
  for (const ExecutorDraft& other : executors) names.push_back(other.config.name);

  std::vector<std::size_t> found;
  for (const PlacedText& need : *executor.needs) {
    const auto name = std::find(names.begin(), names.end(), need.text);
    if (name == names.end()) {
      errors.add(need.at, fmt::format("executor {} needs {}, but there is no such executor{}",
                                      in_quotes(executor.config.name), in_quotes(need.text),
                                      suggestion(need.text, names)));
      return kUnknown;
    }
    found.push_back(name == names.begin() ? kGatewayIndex
                                          : static_cast<std::size_t>(name - names.begin()) - 1);
  }
  if (found.size() > 1) {
    errors.add(
        (*executor.needs)[1].at,
        fmt::format("executor {} needs {} and {}: branches are not supported by this version "
                    "yet",
                    in_quotes(executor.config.name), name_of(executors, found[0]),
                    name_of(executors, found[1])));
    return kUnknown;
  }
  return found.empty() ? kUnknown : found.front();
}

void check_branches(const std::vector<ExecutorDraft>& executors,
                    const std::vector<std::size_t>& needed, ConfigErrors& errors) {
  std::map<std::size_t, std::size_t> first_user;
  for (std::size_t i = 0; i < executors.size(); ++i) {
    if (needed[i] == kUnknown) continue;
    const auto [first, is_new] = first_user.emplace(needed[i], i);
    if (is_new) continue;
    errors.add(
        needs_place(executors[i]),
        fmt::format("both {} (line {}) and {} need {}: branches are not supported by this "
                    "version yet",
                    name_of(executors, first->second), executors[first->second].config.at.line,
                    name_of(executors, i), name_of(executors, needed[i])));
  }
}

void check_cycles(const std::vector<ExecutorDraft>& executors,
                  const std::vector<std::size_t>& needed, ConfigErrors& errors) {
  std::vector<bool> visited(executors.size(), false);
  for (std::size_t start = 0; start < executors.size(); ++start) {
    std::vector<std::size_t> path;
    std::size_t i = start;
    while (i < executors.size() && !visited[i]) {
      visited[i] = true;
      path.push_back(i);
      i = needed[i];
    }
    const auto loop = std::find(path.begin(), path.end(), i);
    if (loop == path.end()) continue;  // ended at the gateway, or at what an earlier path has seen

    std::string circle;
    for (auto member = loop; member != path.end(); ++member) {
      circle += fmt::format("{} needs ", name_of(executors, *member));
    }
    errors.add(needs_place(executors[*loop]),
               fmt::format("executors need each other in a circle: {}{}", circle,
                           name_of(executors, *loop)));
  }
}

}  // namespace

void link_executors(std::vector<ExecutorDraft>& executors, ConfigErrors& errors) {
  std::vector<std::size_t> needed;
  for (std::size_t i = 0; i < executors.size(); ++i) {
    needed.push_back(find_needed(executors, i, errors));
  }
  // With one need each, nobody needed twice and no circle, what is left is one chain.
  check_branches(executors, needed, errors);
  check_cycles(executors, needed, errors);

  for (std::size_t i = 0; i < executors.size(); ++i) {
    if (needed[i] < executors.size()) {
      executors[i].config.needs = {executors[needed[i]].config.name};
    }
  }
}

}  // namespace flow::core
