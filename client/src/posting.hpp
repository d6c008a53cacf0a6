// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "client/src/retry.hpp"
#include "client/src/splitter.hpp"
#include "client/src/transport.hpp"
#include "flow/client.hpp"

namespace flow::client {

// What all posts of a Client share.
struct Line {
  std::string url;
  std::unique_ptr<Transport> transport;
  RetryOptions retry;
  RetryBudget budget;
};

// One post: keeps as many requests on their way as it may, sends those again that may be, and gives
// the responses in order. Every request ends in exactly one response. Holds no more requests and
// responses than the window. Confined to one thread at a time.
class Posting {
 public:
  Posting(std::shared_ptr<Line> line, std::string endpoint, DocumentSource documents,
          Json::Object parameters, const PostOptions& options);

  // The next response; nothing after the last.
  std::optional<Response> next();

 private:
  struct Request {
    std::size_t index = 0;
    jina::DataRequestProto message;
    Deadline deadline;
    int attempts = 0;
  };

  std::optional<Response> take_finished();
  void send_while_there_is_room();
  // The next to be sent, if its time has come; makes it if there is none to be sent again.
  std::optional<Request> next_request();
  // Nothing if there are no more documents, or if they cannot be sent, which is then a response.
  std::optional<Request> make_request();
  void send(Request request);
  void receive();
  void accept(jina::DataRequestProto&& answer);
  void expire(Deadline now);
  // All that wait for answers are lost.
  void lose_waiting(const absl::Status& status);
  void finish(Request request, Response response);
  void finish(Request request, absl::Status status);

  const std::shared_ptr<Line> line_;  // shared with the Client, which this may outlive
  const std::string endpoint_;
  const Json::Object parameters_;
  const PostOptions options_;
  const Deadline deadline_;
  RetryPolicy retry_;
  Splitter splitter_;
  std::unique_ptr<Exchange> exchange_;

  std::size_t made_ = 0;
  std::size_t delivered_ = 0;
  std::deque<Request> again_;  // to be sent again, not before again_at_
  Deadline again_at_;
  std::deque<Request> waiting_;      // for their answers, in the order in which they were sent
  std::set<std::string> abandoned_;  // whose answers may still come
  std::map<std::size_t, Response> finished_;
};

}  // namespace flow::client
