// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/serve_command.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/net_address.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::host {
namespace {

// Collects complaints, so that all of them are shown at once.
class Reader {
 public:
  explicit Reader(const core::FlowConfig& config) : config_(config) {
    for (const core::ExecutorConfig& executor : config.executors) names_.push_back(executor.name);
  }

  std::optional<ServeSpec> read_executor(const std::string& name, std::uint32_t replica) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) {
      complain("--executor {}: {} has no executor of this name{}", name, config_.file,
               core::suggestion(name, names_));
      return std::nullopt;
    }
    const core::ExecutorConfig& executor =
        config_.executors[static_cast<std::size_t>(found - names_.begin())];
    if (replica >= executor.replicas) {
      complain("--replica {}: executor \"{}\" has {}, counted from 0", replica, name,
               executor.replicas);
      return std::nullopt;
    }
    const std::uint32_t port = executor.port == 0 ? 0 : executor.port + replica;
    if (port > std::numeric_limits<std::uint16_t>::max()) {
      complain("--replica {}: port {} of executor \"{}\" plus {} is beyond 65535", replica,
               executor.port, name, replica);
      return std::nullopt;
    }
    const std::string address =
        core::format_address({executor.host, static_cast<std::uint16_t>(port), {}});
    return ServeSpec{name, replica, address, {}};
  }

  void read_listen(const std::string& text, std::vector<ServeSpec>& specs) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      complain("--listen {}: expected NAME=HOST:PORT or NAME=unix:PATH", text);
      return;
    }
    const std::string name = text.substr(0, equals);
    const auto spec = std::find_if(specs.begin(), specs.end(),
                                   [&](const ServeSpec& each) { return each.executor == name; });
    const auto address = core::parse_address(std::string_view(text).substr(equals + 1));
    if (spec == specs.end()) {
      complain("--listen {}: \"{}\" is not among the --executor", text, name);
    } else if (!address.ok()) {
      complain("--listen {}: {}", text, core::message(address.status()));
    } else if (address->is_unix()) {
      spec->unix_path = address->unix_path;
    } else {
      spec->tcp_address = core::format_address(*address);
    }
  }

  template <typename... Values>
  void complain(fmt::format_string<Values...> text, Values&&... values) {
    complaints_.push_back(fmt::format(text, std::forward<Values>(values)...));
  }
  absl::Status status() const {
    if (complaints_.empty()) return absl::OkStatus();
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("{}", fmt::join(complaints_, "\n")));
  }

 private:
  const core::FlowConfig& config_;
  std::vector<std::string> names_;
  std::vector<std::string> complaints_;
};

}  // namespace

absl::StatusOr<std::vector<ServeSpec>> serve_specs(const core::FlowConfig& config,
                                                   const std::vector<std::string>& executors,
                                                   std::uint32_t replica,
                                                   const std::vector<std::string>& listens) {
  Reader reader(config);
  std::vector<ServeSpec> specs;
  for (const std::string& name : executors) {
    const bool twice = std::any_of(specs.begin(), specs.end(),
                                   [&](const ServeSpec& each) { return each.executor == name; });
    if (twice) {
      reader.complain("--executor {}: given twice", name);
    } else if (auto spec = reader.read_executor(name, replica)) {
      specs.push_back(*std::move(spec));
    }
  }
  // A wrong --executor would make each of its --listen look wrong too.
  FLOW_RETURN_IF_ERROR(reader.status());
  for (const std::string& listen : listens) reader.read_listen(listen, specs);
  FLOW_RETURN_IF_ERROR(reader.status());
  return specs;
}

}  // namespace flow::host
