// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "gateway/services/error_answer.hpp"
#include "gateway/services/prefetch.hpp"
#include "gateway/services/traversal.hpp"
#include "gateway/services/websocket_messages.hpp"
#include "gateway/services/websockets.hpp"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

// The WebSocket /: requests in, an answer to each as it is ready, in the form of its request.
//
// A request that fails, in whatever way, is answered like any other: header.status is ERROR and
// says why, under the id of the request. The reference closes with 1011 when an executor cannot be
// reached, and with nothing when it cannot read a message; both end all other requests on the
// socket, so we do not. Jina's clients find the answer by its id, or wait for ever for one that has
// none; they raise BadServer with the description or call on_error, as for an executor that fails.
class DataSocket final : public WebSocketHandler {
 public:
  DataSocket(ServiceContext& context, WebSocket& socket)
      : context_(context),
        socket_(socket),
        prefetch_(prefetch_of("", context.config.gateway.prefetch)),
        waiter_(context.admission, [this] { socket_.input_wanted(); }) {}

  void on_message(WebSocketMessage message) override {
    if (finishing_) return;
    if (is_last(message)) return finish(CloseCode::Normal, "");
    absl::StatusOr<std::string> framed = read_request(message, context_.route, bytes_max());
    if (!framed.ok()) return send(message.kind, failure("", framed.status()));
    start(message.kind, *std::move(framed));
  }

  bool wants_message() override {
    // Whoever ends takes no more requests, and what comes still is not held back.
    if (finishing_) return true;
    return requests_.size() < prefetch_ && held_.bytes() <= core::limits::kStreamHeldMax &&
           waiter_.may_take();
  }

  void drain() override { finish(CloseCode::GoingAway, "the gateway is stopping"); }

 private:
  struct Request {
    Request(ServiceContext& context, WebSocketKind how)
        : kind(how), traversal(context, Traversal::Asker::Stream) {}

    const WebSocketKind kind;
    std::string id;
    std::uint64_t bytes = 0;
    Traversal traversal;
  };
  using Requests = std::list<Request>;

  void start(WebSocketKind kind, std::string framed) {
    const auto request = requests_.emplace(requests_.end(), context_, kind);
    // A traversal does not know the id of a request that it cannot read.
    request->id = wire::find_request_id(wire::payload(framed));
    BufferBudget& budget = context_.loop.budget();
    if (!budget.fair(framed.size(), held_.bytes()) || !held_.grow(budget, framed.size())) {
      return answer(request, core::error(absl::StatusCode::kResourceExhausted,
                                         "the gateway holds as many message bytes as it may; try "
                                         "again"));
    }
    request->bytes = framed.size();
    request->traversal.start(std::move(framed), std::nullopt,
                             [this, request](absl::StatusOr<std::string> result) {
                               answer(request, std::move(result));
                             });
  }

  void answer(Requests::iterator request, absl::StatusOr<std::string> result) {
    const WebSocketKind kind = request->kind;
    send(kind, result.ok() ? *std::move(result) : failure(request->id, result.status()));
    held_.shrink(request->bytes);
    requests_.erase(request);
    if (requests_.empty() && finishing_) return socket_.close(code_, reason_);
    socket_.input_wanted();
  }

  std::uint64_t bytes_max() const { return context_.config.gateway.max_message; }

  std::string failure(std::string_view request_id, const absl::Status& why) const {
    return error_answer(request_id, why, context_.readiness.verdict());
  }

  void send(WebSocketKind kind, std::string framed) {
    socket_.send(write_answer(kind, std::move(framed), bytes_max(), context_.readiness.verdict()));
  }

  // Takes no more requests and closes once those that were taken are answered.
  void finish(CloseCode code, std::string_view reason) {
    if (std::exchange(finishing_, true)) return;
    code_ = code;
    reason_ = reason;
    if (requests_.empty()) socket_.close(code_, reason_);
  }

  ServiceContext& context_;
  WebSocket& socket_;
  const std::size_t prefetch_;
  Admission::Waiter waiter_;
  bool finishing_ = false;
  CloseCode code_ = CloseCode::Normal;
  std::string_view reason_;   // a literal
  BufferBudget::Lease held_;  // requests that are not answered
  Requests requests_;
};

}  // namespace

std::unique_ptr<WebSocketHandler> make_data_socket(ServiceContext& context, WebSocket& socket) {
  return std::make_unique<DataSocket>(context, socket);
}

}  // namespace flow::gateway
