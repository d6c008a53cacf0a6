// SPDX-License-Identifier: Apache-2.0
// Protects what somebody reads whose flow.toml is wrong: the place, what was found, what to do.
#include <string>

#include "config_test_support.hpp"
#include "core/config.hpp"
#include "core/limits.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using testing::errors_of;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Case {
  std::string text;
  std::string errors;
};

const std::string kEcho = "\n[[executors]]\nuses = \"echo\"\n";

TEST(ConfigErrors, NameThePlaceOfASyntaxError) {
  const Case cases[] = {
      {"[gateway", "1:9: Error while parsing table header"},
      {"name = \"a\nname = \"b\"", "1:10: Error while parsing string"},
      {"name = ", "1:8: Error while parsing key-value pair"},
      {"name = \"a\"\nname = \"b\"", "2:8: Error while parsing key-value pair: cannot redefine"},
      {"name = \"\xff\"", "1:8: Encountered invalid utf-8 sequence"},
      {"[[executors]]\nuses = echo", "2:8: Error while parsing"},
      {std::string("name = \"a\0b\"", 12), "1:10: Error while parsing string"},
      {"uses_with = {\n}", "1:14: Error while parsing inline table"},
  };
  for (const Case& c : cases) EXPECT_THAT(errors_of(c.text), StartsWith(c.errors)) << c.text;
}

TEST(ConfigErrors, RefuseUnknownKeysAndGuessWhatWasMeant) {
  const Case cases[] = {
      {"nam = \"x\"" + kEcho, "1:1: unknown key \"nam\" in the file (did you mean \"name\"?)"},
      {"[gatway]" + kEcho, "1:2: unknown key \"gatway\" in the file (did you mean \"gateway\"?)"},
      {"[[executor]]" + kEcho,
       "1:3: unknown key \"executor\" in the file (did you mean \"executors\"?)"},
      {"[gateway]\nprot = 1" + kEcho,
       "2:1: unknown key \"prot\" in [gateway] (did you mean \"port\"?)"},
      {"[gateway]\n\"a\\nb\" = 1" + kEcho, "2:1: unknown key \"a\\nb\" in [gateway]"},
      {"[health]\nheartbeat = \"1s\"" + kEcho, "2:1: unknown key \"heartbeat\" in [health]"},
      {"[supervise]\nrestrat = \"never\"" + kEcho,
       "2:1: unknown key \"restrat\" in [supervise] (did you mean \"restart\"?)"},
      {"[log]\nLevel = \"info\"" + kEcho,
       "2:1: unknown key \"Level\" in [log] (did you mean \"level\"?)"},
      {kEcho + "use_with = {}",
       "4:1: unknown key \"use_with\" in [[executors]] (did you mean \"uses_with\"?)"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors);
}

TEST(ConfigErrors, NameWhatIsWrongWithFaults) {
  const auto with = [](const std::string& fault) { return kEcho + "fault = { " + fault + " }\n"; };
  const Case cases[] = {
      {with("crash = 1.5"), "4:19: crash is 1.5, expected a number from 0 to 1"},
      {with("crash = -1"), "4:19: crash is -1, expected a number from 0 to 1"},
      {with("crash = nan"), "4:19: crash is nan, expected a number from 0 to 1"},
      {with("crash = \"often\""), "4:19: crash is a string, expected a number from 0 to 1"},
      {with("crashes = 1"),
       "4:11: unknown key \"crashes\" in fault of [[executors]] (did you mean "
       "\"crash\"?)"},
      {with("crash = 0.5, error = 0.7"),
       "4:9: the shares in fault add up to 1.2, expected at most 1: a call suffers one of them"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors);
  EXPECT_THAT(errors_of(with("signal = \"SIGSEG\"")), HasSubstr("did you mean \"SIGSEGV\"?"));
  EXPECT_THAT(errors_of(with("exit_status = 256")), HasSubstr("from 0 to 255"));
}

TEST(ConfigErrors, KnowTheKeysOfLaterVersions) {
  for (const char* key : {"external", "floating", "polling", "retries", "shards", "tls", "when"}) {
    EXPECT_EQ(errors_of(kEcho + key + " = 1"),
              std::string("4:1: `") + key + "` is not supported by this version yet");
  }
}

TEST(ConfigErrors, SayWhichTypeWasFoundAndWhichExpected) {
  const Case cases[] = {
      {"name = 1" + kEcho, "1:8: name is a whole number, expected a string"},
      {"name = [\"a\"]" + kEcho, "1:8: name is an array, expected a string"},
      {"gateway.cors = \"yes\"" + kEcho, "1:16: cors is a string, expected true or false"},
      {"gateway.protocols = \"http\"" + kEcho,
       "1:21: protocols is a string, expected an array of strings"},
      {"gateway.protocols = []" + kEcho,
       "1:21: protocols is empty: name what the gateway is to speak"},
      {"gateway.protocols = [\"http\", \"grcp\"]" + kEcho,
       "1:30: protocols has \"grcp\", expected \"grpc\", \"http\" and \"websocket\" (did you mean "
       "\"grpc\"?)"},
      {"plugins = \"a\"" + kEcho, "1:11: plugins is a string, expected an array of strings"},
      {"plugins = [1]" + kEcho, "1:12: an element of plugins is a whole number, expected a string"},
      {"gateway = true" + kEcho, "1:11: gateway is true or false, expected a table"},
      {"gateway.port = \"80\"" + kEcho,
       "1:16: port is a string, expected a whole number from 0 to 65535"},
      {"gateway.port = 80.0" + kEcho,
       "1:16: port is a number with a fraction, expected a whole number from 0 to 65535"},
      {"gateway.timeout_send = 10" + kEcho,
       "1:24: timeout_send is a whole number, expected a duration, such as \"250ms\" or \"5s\""},
      {"gateway.max_message = 1024" + kEcho,
       "1:23: max_message is a whole number, expected a size, such as \"64MiB\" or \"10kB\""},
      {"gateway.http_dry_run_status = true" + kEcho,
       "1:31: http_dry_run_status is true or false, expected 200 or 503"},
      {"supervise.restart = false" + kEcho,
       "1:21: restart is true or false, expected one of \"on-failure\", \"always\", \"never\""},
      {"executors = 1",
       "1:13: executors is a whole number, expected one [[executors]] (two "
       "brackets) for each"},
      {"[executors]\nuses = \"a\"",
       "1:1: executors is a table, expected one [[executors]] (two brackets) for each"},
      {"executors = [1]", "1:14: an element of executors is a whole number, expected a table"},
      {kEcho + "needs = \"gateway\"", "4:9: needs is a string, expected an array of strings"},
      {kEcho + "memory = 5",
       "4:10: memory is a whole number, expected a size, such as \"64MiB\" or \"10kB\""},
      {kEcho + "files = 63", "4:9: files is 63, expected a whole number from 64 to 4294967295"},
      {kEcho + "cpus = 0", "4:8: cpus is 0, expected a whole number from 1 to 1024"},
      {kEcho + "cpus = 1.5",
       "4:8: cpus is a number with a fraction, expected a whole number from 1 to 1024"},
      {kEcho + "env = 1", "4:7: env is a whole number, expected a table"},
      {kEcho + "env = { A = 1 }", "4:13: env.A is a whole number, expected a string"},
      {kEcho + "uses_with = [1]", "4:13: uses_with is an array, expected a table"},
      {kEcho + "process = 1979-05-27", "4:11: process is a date or time, expected a string"},
      {"gateway.tls = \"on\"" + kEcho, "1:15: tls is a string, expected a table"},
      {"gateway.tls = { certificate = 1, key = [] }" + kEcho,
       "1:31: certificate is a whole number, expected a string\n"
       "1:40: key is an array, expected a string"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors);
}

TEST(ConfigErrors, AskForBothACertificateAndItsKey) {
  const Case cases[] = {
      {"gateway.tls = { certificate = \"c.pem\" }" + kEcho,
       "1:15: tls has no `key`: name the file of the certificate's private key"},
      {"gateway.tls = { key = \"k.pem\" }" + kEcho,
       "1:15: tls has no `certificate`: name the file of the gateway's certificate"},
      {"[gateway.tls]\nclient_ca = \"ca.pem\"" + kEcho,
       "1:1: tls has no `certificate`: name the file of the gateway's certificate\n"
       "1:1: tls has no `key`: name the file of the certificate's private key"},
      {"gateway.tls = { certificate = \"\", key = \"k.pem\" }" + kEcho,
       "1:31: certificate is empty"},
      {"gateway.tls = { cert = \"c.pem\", certificate = \"c.pem\", key = \"k.pem\" }" + kEcho,
       "1:17: unknown key \"cert\" in tls"},
      {"gateway.tls = { certificate = \"c.pem\", key = \"k.pem\", client-ca = \"\" }" + kEcho,
       "1:55: unknown key \"client-ca\" in tls (did you mean \"client_ca\"?)"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors);
}

TEST(ConfigErrors, SayWhichValuesAreAllowed) {
  const Case cases[] = {
      {"gateway.port = 65536" + kEcho,
       "1:16: port is 65536, expected a whole number from 0 to 65535"},
      {"gateway.port = -1" + kEcho, "1:16: port is -1, expected a whole number from 0 to 65535"},
      {"gateway.port = \"${WORD}\"" + kEcho,
       "1:16: port is \"word\", expected a whole number from 0 to 65535"},
      {"gateway.port = \"${PORT}0\"" + kEcho,
       "1:16: port is \"80800\", expected a whole number from 0 to 65535"},
      {"gateway.http_dry_run_status = 500" + kEcho,
       "1:31: http_dry_run_status is 500, expected 200 or 503"},
      {"gateway.prefetch = -1" + kEcho,
       "1:20: prefetch is -1, expected a whole number from 0 to 4294967295"},
      {"gateway.max_in_flight = 0" + kEcho,
       "1:25: max_in_flight is 0, expected a whole number from 1 to 4294967295"},
      {"gateway.max_message = \"0B\"" + kEcho,
       "1:23: max_message is \"0B\", expected from 1 to 2147483647 bytes"},
      {"gateway.max_message = \"2GiB\"" + kEcho,
       "1:23: max_message is \"2GiB\", expected from 1 to 2147483647 bytes"},
      {"gateway.timeout_send = \"0s\"" + kEcho,
       "1:24: timeout_send is \"0s\", expected more than nothing"},
      {"health.heartbeat_interval = \"0ms\"" + kEcho,
       "1:29: heartbeat_interval is \"0ms\", expected more than nothing"},
      {"health.heartbeat_timeout = \"0ms\"" + kEcho,
       "1:28: heartbeat_timeout is \"0ms\", expected more than nothing"},
      {"supervise.restart_window = \"0s\"" + kEcho,
       "1:28: restart_window is \"0s\", expected more than nothing"},
      {"supervise.backoff_first = \"0s\"" + kEcho,
       "1:27: backoff_first is \"0s\", expected more than nothing"},
      {"supervise.backoff_first = \"31s\"" + kEcho,
       "1:27: backoff_last is shorter than backoff_first: delays grow from first to last"},
      {"supervise.backoff_last = \"99ms\"" + kEcho,
       "1:26: backoff_last is shorter than backoff_first: delays grow from first to last"},
      {"supervise.restarts = -1" + kEcho,
       "1:22: restarts is -1, expected a whole number from 0 to 4294967295"},
      {"supervise.restart = \"on-failur\"" + kEcho,
       "1:21: restart is \"on-failur\", expected one of \"on-failure\", \"always\", \"never\" (did "
       "you mean \"on-failure\"?)"},
      {"log.level = \"debgu\"" + kEcho,
       "1:13: level is \"debgu\", expected one of \"trace\", \"debug\", \"info\", \"warning\", "
       "\"error\", \"off\" (did you mean \"debug\"?)"},
      {"log.format = \"xml\"" + kEcho,
       "1:14: format is \"xml\", expected one of \"text\", \"json\""},
      {"gateway.timeout_send = \"5\"" + kEcho,
       "1:24: timeout_send: \"5\" is not a duration: expected a whole number and a unit (ns, us, "
       "ms, s, m, h), as in \"250ms\""},
      {"gateway.max_message = \"5 MB\"" + kEcho,
       "1:23: max_message: \"5 MB\" is not a size: expected a whole number and a unit (B, kB, MB, "
       "GB, KiB, MiB, GiB), as in \"64MiB\""},
      {kEcho + "replicas = 0", "4:12: replicas is 0, expected a whole number from 1 to 256"},
      {kEcho + "replicas = 257", "4:12: replicas is 257, expected a whole number from 1 to 256"},
      {kEcho + "timeout_ready = \"0s\"",
       "4:17: timeout_ready is \"0s\", expected more than nothing"},
      {kEcho + "hang_budget = \"0s\"", "4:15: hang_budget is \"0s\", expected more than nothing"},
      {kEcho + "hang_budget = \"of\"",
       "4:15: hang_budget: \"of\" is not a duration: expected a whole number and a unit (ns, us, "
       "ms, s, m, h), as in \"250ms\""},
      {kEcho + "hang_budget = 30",
       "4:15: hang_budget is a whole number, expected a duration, such as \"30s\", or \"off\""},
      {"name = \"\"" + kEcho, "1:8: name is empty"},
      {"plugins = [\"\"]" + kEcho, "1:12: an element of plugins is empty"},
      {"gateway.host = \"a\\u0000b\"" + kEcho, "1:16: host has a NUL character"},
      {kEcho + "env = { \"A=B\" = \"x\" }",
       "4:9: \"A=B\" is not the name of an environment variable"},
      {kEcho + "env = { \"\" = \"x\" }", "4:9: \"\" is not the name of an environment variable"},
      {kEcho + "uses_with = { day = 1979-05-27 }",
       "4:21: uses_with.day is a date or time, which no plugin can take: write it as a string"},
      {kEcho + "uses_with = { a = [{ t = 07:32:00 }] }",
       "4:26: uses_with.a[0].t is a date or time, which no plugin can take: write it as a string"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors);
}

TEST(ConfigErrors, NameVariablesThatAreNotSet) {
  const Case cases[] = {
      {"name = \"${NO}\"" + kEcho,
       "1:8: name: the environment variable NO is not set (set it, or write ${NO:-default})"},
      {"name = \"$WORD\"" + kEcho,
       "1:8: name: a lone dollar: write ${NAME} for an environment variable, $$ for a dollar"},
      {"gateway.port = \"${NO}\"" + kEcho,
       "1:16: port: the environment variable NO is not set (set it, or write ${NO:-default})"},
      {kEcho + "uses_with = { a = { b = [\"${NO}\"] } }",
       "4:26: uses_with.a.b[0]: the environment variable NO is not set (set it, or write "
       "${NO:-default})"},
      {kEcho + "env = { A = \"${NO}\" }",
       "4:13: env.A: the environment variable NO is not set (set it, or write ${NO:-default})"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors);
}

TEST(ConfigErrors, CheckNames) {
  const std::string endless(64, 'x');
  const Case cases[] = {
      {kEcho + "name = \"gateway\"",
       "4:8: the name \"gateway\" is reserved for the gateway itself"},
      {kEcho + "name = \"a b\"",
       "4:8: the name \"a b\" has other characters than letters, digits, '_', '.' and '-'"},
      {kEcho + "name = \"caf\u00e9\"",
       "4:8: the name \"caf\u00e9\" has other characters than letters, digits, '_', '.' and '-'"},
      {kEcho + "name = \"../x\"",
       "4:8: the name \"../x\" has other characters than letters, digits, '_', '.' and '-'"},
      {kEcho + "name = \"..\"",
       "4:8: the name \"..\" does not start with a letter, a digit or '_'"},
      {kEcho + "name = \"-v\"",
       "4:8: the name \"-v\" does not start with a letter, a digit or '_'"},
      {kEcho + "name = \"" + endless + "\"",
       "4:8: the name \"" + endless + "\" has 64 characters, at most 63 are allowed"},
      {kEcho + "process = \"a/b\"",
       "4:11: the process \"a/b\" has other characters than letters, digits, '_', '.' and '-'"},
      {kEcho + "name = \"a\"" + kEcho + "name = \"a\"",
       "7:8: the name \"a\" is taken by the executor of line 4"},
      {kEcho + "name = \"executor1\"" + kEcho,
       "5:1: the name \"executor1\" is taken by the executor of line 4"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors);
}

TEST(ConfigErrors, FindPortsThatClash) {
  const Case cases[] = {
      {kEcho + "port = 12345",
       "4:8: executor \"executor0\" asks for port 12345, but the gateway (by default) has port "
       "12345"},
      {"gateway.port = 80" + kEcho + "port = 79\nreplicas = 2",
       "4:8: executor \"executor0\" asks for ports 79 to 80, but the gateway (line 1) has port 80"},
      {kEcho + "port = 9000\nreplicas = 3" + kEcho + "port = 9002",
       "8:8: executor \"executor1\" asks for port 9002, but executor \"executor0\" (line 4) has "
       "ports 9000 to 9002"},
      {kEcho + "port = 65535\nreplicas = 2",
       "4:8: port is 65535, and 2 replicas need as many ports from there on, but the last port is "
       "65535"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors);
}

TEST(ConfigErrors, FindExecutorsThatCannotShareTheirProcess) {
  EXPECT_EQ(errors_of(kEcho + "process = \"p\"" + kEcho + "process = \"p\"\nreplicas = 2"),
            "7:11: executors of one process must have equal replicas, but those of \"executor1\" "
            "and \"executor0\" (line 2), which share the process \"p\", differ");
  EXPECT_EQ(errors_of(kEcho + "process = \"p\"" + kEcho + "process = \"p\"\nenv = { A = \"1\" }"),
            "7:11: executors of one process must have equal env, but those of \"executor1\" and "
            "\"executor0\" (line 2), which share the process \"p\", differ");
}

// The executors a, b, c, ... with these needs; "" for none written.
std::string graph(const std::vector<std::string>& needs) {
  std::string text;
  char name = 'a';
  for (const std::string& need : needs) {
    text += std::string("[[executors]]\nuses = \"echo\"\nname = \"") + name++ + "\"\n" +
            (need.empty() ? "" : "needs = " + need) + "\n";
  }
  return text;
}

TEST(ConfigErrors, CheckTheGraph) {
  const Case cases[] = {
      {graph({"", "[\"x\"]"}), "8:10: executor \"b\" needs \"x\", but there is no such executor"},
      {"[[executors]]\nuses = \"echo\"\nname = \"encoder\"\n" + graph({"[\"encodr\"]"}),
       "7:10: executor \"a\" needs \"encodr\", but there is no such executor (did you mean "
       "\"encoder\"?)"},
      {graph({"[]"}), "4:9: needs is empty: name an executor, or \"gateway\" for the entry"},
      {graph({"[\"a\"]"}), "4:10: executors need each other in a circle: \"a\" needs \"a\""},
      {graph({"[\"c\"]", "", ""}),
       "4:10: executors need each other in a circle: \"a\" needs \"c\" needs \"b\" needs \"a\""},
      {graph({"", "[\"c\"]", "[\"b\"]"}),
       "8:10: executors need each other in a circle: \"b\" needs \"c\" needs \"b\""},
      {graph({"", "", "[\"a\", \"b\"]"}),
       "12:15: executor \"c\" needs \"a\" and \"b\": branches are not supported by this version "
       "yet"},
      {graph({"", "", "[\"a\"]"}),
       "12:10: both \"b\" (line 5) and \"c\" need \"a\": branches are not supported by this "
       "version yet"},
      {graph({"", "[\"gateway\"]"}),
       "8:10: both \"a\" (line 1) and \"b\" need \"gateway\": branches are not supported by this "
       "version yet"},
      {graph({"[\"b\"]", "[\"gateway\"]", "[\"b\"]"}),
       "12:10: both \"a\" (line 1) and \"c\" need \"b\": branches are not supported by this "
       "version yet"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(c.text), c.errors) << c.text;
}

TEST(ConfigErrors, AskForExecutorsAndTheirPlugins) {
  EXPECT_EQ(errors_of(""), "1:1: there are no [[executors]]: a Flow has at least one");
  EXPECT_EQ(errors_of("executors = []"),
            "1:1: there are no [[executors]]: a Flow has at least one");
  EXPECT_EQ(errors_of("[[executors]]"),
            "1:1: executor \"executor0\" has no `uses`: name its plugin");
  EXPECT_EQ(errors_of("[[executors]]\nuses = \"\""), "2:8: uses is empty");
}

TEST(ConfigErrors, AllComeAtOnceInTheFilesOrder) {
  EXPECT_EQ(errors_of(R"([[executors]]
needs = ["nobody"]
port = "x"

[log]
level = "loud"

[gateway]
port = 70000
nonsense = 1
)"),
            "1:1: executor \"executor0\" has no `uses`: name its plugin\n"
            "2:10: executor \"executor0\" needs \"nobody\", but there is no such executor\n"
            "3:8: port is a string, expected a whole number from 0 to 65535\n"
            "6:9: level is \"loud\", expected one of \"trace\", \"debug\", \"info\", \"warning\", "
            "\"error\", \"off\"\n"
            "9:8: port is 70000, expected a whole number from 0 to 65535\n"
            "10:1: unknown key \"nonsense\" in [gateway]");
}

TEST(ConfigErrors, NameTheFileOnEveryLine) {
  const auto config = parse_config("a = 1\nb = 2\n", "flow.toml", testing::test_environment);

  ASSERT_FALSE(config.ok());
  EXPECT_EQ(message(config.status()),
            "flow.toml:1:1: unknown key \"a\" in the file\n"
            "flow.toml:1:1: there are no [[executors]]: a Flow has at least one\n"
            "flow.toml:2:1: unknown key \"b\" in the file");
}

TEST(ConfigErrors, StayOneLineEachWhateverIsInTheFile) {
  EXPECT_EQ(errors_of(kEcho + "uses_with = { \"a\\nb\" = 1979-05-27 }"),
            "4:24: uses_with.a\\nb is a date or time, which no plugin can take: write it as a "
            "string");
}

TEST(ConfigErrors, BoundTheFile) {
  EXPECT_THAT(errors_of("#" + std::string(limits::kConfigBytesMax, ' ')),
              HasSubstr("larger than 1048576 bytes, so not the configuration of a Flow"));

  std::string many;
  for (std::size_t i = 0; i <= limits::kExecutorsMax; ++i) many += "[[executors]]\nuses = \"a\"\n";
  EXPECT_EQ(errors_of(many), "513:1: 257 executors, at most 256 are allowed");

  std::string dots = "a";
  for (int i = 0; i < 400'000; ++i) dots += ".a";
  EXPECT_EQ(errors_of(dots + " = 1"), "1:130: more than 64 tables and arrays inside each other");
}

TEST(ConfigErrors, RefuseWhatCannotBeAnEndpoint) {
  EXPECT_EQ(errors_of(kEcho + "idempotent = [\"/a\", \"search\"]"),
            "4:21: idempotent has \"search\", expected an endpoint or \"*\" for all of them (did "
            "you mean \"/search\"?)");
  EXPECT_EQ(errors_of(kEcho + "idempotent = \"/a\""),
            "4:14: idempotent is a string, expected an array of strings");
  EXPECT_EQ(errors_of(kEcho + "idempotent = [\"\"]"), "4:15: an element of idempotent is empty");
}

TEST(ConfigErrors, BoundRetriesAndCallsInFlight) {
  EXPECT_EQ(errors_of("[gateway]\nretries = -2" + kEcho),
            "2:11: retries is -2, expected a whole number from -1 to 1000");
  EXPECT_EQ(errors_of(kEcho + "max_in_flight = 0"),
            "4:17: max_in_flight is 0, expected a whole number from 1 to 4294967295");
}

}  // namespace
}  // namespace flow::core
