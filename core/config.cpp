// SPDX-License-Identifier: Apache-2.0
#include "core/config.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "core/config_check.hpp"
#include "core/config_reader.hpp"
#include "core/file.hpp"
#include "core/limits.hpp"
#include "core/log_line.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPortMax = 65535;
constexpr std::int64_t kCountMax = std::numeric_limits<std::uint32_t>::max();

// A file being read: what its sections share.
struct Source {
  fs::path folder;  // absolute
  const Environment& environment;
  ConfigErrors& errors;

  std::string absolute(const std::string& path) const {
    return (folder / path).lexically_normal().string();
  }
  TableReader reader(const toml::table& table, std::string label) const {
    return {table, std::move(label), environment, errors};
  }
};

TlsConfig read_tls(const Source& source, const toml::table& table) {
  TableReader tls = source.reader(table, "tls");
  TlsConfig to;
  const auto file = [&](std::string_view key, std::string& path) {
    const Location at = tls.text(key, path);
    if (at.line != 0) path = source.absolute(path);
    return at;
  };
  const auto needed = [&](std::string_view key, std::string_view what) {
    if (table.contains(key)) return;
    source.errors.add(begin_of(table.source()),
                      fmt::format("tls has no `{}`: name the file of the {}", key, what));
  };
  to.certificate_at = file("certificate", to.certificate);
  to.key_at = file("key", to.key);
  to.client_ca_at = file("client_ca", to.client_ca);
  needed("certificate", "gateway's certificate");
  needed("key", "certificate's private key");
  tls.refuse_others();
  return to;
}

void read_protocols(TableReader& gateway, ConfigErrors& errors, Protocols& to) {
  std::vector<PlacedText> chosen;
  const Location at = gateway.texts("protocols", chosen);
  if (at.line == 0) return;
  if (chosen.empty()) errors.add(at, "protocols is empty: name what the gateway is to speak");
  Protocols result{false, false, false};
  const std::vector<std::pair<std::string, bool*>> known = {
      {"grpc", &result.grpc}, {"http", &result.http}, {"websocket", &result.websocket}};
  for (const PlacedText& protocol : chosen) {
    const auto match = std::ranges::find(known, protocol.text, &decltype(known)::value_type::first);
    if (match != known.end()) {
      *match->second = true;
      continue;
    }
    errors.add(protocol.at,
               fmt::format("protocols has {}, expected \"grpc\", \"http\" and \"websocket\"{}",
                           in_quotes(protocol.text),
                           suggestion(protocol.text, {"grpc", "http", "websocket"})));
  }
  to = result;
}

void read_gateway(const Source& source, const toml::table& table, GatewayConfig& to) {
  TableReader gateway = source.reader(table, "[gateway]");
  gateway.text("host", to.host);
  to.port_at = gateway.integer("port", 0, kPortMax, to.port);
  gateway.duration("timeout_send", Zero::Refused, to.timeout_send);
  gateway.size("max_message", limits::kMessageBytesMax, to.max_message);
  gateway.integer("max_in_flight", 1, kCountMax, to.max_in_flight);
  gateway.integer("prefetch", 0, kCountMax, to.prefetch);
  gateway.status_code("http_dry_run_status", {200, 503}, to.http_dry_run_status);
  if (const auto* tls = gateway.table("tls")) to.tls = read_tls(source, *tls);
  read_protocols(gateway, source.errors, to.protocols);
  gateway.boolean("cors", to.cors);
  gateway.integer("retries", -1, limits::kRetriesMax, to.retries);
  gateway.refuse_others();
}

void read_health(TableReader health, HealthConfig& to) {
  health.duration("heartbeat_interval", Zero::Refused, to.heartbeat_interval);
  health.duration("heartbeat_timeout", Zero::Refused, to.heartbeat_timeout);
  health.refuse_others();
}

void read_supervise(const Source& source, const toml::table& table, SuperviseConfig& to) {
  TableReader supervise = source.reader(table, "[supervise]");
  supervise.choice<RestartPolicy>("restart",
                                  {{"on-failure", RestartPolicy::OnFailure},
                                   {"always", RestartPolicy::Always},
                                   {"never", RestartPolicy::Never}},
                                  to.restart);
  supervise.integer("restarts", 0, kCountMax, to.restarts);
  supervise.duration("restart_window", Zero::Refused, to.restart_window);
  const Location first_at = supervise.duration("backoff_first", Zero::Refused, to.backoff_first);
  const Location last_at = supervise.duration("backoff_last", Zero::Refused, to.backoff_last);
  if (to.backoff_last < to.backoff_first) {
    source.errors.add(last_at.line == 0 ? first_at : last_at,
                      "backoff_last is shorter than backoff_first: delays grow from first to last");
  }
  supervise.duration("lame_duck", Zero::Allowed, to.lame_duck);
  supervise.duration("drain_timeout", Zero::Allowed, to.drain_timeout);
  if (supervise.text("crash_reports", to.crash_reports).line != 0) {
    to.crash_reports = source.absolute(to.crash_reports);
  }
  supervise.refuse_others();
}

void read_log(TableReader log, LogConfig& to) {
  std::vector<std::pair<std::string_view, std::string>> levels;
  for (const std::string_view level : kLogLevels) levels.emplace_back(level, level);
  log.choice<std::string>("level", levels, to.level);
  log.choice<LogFormat>("format", {{"text", LogFormat::Text}, {"json", LogFormat::Json}},
                        to.format);
  log.refuse_others();
}

void read_fault(TableReader fault, Location at, ConfigErrors& errors, FaultConfig& to) {
  fault.integer("seed", 0, std::numeric_limits<std::int64_t>::max(), to.seed);
  fault.share("delay", to.delay);
  fault.duration("delay_for", Zero::Refused, to.delay_for);
  fault.share("error", to.error);
  fault.share("crash", to.crash);
  fault.choice<int>("signal",
                    {{"SIGSEGV", SIGSEGV},
                     {"SIGABRT", SIGABRT},
                     {"SIGBUS", SIGBUS},
                     {"SIGFPE", SIGFPE},
                     {"SIGILL", SIGILL},
                     {"SIGKILL", SIGKILL},
                     {"SIGSTOP", SIGSTOP},
                     {"SIGTERM", SIGTERM}},
                    to.signal);
  fault.share("exit", to.exit);
  fault.integer("exit_status", 0, 255, to.exit_status);
  fault.share("spin", to.spin);
  fault.share("deadlock", to.deadlock);
  fault.duration("slow_start", Zero::Allowed, to.slow_start);
  fault.size("grow", limits::kMessageBytesMax, to.grow);
  fault.refuse_others();
  // A little more than 1 is how the sum of 0.7, 0.2 and 0.1 comes out.
  const double sum = to.delay + to.error + to.crash + to.exit + to.spin + to.deadlock;
  if (sum > 1.000001) {
    errors.add(at, fmt::format("the shares in fault add up to {:.4g}, expected at most 1: a call "
                               "suffers one of them",
                               sum));
  }
}

void read_idempotent(TableReader& executor, ConfigErrors& errors, std::vector<PlacedText>& to) {
  std::vector<PlacedText> endpoints;
  executor.texts("idempotent", endpoints);
  for (const PlacedText& endpoint : endpoints) {
    if (endpoint.text == "*" || endpoint.text.starts_with('/')) continue;
    errors.add(endpoint.at,
               fmt::format("idempotent has {}, expected an endpoint or \"*\" for all of them (did "
                           "you mean {}?)",
                           in_quotes(endpoint.text), in_quotes('/' + endpoint.text)));
  }
  to = std::move(endpoints);
}

ExecutorDraft read_executor(const Source& source, const toml::table& table, std::size_t index) {
  TableReader executor = source.reader(table, "[[executors]]");
  ExecutorDraft draft;
  ExecutorConfig& to = draft.config;
  to.at = begin_of(table.source());

  to.name = fmt::format("executor{}", index);
  draft.name_at = executor.text("name", to.name);
  if (draft.name_at.line == 0) draft.name_at = to.at;

  if (!table.contains("uses")) {
    source.errors.add(
        to.at, fmt::format("executor {} has no `uses`: name its plugin", in_quotes(to.name)));
  }
  to.uses_at = executor.text("uses", to.uses);
  if (to.uses.find('/') != std::string::npos) to.uses = source.absolute(to.uses);
  executor.value_map("uses_with", to.uses_with);

  executor.text("host", to.host);
  to.port_at = executor.integer("port", 0, kPortMax, to.port);
  executor.integer("replicas", 1, limits::kReplicasMax, to.replicas);
  executor.duration("timeout_ready", Zero::Refused, to.timeout_ready);
  std::uint32_t max_in_flight = 0;
  if (executor.integer("max_in_flight", 1, kCountMax, max_in_flight).line != 0) {
    to.max_in_flight = max_in_flight;
  }
  read_idempotent(executor, source.errors, to.idempotent);
  executor.duration_or_off("hang_budget", to.hang_budget);

  std::vector<PlacedText> needs;
  const Location needs_at = executor.texts("needs", needs);
  if (needs_at.line != 0 && needs.empty()) {
    source.errors.add(needs_at, "needs is empty: name an executor, or \"gateway\" for the entry");
  }
  if (table.contains("needs")) draft.needs = std::move(needs);

  draft.process_at = executor.text("process", to.process);
  executor.text_map("env", to.env);
  if (const toml::table* fault = executor.table("fault")) {
    read_fault(source.reader(*fault, "fault of [[executors]]"), begin_of(fault->source()),
               source.errors, to.fault);
  }
  executor.size("memory", std::numeric_limits<std::int64_t>::max(), to.limits.memory);
  executor.integer("files", limits::kFilesMin, kCountMax, to.limits.files);
  executor.integer("cpus", 1, limits::kCpusMax, to.limits.cpus);
  executor.refuse_others({"external", "floating", "min_ready", "polling", "retries", "shards",
                          "timeout_send", "tls", "when"});
  return draft;
}

void read_executors(const Source& source, const std::vector<const toml::table*>& tables,
                    FlowConfig& config) {
  if (tables.size() > limits::kExecutorsMax) {
    source.errors.add(
        begin_of(tables[limits::kExecutorsMax]->source()),
        fmt::format("{} executors, at most {} are allowed", tables.size(), limits::kExecutorsMax));
    return;
  }
  std::vector<ExecutorDraft> executors;
  for (const toml::table* table : tables) {
    executors.push_back(read_executor(source, *table, executors.size()));
  }
  check_names(executors, source.errors);
  check_ports(config.gateway, executors, source.errors);
  check_processes(executors, source.errors);
  link_executors(executors, source.errors);
  for (ExecutorDraft& executor : executors) config.executors.push_back(std::move(executor.config));
}

void read_flow(const Source& source, const toml::table& document, FlowConfig& config) {
  TableReader flow = source.reader(document, "the file");
  flow.text("name", config.name);

  std::vector<PlacedText> plugins = {{"plugins", {}}};
  flow.texts("plugins", plugins);
  for (const PlacedText& folder : plugins) config.plugins.push_back(source.absolute(folder.text));

  if (const auto* table = flow.table("gateway")) {
    read_gateway(source, *table, config.gateway);
  }
  if (const auto* table = flow.table("health")) {
    read_health(source.reader(*table, "[health]"), config.health);
  }
  if (const auto* table = flow.table("supervise")) {
    read_supervise(source, *table, config.supervise);
  }
  if (const auto* table = flow.table("log")) {
    read_log(source.reader(*table, "[log]"), config.log);
  }
  const std::vector<const toml::table*> executors = flow.tables("executors");
  flow.refuse_others();
  read_executors(source, executors, config);

  const toml::array* listed = document["executors"].as_array();
  if (!document.contains("executors") || (listed != nullptr && listed->empty())) {
    source.errors.add({.line = 1, .column = 1},
                      "there are no [[executors]]: a Flow has at least one");
  }
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

absl::StatusOr<FlowConfig> parse_config(std::string_view text, const std::string& file,
                                        const Environment& environment) {
  if (text.size() > limits::kConfigBytesMax) {
    return error(absl::StatusCode::kInvalidArgument,
                 at_place(file, {},
                          fmt::format("larger than {} bytes, so not the configuration of a Flow",
                                      limits::kConfigBytesMax)));
  }
  std::error_code failure;
  const fs::path path = fs::absolute(file, failure);
  if (failure) return system_error(failure.value(), fmt::format("the folder of {}", file));

  ConfigErrors errors;
  FlowConfig config;
  config.file = file;
  config.text = text;
  config.name = path.parent_path().filename().string();
  if (config.name.empty()) config.name = "flow";  // at the root of the file system

  if (const std::optional<toml::table> document = parse_toml(text, errors)) {
    read_flow({path.parent_path(), environment, errors}, *document, config);
  }
  FLOW_RETURN_IF_ERROR(errors.status(file));
  return config;
}

absl::StatusOr<FlowConfig> load_config(const std::string& file, const Environment& environment) {
  return load_config(file, {}, environment);
}

absl::StatusOr<FlowConfig> load_config(const std::string& file, const std::string& snapshot,
                                       const Environment& environment) {
  // One byte more than may be, so that parse_config sees what is too large.
  FLOW_ASSIGN_OR_RETURN(const std::string text,
                        read_file(snapshot.empty() ? file : snapshot, limits::kConfigBytesMax + 1));
  return parse_config(text, file, environment);
}

std::string at_location(const FlowConfig& config, Location location, std::string_view message) {
  return at_place(config.file, location, message);
}

}  // namespace flow::core
