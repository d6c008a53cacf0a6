// SPDX-License-Identifier: Apache-2.0
// Protects what a flow.toml means: every key, every default, every place.
#include "core/config.hpp"

#include "config_test_support.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::errors_of;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::parse;
using testing::parsed;

TEST(Config, NeedsOneLineOnly) {
  const FlowConfig config = parsed("[[executors]]\nuses = \"echo\"\n");

  EXPECT_EQ(config.file, testing::kFile);
  EXPECT_EQ(config.name, "search");
  EXPECT_THAT(config.plugins, ElementsAre("/flows/search/plugins"));
  EXPECT_EQ(config.gateway.host, "0.0.0.0");
  EXPECT_EQ(config.gateway.port, 12345);
  EXPECT_EQ(config.gateway.port_at, Location());
  EXPECT_EQ(config.gateway.timeout_send, 10s);
  EXPECT_EQ(config.gateway.max_message, 256u << 20);
  EXPECT_EQ(config.gateway.max_in_flight, 4096u);
  EXPECT_EQ(config.gateway.prefetch, 1000u);
  EXPECT_EQ(config.gateway.retries, -1);
  EXPECT_EQ(config.gateway.http_dry_run_status, 503);
  EXPECT_TRUE(config.gateway.protocols.grpc && config.gateway.protocols.http);
  EXPECT_FALSE(config.gateway.cors);
  EXPECT_EQ(config.health.heartbeat_interval, 250ms);
  EXPECT_EQ(config.health.heartbeat_timeout, 250ms);
  EXPECT_EQ(config.supervise.restart, RestartPolicy::OnFailure);
  EXPECT_EQ(config.supervise.restarts, 5u);
  EXPECT_EQ(config.supervise.restart_window, 60s);
  EXPECT_EQ(config.supervise.backoff_first, 100ms);
  EXPECT_EQ(config.supervise.backoff_last, 30s);
  EXPECT_EQ(config.supervise.lame_duck, 0s);
  EXPECT_EQ(config.supervise.drain_timeout, 30s);
  EXPECT_EQ(config.supervise.crash_reports, "");
  EXPECT_EQ(config.log.level, "info");
  EXPECT_EQ(config.log.format, LogFormat::Text);

  ASSERT_EQ(config.executors.size(), 1u);
  const ExecutorConfig& executor = config.executors.front();
  EXPECT_EQ(executor.name, "executor0");
  EXPECT_EQ(executor.uses, "echo");
  EXPECT_EQ(executor.uses_at, (Location{2, 8}));
  EXPECT_THAT(std::get<Value::Map>(executor.uses_with.data), IsEmpty());
  EXPECT_EQ(executor.host, "0.0.0.0");
  EXPECT_EQ(executor.port, 0);
  EXPECT_EQ(executor.replicas, 1u);
  EXPECT_THAT(executor.needs, IsEmpty());
  EXPECT_EQ(executor.process, "");
  EXPECT_THAT(executor.env, IsEmpty());
  EXPECT_EQ(executor.limits, ProcessLimits());
  EXPECT_EQ(executor.timeout_ready, 60s);
  EXPECT_FALSE(executor.max_in_flight.has_value());
  EXPECT_THAT(executor.idempotent, IsEmpty());
  EXPECT_EQ(executor.hang_budget, 30s);
  EXPECT_EQ(executor.at, (Location{1, 1}));
}

TEST(Config, ReadsEveryKey) {
  const FlowConfig config = parsed(R"(
name = "shop"
plugins = ["build/plugins", "/opt/plugins", "../more"]

[gateway]
host = "127.0.0.1"
port = 8080
timeout_send = "5s"
max_message = "64MiB"
max_in_flight = 100
prefetch = 0
http_dry_run_status = 200
protocols = ["http", "websocket"]
cors = true

[health]
heartbeat_interval = "100ms"
heartbeat_timeout = "50ms"

[supervise]
restart = "always"
restarts = 0
restart_window = "2m"
backoff_first = "1ms"
backoff_last = "1s"
lame_duck = "1s"
drain_timeout = "0s"
crash_reports = "state/crashes"

[log]
level = "debug"
format = "json"

[[executors]]
name = "encoder"
uses = "../bin/encoder.so"
uses_with = { dimensions = 256 }
host = "::1"
port = 9000
replicas = 3
needs = ["gateway"]
process = "worker"
env = { OMP_NUM_THREADS = "1", A = "" }
memory = "2GiB"
files = 1024
cpus = 2
timeout_ready = "90s"
hang_budget = "5m"

[[executors]]
name = "indexer"
uses = "vector-index"
needs = ["encoder"]
hang_budget = "off"
)");

  EXPECT_EQ(config.name, "shop");
  EXPECT_THAT(config.plugins,
              ElementsAre("/flows/search/build/plugins", "/opt/plugins", "/flows/more"));
  EXPECT_EQ(config.gateway.host, "127.0.0.1");
  EXPECT_EQ(config.gateway.port, 8080);
  EXPECT_EQ(config.gateway.port_at, (Location{7, 8}));
  EXPECT_EQ(config.gateway.timeout_send, 5s);
  EXPECT_EQ(config.gateway.max_message, 64u << 20);
  EXPECT_EQ(config.gateway.max_in_flight, 100u);
  EXPECT_EQ(config.gateway.prefetch, 0u);
  EXPECT_EQ(config.gateway.http_dry_run_status, 200);
  EXPECT_FALSE(config.gateway.protocols.grpc);
  EXPECT_TRUE(config.gateway.protocols.http);
  EXPECT_TRUE(config.gateway.protocols.websocket);
  EXPECT_TRUE(config.gateway.cors);
  EXPECT_EQ(config.health.heartbeat_interval, 100ms);
  EXPECT_EQ(config.health.heartbeat_timeout, 50ms);
  EXPECT_EQ(config.supervise.restart, RestartPolicy::Always);
  EXPECT_EQ(config.supervise.restarts, 0u);
  EXPECT_EQ(config.supervise.restart_window, 2min);
  EXPECT_EQ(config.supervise.backoff_first, 1ms);
  EXPECT_EQ(config.supervise.backoff_last, 1s);
  EXPECT_EQ(config.supervise.lame_duck, 1s);
  EXPECT_EQ(config.supervise.drain_timeout, 0s);
  EXPECT_EQ(config.supervise.crash_reports, "/flows/search/state/crashes");
  EXPECT_EQ(config.log.level, "debug");
  EXPECT_EQ(config.log.format, LogFormat::Json);

  ASSERT_EQ(config.executors.size(), 2u);
  const ExecutorConfig& encoder = config.executors[0];
  EXPECT_EQ(encoder.name, "encoder");
  EXPECT_EQ(encoder.uses, "/flows/bin/encoder.so");
  EXPECT_EQ(encoder.host, "::1");
  EXPECT_EQ(encoder.port, 9000);
  EXPECT_EQ(encoder.port_at, (Location{39, 8}));
  EXPECT_EQ(encoder.replicas, 3u);
  EXPECT_THAT(encoder.needs, IsEmpty()) << "the gateway itself";
  EXPECT_EQ(encoder.process, "worker");
  EXPECT_THAT(encoder.env, ElementsAre(Pair("A", ""), Pair("OMP_NUM_THREADS", "1")));
  EXPECT_EQ(encoder.limits,
            (ProcessLimits{.memory = std::uint64_t{2} << 30, .files = 1024, .cpus = 2}));
  EXPECT_EQ(encoder.timeout_ready, 90s);
  EXPECT_EQ(encoder.hang_budget, 5min);
  EXPECT_EQ(config.executors[1].hang_budget, std::nullopt);
  EXPECT_EQ(config.executors[1].name, "indexer");
  EXPECT_THAT(config.executors[1].needs, ElementsAre("encoder"));
}

TEST(Config, NamesExecutorsByTheirPlace) {
  const FlowConfig config = parsed(R"(
[[executors]]
uses = "a"
[[executors]]
uses = "b"
name = "middle"
[[executors]]
uses = "c"
)");

  EXPECT_EQ(config.executors[0].name, "executor0");
  EXPECT_EQ(config.executors[2].name, "executor2");
}

TEST(Config, ChainsExecutorsByDefaultInTheFilesOrder) {
  const FlowConfig config = parsed(R"(
[[executors]]
uses = "a"
[[executors]]
uses = "b"
[[executors]]
uses = "c"
)");

  EXPECT_THAT(config.executors[0].needs, IsEmpty());
  EXPECT_THAT(config.executors[1].needs, ElementsAre("executor0"));
  EXPECT_THAT(config.executors[2].needs, ElementsAre("executor1"));
}

TEST(Config, KeepsTheFilesOrderWhateverTheChain) {
  const FlowConfig config = parsed(R"(
[[executors]]
name = "last"
uses = "a"
needs = ["first"]
[[executors]]
name = "first"
uses = "b"
needs = ["gateway"]
)");

  EXPECT_EQ(config.executors[0].name, "last");
  EXPECT_THAT(config.executors[0].needs, ElementsAre("first"));
  EXPECT_EQ(config.executors[1].name, "first");
  EXPECT_THAT(config.executors[1].needs, IsEmpty());
}

TEST(Config, MakesOnlyPathsAbsolute) {
  const std::pair<std::string, std::string> cases[] = {
      {"echo", "echo"},
      {"echo.so", "echo.so"},
      {"./echo.so", "/flows/search/echo.so"},
      {"lib/echo.so", "/flows/search/lib/echo.so"},
      {"../echo.so", "/flows/echo.so"},
      {"/opt/./x/../echo.so", "/opt/echo.so"},
  };
  for (const auto& [uses, expected] : cases) {
    EXPECT_EQ(parsed("[[executors]]\nuses = \"" + uses + "\"").executors[0].uses, expected);
  }
}

TEST(Config, KnowsWhereTheFilesOfTlsAre) {
  const FlowConfig config = parsed(R"(
[gateway]
tls = { certificate = "tls/cert.pem", key = "/etc/${WORD}.pem" }
[[executors]]
uses = "echo"
)");

  ASSERT_TRUE(config.gateway.tls.has_value());
  EXPECT_EQ(config.gateway.tls->certificate, "/flows/search/tls/cert.pem");
  EXPECT_EQ(config.gateway.tls->certificate_at, (Location{3, 23}));
  EXPECT_EQ(config.gateway.tls->key, "/etc/word.pem");
  EXPECT_EQ(config.gateway.tls->key_at, (Location{3, 45}));
  EXPECT_EQ(config.gateway.tls->client_ca, "") << "clients need no certificate";
  EXPECT_FALSE(parsed("[[executors]]\nuses = \"echo\"").gateway.tls.has_value());
}

TEST(Config, NamesTheFlowAtTheRootOfTheFileSystem) {
  const auto config =
      parse_config("[[executors]]\nuses = \"a\"", "/flow.toml", testing::test_environment);

  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->name, "flow");
}

TEST(Config, LetsExecutorsShareAProcess) {
  const FlowConfig config = parsed(R"(
[[executors]]
uses = "a"
process = "both"
replicas = 2
env = { A = "1" }
[[executors]]
uses = "b"
process = "both"
replicas = 2
env = { A = "1" }
)");

  EXPECT_EQ(config.executors[0].process, "both");
  EXPECT_EQ(config.executors[1].process, "both");
}

TEST(Config, ReadsHowAnExecutorMisbehavesOnPurpose) {
  const FlowConfig config = parsed(R"(
    [[executors]]
    uses = "echo"
    [executors.fault]
    seed = 7
    delay = 0.25
    delay_for = "2s"
    crash = 0.5
    signal = "SIGABRT"
    exit = 0.25
    exit_status = 3
    slow_start = "1s"
    grow = "4KiB"
    [[executors]]
    uses = "echo")");
  const FaultConfig& fault = config.executors[0].fault;
  EXPECT_EQ(fault.seed, 7U);
  EXPECT_EQ(fault.delay, 0.25);
  EXPECT_EQ(fault.delay_for, 2s);
  EXPECT_EQ(fault.crash, 0.5);
  EXPECT_EQ(fault.signal, SIGABRT);
  EXPECT_EQ(fault.exit, 0.25);
  EXPECT_EQ(fault.exit_status, 3);
  EXPECT_EQ(fault.slow_start, 1s);
  EXPECT_EQ(fault.grow, 4096U);
  EXPECT_FALSE(config.executors[1].fault.any());
}

TEST(Config, PutsPortsSideBySide) {
  const FlowConfig config = parsed(R"(
gateway.port = 9002
[[executors]]
uses = "a"
port = 9000
replicas = 2
[[executors]]
uses = "b"
port = 9003
[[executors]]
uses = "c"
port = 65534
replicas = 2
[[executors]]
uses = "d"
[[executors]]
uses = "e"
port = 0
replicas = 256
)");

  EXPECT_EQ(config.executors[2].port, 65534);
  EXPECT_EQ(config.executors[4].replicas, 256u);
}

TEST(ConfigVariables, StandInAnyString) {
  const FlowConfig config = parsed(R"(
name = "${NAME:-shop}-${WORD}"
plugins = ["${WORD}/plugins"]
[gateway]
port = "${PORT}"
timeout_send = "${TIMEOUT:-3s}"
http_dry_run_status = "${STATUS:-200}"
[log]
level = "${LEVEL:-warning}"
[[executors]]
uses = "${WORD}"
needs = ["${FIRST:-gateway}"]
uses_with = { path = "a/${WORD}", list = ["$${WORD}"] }
env = { X = "${WORD}" }
)");

  EXPECT_EQ(config.name, "shop-word");
  EXPECT_THAT(config.plugins, ElementsAre("/flows/search/word/plugins"));
  EXPECT_EQ(config.gateway.port, 8080);
  EXPECT_EQ(config.gateway.timeout_send, 3s);
  EXPECT_EQ(config.gateway.http_dry_run_status, 200);
  EXPECT_EQ(config.log.level, "warning");
  const ExecutorConfig& executor = config.executors[0];
  EXPECT_EQ(executor.uses, "word");
  EXPECT_THAT(executor.env, ElementsAre(Pair("X", "word")));
  const auto& with = std::get<Value::Map>(executor.uses_with.data);
  EXPECT_EQ(std::get<std::string>(with[0].value.data), "a/word");
  EXPECT_EQ(std::get<std::string>(std::get<Value::List>(with[1].value.data)[0].data), "${WORD}");
}

TEST(ConfigUsesWith, KeepsEveryValueWithItsPlaceAndOrder) {
  const FlowConfig config = parsed(R"([[executors]]
uses = "a"
[executors.uses_with]
zebra = true
apple = -3
mango = 0.5
"with blank" = "text"
list = [1, [2.5, "x"], {}]
deep.dotted = 1
[executors.uses_with.table]
x = inf
)");

  const Value& value = config.executors[0].uses_with;
  EXPECT_EQ(value.at, (Location{3, 1}));
  const auto& with = std::get<Value::Map>(value.data);
  std::vector<std::string> keys;
  for (const Value::Entry& entry : with) keys.push_back(entry.key);
  EXPECT_THAT(keys, ElementsAre("zebra", "apple", "mango", "with blank", "list", "deep", "table"));
  EXPECT_EQ(std::get<bool>(with[0].value.data), true);
  EXPECT_EQ(with[0].value.at, (Location{4, 9}));
  EXPECT_EQ(std::get<std::int64_t>(with[1].value.data), -3);
  EXPECT_EQ(std::get<double>(with[2].value.data), 0.5);
  EXPECT_EQ(std::get<std::string>(with[3].value.data), "text");
  EXPECT_EQ(with[3].value.at, (Location{7, 16}));
  const auto& list = std::get<Value::List>(with[4].value.data);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(std::get<std::int64_t>(list[0].data), 1);
  EXPECT_EQ(std::get<std::string>(std::get<Value::List>(list[1].data)[1].data), "x");
  EXPECT_EQ(list[1].at, (Location{8, 12}));
  EXPECT_THAT(std::get<Value::Map>(list[2].data), IsEmpty());
  const auto& deep = std::get<Value::Map>(with[5].value.data);
  EXPECT_EQ(deep[0].key, "dotted");
  EXPECT_EQ(with[6].value.at.line, 10);
}

TEST(AtLocation, NamesFileLineAndColumn) {
  FlowConfig config;
  config.file = "flow.toml";

  EXPECT_EQ(at_location(config, {12, 8}, "no"), "flow.toml:12:8: no");
  EXPECT_EQ(at_location(config, {}, "no"), "flow.toml: no");
}

TEST(Config, SaysWhatMayBeTriedAgainAndHowMuchOneReplicaGets) {
  const FlowConfig config = parsed(
      "[gateway]\nretries = 0\n[[executors]]\nuses = \"echo\"\nmax_in_flight = 4\n"
      "idempotent = [\"/search\", \"*\"]\n");

  EXPECT_EQ(config.gateway.retries, 0);
  EXPECT_EQ(config.executors[0].max_in_flight, 4u);
  ASSERT_EQ(config.executors[0].idempotent.size(), 2u);
  EXPECT_EQ(config.executors[0].idempotent[0].text, "/search");
  EXPECT_EQ(config.executors[0].idempotent[0].at, (Location{6, 15}));
}

}  // namespace
}  // namespace flow::core
