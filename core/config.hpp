// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/value.hpp"

// flow.toml as plain values: everything checked that can be checked without looking at a plugin,
// a socket or another file. docs/config.md describes every key.
namespace flow::core {

enum class RestartPolicy { OnFailure, Always, Never };
enum class LogFormat { Text, Json };

// Files in PEM form, absolute, not looked at yet: that takes OpenSSL, which is the gateway's.
struct TlsConfig {
  std::string certificate;  // its own, then the chain that leads to a root
  Location certificate_at;
  std::string key;
  Location key_at;
  std::string client_ca;  // who may vouch for a client; empty: clients need no certificate
  Location client_ca_at;
  bool operator==(const TlsConfig&) const = default;
};

// What the gateway's port speaks.
struct Protocols {
  bool grpc = true;
  bool http = true;
  bool websocket = true;
  bool operator==(const Protocols&) const = default;
};

// A string and its place, for checks that come after reading.
struct PlacedText {
  std::string text;
  Location at;
};

struct GatewayConfig {
  std::string host = "0.0.0.0";
  std::uint16_t port = 12345;  // 0: any free one
  Location port_at;
  std::chrono::nanoseconds timeout_send = std::chrono::seconds(10);
  std::uint64_t max_message = std::uint64_t{256} << 20;  // bytes
  std::uint32_t max_in_flight = 4096;
  // How often a call to an executor may be tried again; -1: as often as it has replicas, at
  // least 3.
  std::int32_t retries = -1;
  std::uint32_t prefetch = 1000;  // requests in flight of one stream; 0: no bound of its own
  Protocols protocols;
  bool cors = false;              // may pages of other origins ask?
  int http_dry_run_status = 503;  // of a failing GET /dry_run; 200 for Jina's way
  std::optional<TlsConfig> tls;   // absent: plain text
  bool operator==(const GatewayConfig&) const = default;
};

struct HealthConfig {
  std::chrono::nanoseconds heartbeat_interval = std::chrono::milliseconds(250);
  std::chrono::nanoseconds heartbeat_timeout = std::chrono::milliseconds(250);
  bool operator==(const HealthConfig&) const = default;
};

struct SuperviseConfig {
  RestartPolicy restart = RestartPolicy::OnFailure;
  std::uint32_t restarts = 5;  // within restart_window
  std::chrono::nanoseconds restart_window = std::chrono::seconds(60);
  // The delay before a restart doubles from first to last, with up to half of it added as jitter.
  std::chrono::nanoseconds backoff_first = std::chrono::milliseconds(100);
  std::chrono::nanoseconds backoff_last = std::chrono::seconds(30);
  std::chrono::nanoseconds lame_duck{0};
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(30);
  std::string crash_reports;  // a folder, absolute; empty: one in the state folder
  bool operator==(const SuperviseConfig&) const = default;
};

struct LogConfig {
  std::string level = "info";  // trace, debug, info, warning, error, off
  LogFormat format = LogFormat::Text;
  bool operator==(const LogConfig&) const = default;
};

// What a process may take at the most; 0: as much as ours may.
struct ProcessLimits {
  std::uint64_t memory = 0;  // bytes of data: heap, stacks of threads, private mappings
  std::uint32_t files = 0;   // descriptors
  std::uint32_t cpus = 0;    // cores to run on
  bool operator==(const ProcessLimits&) const = default;
};

// How an executor is made to misbehave, for tests and rehearsals: shares of its calls, from 0 to 1,
// together at most 1. Nothing of it by default.
struct FaultConfig {
  std::uint64_t seed = 1;  // the same calls suffer the same faults
  double delay = 0;        // process() starts late, by:
  std::chrono::nanoseconds delay_for = std::chrono::milliseconds(100);
  double error = 0;  // fails without being run
  double crash = 0;  // the process gets, from its own hands:
  int signal = SIGSEGV;
  double exit = 0;  // the process ends, with:
  int exit_status = 1;
  double spin = 0;                         // never returns, and uses a core for it
  double deadlock = 0;                     // never returns, and uses nothing
  std::chrono::nanoseconds slow_start{0};  // before create()
  std::uint64_t grow = 0;                  // bytes that each call keeps for ever

  bool any() const {
    return delay + error + crash + exit + spin + deadlock > 0 || slow_start.count() > 0 || grow > 0;
  }
};

struct ExecutorConfig {
  std::string name;  // unique; not "gateway"
  std::string uses;  // a plugin's name, or a path with a '/' (then absolute)
  Location uses_at;
  Value uses_with{Value::Map{}, {}};  // always a map
  std::string host = "0.0.0.0";       // what it binds
  std::uint16_t port = 0;             // replica i gets port + i; 0: any free one
  Location port_at;
  std::uint32_t replicas = 1;
  std::vector<std::string> needs;  // names of executors; empty: the gateway itself
  std::string process;             // executors that name the same one share it; "": its own
  std::map<std::string, std::string> env;
  ProcessLimits limits;
  std::chrono::nanoseconds timeout_ready = std::chrono::seconds(60);
  FaultConfig fault;
  // Of one replica, from the gateway; beyond it calls wait. Absent: [gateway] max_in_flight.
  std::optional<std::uint32_t> max_in_flight;
  // Endpoints that may run twice without harm, beside those that the plugin says; "*": all.
  std::vector<PlacedText> idempotent;
  // How long a call may go without progress; absent: for ever.
  std::optional<std::chrono::nanoseconds> hang_budget = std::chrono::seconds(30);
  Location at;  // of its [[executors]]
};

struct FlowConfig {
  std::string file;                  // as messages name it
  std::string text;                  // what was read
  std::string name;                  // default: the file's folder
  std::vector<std::string> plugins;  // folders, absolute; default: "plugins" beside the file
  GatewayConfig gateway;
  HealthConfig health;
  SuperviseConfig supervise;
  LogConfig log;
  std::vector<ExecutorConfig> executors;  // in the file's order, at least one
};

// What `${VAR}` in a string is replaced by; nullopt if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;
Environment process_environment();

// Parses the text of a file. Relative paths are made absolute against the file's folder. An error's
// message holds everything that is wrong, one "file:line:column: what is wrong" per line.
absl::StatusOr<FlowConfig> parse_config(std::string_view text, const std::string& file,
                                        const Environment& environment);

// Reads and parses a file.
absl::StatusOr<FlowConfig> load_config(const std::string& file, const Environment& environment);

// The same from a copy of the file's text, kept elsewhere while the file may be edited. Empty: from
// the file itself.
absl::StatusOr<FlowConfig> load_config(const std::string& file, const std::string& snapshot,
                                       const Environment& environment);

// "flow.toml:12:8: message", the form of every message about a place in the file.
std::string at_location(const FlowConfig& config, Location location, std::string_view message);

}  // namespace flow::core
