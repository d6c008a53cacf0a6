// SPDX-License-Identifier: Apache-2.0
#include "flowctl/post/request_text.hpp"

#include <chrono>
#include <string>
#include <vector>

#include "core/status.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "flowctl/server.hpp"
#include "flowctl/text_file.hpp"

namespace flow::ctl {
namespace {

// What is read before it is sent; a server takes no larger message by default.
constexpr std::size_t kRequestBytesMax = 256 << 20;

struct PostArguments {
  Server server;
  std::string target = "grpc://localhost:12345";
  std::vector<std::string> texts;
  std::string json;
  std::string parameters;
  std::string executor;
};

absl::StatusOr<PostRequest> request_of(const PostArguments& options, const std::string& endpoint) {
  PostRequest request;
  if (!options.json.empty()) {
    FLOW_ASSIGN_OR_RETURN(const std::string text, read_text(options.json, kRequestBytesMax));
    auto read = read_request(text);
    if (!read.ok()) return core::with_context(read.status(), options.json);
    request = *std::move(read);
  }
  // What the command line says counts more than what the file says.
  if (endpoint != "/" || request.endpoint.empty()) request.endpoint = endpoint;
  if (!options.executor.empty()) request.target_executor = options.executor;
  if (!options.parameters.empty()) {
    auto parameters = read_parameters(options.parameters);
    if (!parameters.ok()) return core::with_context(parameters.status(), "--parameters");
    request.parameters = *std::move(parameters);
  }
  for (const std::string& text : options.texts) {
    request.documents.push_back(Document::of_text(text));
  }
  return request;
}

int run_post(const PostArguments& options) {
  const PostTarget target = split_endpoint(options.target);
  const auto request = request_of(options, target.endpoint);
  if (!request.ok()) return fail(request.status());
  Server server = options.server;
  server.url = target.url;
  Client client = server.client();
  PostOptions post;
  post.target_executor = request->target_executor;
  post.timeout = server.timeout;
  post.request_timeout = server.timeout;
  int exit_status = kExitOk;
  ResponseStream responses =
      client.stream(request->endpoint, request->documents, request->parameters, post);
  while (const auto response = responses.next()) {
    if (!response->status.ok()) exit_status = fail(response->status);
    if (response->request_id.empty()) continue;  // nobody answered
    const auto json = response_json(*response, request->endpoint);
    if (!json.ok()) return fail(json.status());
    print(*json + '\n');
  }
  return exit_status;
}

}  // namespace

void add_post(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "post", "Send documents to a Flow and print what comes back, one line of JSON per request");
  const auto options = options_of(command, chosen, run_post);
  options->server.timeout = std::chrono::minutes(1);
  command
      ->add_option("HOST/ENDPOINT", options->target,
                   "The Flow and the endpoint [grpc://localhost:12345/]")
      ->type_name("")
      ->check([](const std::string& text) {
        return std::string(core::message(parse_url(split_endpoint(text).url).status()));
      });
  command->add_option("--text", options->texts, "A document of this text; repeat it for several")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command
      ->add_option("--json", options->json,
                   "What POST /post takes, or a list of documents; - is standard input")
      ->type_name("FILE");
  command->add_option("--parameters", options->parameters, "A JSON object for the executors")
      ->type_name("JSON");
  command
      ->add_option("--target", options->executor,
                   "Only executors whose names start like this regular expression")
      ->type_name("REGEX");
  add_timeout(command, options->server.timeout, "In milliseconds; -1 waits forever [60000]");
  add_tls(command, options->server);
}

}  // namespace flow::ctl
