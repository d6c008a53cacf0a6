// SPDX-License-Identifier: Apache-2.0
//
// flow::Flow with the real programs.
#include <gmock/gmock.h>
#include <sys/types.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "core/status.hpp"
#include "flow/flow.hpp"
#include "host/flow/find_program.hpp"
#include "tests/component/client/certificate.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr auto kPatience = 60s;

const StartOptions kStart{.flow_host = FLOW_TEST_HOST, .timeout = kPatience};

FlowOptions options() {
  return {.host = "127.0.0.1", .plugins = {FLOW_TEST_PLUGINS, FLOW_TEST_TESTING_PLUGINS}};
}

// The processes that this one started and that still run.
std::vector<pid_t> children() {
  std::vector<pid_t> all;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) all.push_back(pid);
  }
  return all;
}

std::string failure_of(Flow& flow) {
  const auto running = flow.start(kStart);
  EXPECT_FALSE(running.ok());
  return running.ok() ? "" : std::string(core::message(running.status()));
}

TEST(FlowLibrary, IsReadyInItsScopeAndNotAfterIt) {
  Flow flow(options());
  flow.add();
  EXPECT_FALSE(flow.is_flow_ready());
  {
    const auto running = flow.start(kStart);
    ASSERT_TRUE(running.ok()) << running.status();
    EXPECT_TRUE(flow.is_flow_ready(kPatience));
    EXPECT_TRUE(running->is_flow_ready(kPatience));
    EXPECT_NE(running->port(), 0);
  }
  EXPECT_FALSE(flow.is_flow_ready());
  EXPECT_TRUE(children().empty());
}

TEST(FlowLibrary, AnswersRequestsOnThePortThatItHas) {
  Flow flow(options());
  flow.add({.uses = "upper"});
  const auto running = flow.start(kStart);
  ASSERT_TRUE(running.ok()) << running.status();
  Client client(running->url());
  const auto answer = client.post("/upper", {Document::of_text("hello")});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->at(0).text(), "HELLO");
  EXPECT_TRUE(running->client().health({}, kPatience).ready);
}

TEST(FlowLibrary, IsAskedByTheProtocolOfItsOptions) {
  FlowOptions http = options();
  http.protocol = Protocol::Http;
  Flow flow(http);
  const auto running = flow.add().start(kStart);
  ASSERT_TRUE(running.ok()) << running.status();
  EXPECT_THAT(running->url(), HasSubstr("http://127.0.0.1:"));
  EXPECT_TRUE(running->is_flow_ready(kPatience));
}

TEST(FlowLibrary, CanBeStartedAgainButNotTwice) {
  Flow flow(options());
  flow.add();
  {
    const auto running = flow.start(kStart);
    ASSERT_TRUE(running.ok()) << running.status();
    EXPECT_THAT(failure_of(flow), HasSubstr("runs already"));
  }
  EXPECT_TRUE(flow.start(kStart).ok());
}

TEST(FlowLibrary, OutlivesTheThreadThatStartedIt) {
  Flow flow(options());
  flow.add();
  std::optional<absl::StatusOr<RunningFlow>> running;
  std::thread([&] { running.emplace(flow.start(kStart)); }).join();
  ASSERT_TRUE(running->ok()) << running->status();
  EXPECT_TRUE((*running)->is_flow_ready(kPatience));
}

TEST(FlowLibrary, LoadsAFile) {
  std::string folder = "/tmp/flow-library-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/flow.toml";
  std::ofstream(file) << "plugins = [\"" << FLOW_TEST_PLUGINS
                      << "\"]\n[gateway]\nhost = \"127.0.0.1\"\nport = 0\n"
                         "[[executors]]\nname = \"mine\"\nuses = \"echo\"\n";
  {
    auto flow = Flow::load(file);
    ASSERT_TRUE(flow.ok()) << flow.status();
    EXPECT_THAT(*flow->plot(), HasSubstr("mine<br/>echo"));
    const auto running = flow->start(kStart);
    ASSERT_TRUE(running.ok()) << running.status();
    EXPECT_TRUE(flow->is_flow_ready(kPatience));
  }
  std::ofstream(file) << "nonsense = 1\n";
  EXPECT_THAT(std::string(core::message(Flow::load(file).status())), HasSubstr("nonsense"));
  fs::remove_all(folder);
  EXPECT_FALSE(Flow::load(file).ok());
}

TEST(FlowLibrary, TrustsTheCertificateOfItsOwnGateway) {
  const testing::Certificate certificate("DNS:localhost");
  std::string folder = "/tmp/flow-library-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/flow.toml";
  std::ofstream(file) << "plugins = [\"" << FLOW_TEST_PLUGINS
                      << "\"]\n[gateway]\nhost = \"127.0.0.1\"\nport = 0\ntls = { certificate = \""
                      << certificate.certificate_file() << "\", key = \"" << certificate.key_file()
                      << "\" }\n[[executors]]\nuses = \"echo\"\n";
  for (const Protocol protocol : {Protocol::Grpc, Protocol::Http, Protocol::WebSocket}) {
    auto flow = Flow::load(file, protocol);
    ASSERT_TRUE(flow.ok()) << flow.status();
    const auto running = flow->start(kStart);
    ASSERT_TRUE(running.ok()) << running.status();
    EXPECT_TRUE(flow->is_flow_ready(kPatience)) << running->client().last_reason();
    EXPECT_THAT(running->url(),
                ::testing::AnyOf(HasSubstr("grpcs:"), HasSubstr("https:"), HasSubstr("wss:")));
  }

  StartOptions stranger = kStart;
  stranger.client.tls.server_name = "example.org";
  auto flow = Flow::load(file, Protocol::Http);
  ASSERT_TRUE(flow.ok()) << flow.status();
  const auto running = flow->start(stranger);
  ASSERT_TRUE(running.ok()) << running.status();
  EXPECT_FALSE(flow->is_flow_ready(kPatience)) << "the certificate is of another name";
  fs::remove_all(folder);
}

TEST(FlowLibrary, SaysWhatIsWrongWithWhatWasBuilt) {
  Flow empty(options());
  EXPECT_THAT(failure_of(empty), HasSubstr("there are no [[executors]]"));

  Flow unknown(options());
  unknown.add({.uses = "ecko"});
  EXPECT_THAT(failure_of(unknown), HasSubstr("ecko"));

  Flow twice(options());
  twice.add({.name = "a"}).add({.name = "a"});
  EXPECT_THAT(failure_of(twice), HasSubstr("is taken"));
  EXPECT_TRUE(children().empty());
}

TEST(FlowLibrary, SaysThatItsPortIsInUse) {
  boost::asio::io_context context;
  const boost::asio::ip::tcp::acceptor taken(context, {boost::asio::ip::address_v4::loopback(), 0});
  FlowOptions same = options();
  same.port = taken.local_endpoint().port();
  Flow flow(same);
  flow.add();
  EXPECT_THAT(failure_of(flow), HasSubstr("port in use"));
}

core::Environment variables(std::map<std::string, std::string> all) {
  return [all = std::move(all)](const std::string& name) {
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(FindFlowHost, PrefersWhatItIsToldToTheEnvironmentAndThatToThePath) {
  const std::string real = FLOW_TEST_HOST;
  const std::string folder = fs::path(real).parent_path();
  EXPECT_EQ(*host::find_flow_host(real, variables({{"FLOW_HOST", "/nowhere"}})), real);
  EXPECT_EQ(*host::find_flow_host("", variables({{"FLOW_HOST", real}, {"PATH", "/"}})), real);
  EXPECT_EQ(*host::find_flow_host("", variables({{"PATH", ":/nowhere::" + folder + ":/x"}})), real);
}

TEST(FindFlowHost, DoesNotLookElsewhereIfItIsToldAPlaceThatIsWrong) {
  const std::string folder = fs::path(FLOW_TEST_HOST).parent_path();
  const auto found = host::find_flow_host("", variables({{"FLOW_HOST", folder}, {"PATH", folder}}));
  EXPECT_THAT(std::string(core::message(found.status())), HasSubstr("which FLOW_HOST names"));
}

TEST(FindFlowHost, SaysWhereItLooked) {
  const auto found = host::find_flow_host("", variables({{"PATH", "/nowhere"}}));
  if (found.ok()) GTEST_SKIP() << "it is installed: " << *found;
  EXPECT_THAT(std::string(core::message(found.status())), HasSubstr("/nowhere/flow-host"));
}

TEST(FlowLibrary, SaysWhenThereIsNoFlowHost) {
  Flow flow(options());
  const auto running = flow.add().start({.flow_host = "/nowhere/flow-host"});
  EXPECT_TRUE(absl::IsNotFound(running.status())) << running.status();
}

TEST(FlowLibrary, GivesUpOnAFlowThatDoesNotBecomeReady) {
  Flow flow(options());
  flow.add();
  const auto running = flow.start({.flow_host = FLOW_TEST_HOST, .timeout = 0s});
  EXPECT_TRUE(absl::IsDeadlineExceeded(running.status())) << running.status();
  EXPECT_TRUE(children().empty());
}

TEST(FlowLibrary, BlocksUntilItsProcessesEndByThemselves) {
  Flow flow(options());
  flow.add();
  auto running = flow.start(kStart);
  ASSERT_TRUE(running.ok()) << running.status();
  const auto processes = children();
  ASSERT_EQ(processes.size(), 1u);
  std::thread killer([pid = processes[0]] { ::kill(pid, SIGKILL); });
  const absl::Status ended = running->block();
  killer.join();
  EXPECT_THAT(std::string(core::message(ended)), HasSubstr("signal 9 (SIGKILL)"));
  EXPECT_FALSE(flow.is_flow_ready());
}

}  // namespace
}  // namespace flow
