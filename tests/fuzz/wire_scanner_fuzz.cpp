// SPDX-License-Identifier: Apache-2.0
// Any bytes are cut without stepping outside of them, as a message and as a stream of frames.
#include <string>
#include <vector>

#include "fuzz_check.hpp"
#include "jina.pb.h"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

using fuzz::check;

void check_fields(std::string_view message) {
  WireReader reader(message);
  std::size_t covered = 0;
  while (const auto field = reader.next()) {
    covered += field->whole.size();
    check(field->bytes.size() <= field->whole.size(), "a field is inside of itself");
  }
  check(reader.malformed() ? covered <= message.size() : covered == message.size(),
        "fields lie side by side");
}

void check_request(std::string_view message) {
  const auto view = scan_data_request(message);
  if (view.ok()) {
    const std::string framed = executor_request(*view, "id", view->exec_endpoint);
    const auto again = scan_data_request(payload(framed));
    check(again.ok() && again->canonical, "what an executor is sent is canonical");
    check(again->data == view->data && again->parameters == view->parameters,
          "documents and parameters pass unchanged");
    const std::string response = caller_response(*view, "id", view->exec_endpoint, {});
    check(scan_data_request(payload(response)).ok(), "what a caller is sent can be scanned");
  }
  const auto canonical = canonicalise_data_request(message);
  if (canonical.ok()) {
    check(scan_data_request(*canonical).ok(), "what was made canonical can be scanned");
  }
}

// The messages of a stream that arrives in pieces, and whether it ended in an error.
std::pair<std::vector<std::string>, bool> messages(std::string_view stream, std::size_t piece) {
  constexpr std::uint64_t kMessageMax = 1 << 16;
  MessageReader reader(kMessageMax);
  std::vector<std::string> result;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const absl::Status status = reader.feed(
        stream.substr(at, piece), [&](std::string framed) { result.push_back(std::move(framed)); });
    if (!status.ok()) return {std::move(result), true};
  }
  return {std::move(result), false};
}

void check_stream(std::string_view stream) {
  const auto whole = messages(stream, stream.size() + 1);
  check(whole == messages(stream, 1) && whole == messages(stream, 7), "pieces make no difference");
  std::string together;
  for (const std::string& framed : whole.first) {
    check(framed == frame(payload(framed)), "a message is framed");
    together += framed;
  }
  check(stream.starts_with(together), "messages are what was sent");
}

}  // namespace
}  // namespace flow::wire

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  flow::wire::check_fields(bytes);
  flow::wire::check_request(bytes);
  flow::wire::check_stream(bytes);
  return 0;
}
