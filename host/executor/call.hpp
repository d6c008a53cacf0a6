// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/plugin.h"
#include "host/executor/documents.hpp"
#include "host/stack/stack.hpp"
#include "jina.pb.h"

// The opaque type of the ABI: plugins hold pointers to it, and each is a flow::host::Call.
struct flow_call {};

namespace flow::host {

// How a call ended.
struct Outcome {
  flow_status status = FLOW_OK;
  std::string text;                                       // what the plugin said about it, or we
  enum class Started { No, Yes } started = Started::Yes;  // did the plugin see the call?
  // Yes: we gave the call up, and the plugin still uses the message: nobody else may touch it.
  enum class Held { No, Yes } held = Held::No;
  std::vector<std::string> stack{};  // lines; where the exception was thrown, if one was the reason
};

// Whoever waits for a call: the RPC behind it.
class CallOrigin {
 public:
  // Once per call, on any thread. The plugin does not touch the message any more, unless `outcome`
  // says so.
  virtual void call_finished(const Outcome& outcome) = 0;
  // The host stops and time is up. `Ask`: the plugin is asked to end the call, whoever waits on its
  // behalf shall give up. `Cut`: the RPC itself has to end. On any thread, under the call's lock.
  enum class Stop { Ask, Cut };
  virtual void call_stopping(Stop stop) = 0;

 protected:
  ~CallOrigin() = default;
};

// Where the parts of an answer go if the caller takes it in parts.
class CallStream {
 public:
  using Part = std::vector<std::unique_ptr<docarray::DocumentProto>>;

  // Waits while the caller reads more slowly than the plugin emits, but not for ever.
  // FLOW_CANCELLED: nobody will read all of this. Either way the request's own documents must stay
  // as they are until the call has ended, since the plugin still sees them. On the plugin's thread,
  // perhaps after call_finished() of a call that was given up.
  virtual flow_status write(Part part) = 0;

 protected:
  ~CallStream() = default;
};

struct CallSpec {
  CallOrigin* origin = nullptr;
  CallStream* stream = nullptr;  // nullptr: parts are collected in the message
  jina::DataRequestProto* message = nullptr;
  const google::protobuf::Struct* parameters = nullptr;  // nullptr: the message's own
  std::string_view endpoint;                             // of the message
  std::string_view trace;                                // W3C traceparent, or empty
  std::uint64_t deadline_ns = UINT64_MAX;                // CLOCK_MONOTONIC
  std::uint64_t bytes_max = UINT64_MAX;  // of one value that the plugin sets, of what it emits
  // Keeps all that the above refer to, except for `origin`, for as long as the plugin may use it.
  std::shared_ptr<const void> keep;
};

class CallPool;

// One process() from the moment its request is accepted until nobody can touch it any more: the RPC
// is done, process() has returned and cancel() has returned. Whatever a plugin does with
// call_finish (rule A9), the call ends exactly once. If it does nothing for too long, the call can
// be given up: its RPC ends, and the rest goes on without it.
//
//   Queued --start--> Running --returned(final)--------------------------> Over
//      |                 |----returned(PENDING)--> Pending --finish------> Over
//      |                 '----finish--> FinishedEarly --returned(any)----> Over
//      '-- expired or cancelled ----------------------------------------> Over
//
// Thread-safe, but for documents(), which follow the ABI's [call].
class Call : public flow_call {
 public:
  enum class State { Unused, Queued, Running, FinishedEarly, Pending, Over };
  enum class Finish { Accepted, Ignored };

  explicit Call(CallPool& pool) : pool_(pool) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // ---- by the pool
  void begin(const CallSpec& spec, std::uint32_t tag);
  void clear();

  // ---- by the dispatcher
  // False if the call is over instead, since its caller left or its deadline passed.
  bool start(std::uint64_t now_ns);
  // process() has returned. Nobody but the plugin may touch the call after FLOW_PENDING; true if
  // the plugin must be told that the caller left meanwhile.
  enum class AfterReturn { Nothing, TellCancel };
  AfterReturn returned(flow_status status, std::uint32_t plugin_flags);
  // Ends a call that was never started.
  void refuse(flow_status status, std::string_view text);

  // ---- by the RPC
  // The caller is gone; true if the plugin must be told.
  bool caller_left();
  // The RPC is over: gives up its hold, and its origin is not spoken to any more.
  void origin_left();

  // ---- by whoever stops the executor
  // Does nothing to a call that is not in use; true if the plugin must be told.
  bool stop(CallOrigin::Stop how);
  bool is_stopping() const { return stopping_.load(std::memory_order_relaxed); }

  // ---- by the watchdog
  // When the plugin last gave a sign of life; nullopt if it does not have the call in hand, or
  // waits in call_emit for a slow reader, or if it was given up before.
  std::optional<std::uint64_t> silent_since() const;
  struct GivenUp {
    pid_t thread;      // the one that is inside process(); 0: it returned FLOW_PENDING
    bool tell_cancel;  // the plugin must be told
  };
  // Nothing if the plugin did give a sign after `since_ns`. Otherwise the plugin's hold of the call
  // and its RPC part: from now on it does not matter how the plugin ends the call, and the RPC has
  // to be told by answer_given_up(), once.
  std::optional<GivenUp> give_up(std::uint64_t since_ns);
  void answer_given_up(flow_status status, std::string text);

  // ---- by whoever tells the plugin
  // True once, and only while the call is pending.
  bool begin_cancel();

  // ---- by the plugin, through flow_host
  Finish finish(flow_status status);  // logs what it ignores
  // `thrown_at`: where the exception was thrown that this is about; nullptr: it is about none.
  void set_error(std::string_view text, const RawStack* thrown_at = nullptr);
  // FLOW_CANCELLED says that an answer without this part is none: the call cannot end well any
  // more.
  flow_status emit();
  flow_status refuse_emit();  // for a plugin that did not say that it streams
  void progress();
  bool is_cancelled() const;
  bool is_alive() const;  // between the start of process() and the end of the call
  Documents& documents() { return *documents_; }
  // What process() gets: it lives as long as the call, since an asynchronous plugin may keep it.
  flow_request& request() { return request_; }
  const flow_request& request() const { return request_; }

  // ---- keeping it
  void hold() { holders_.fetch_add(1, std::memory_order_relaxed); }
  void release();

  const CallSpec& spec() const { return spec_; }
  State state() const { return state_.load(std::memory_order_acquire); }

 private:
  void end(flow_status status);  // state_ is Over already
  bool cancel_locked();
  flow_status emit_unless_cancelled();

  CallPool& pool_;
  CallSpec spec_;
  std::optional<Documents> documents_;
  flow_request request_{};
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> lacks_a_part_{false};
  std::atomic<bool> emitting_{false};
  std::atomic<bool> given_up_{false};
  std::atomic<std::uint64_t> progress_ns_{0};
  std::atomic<std::uint32_t> holders_{0};

  mutable std::mutex mutex_;  // guards what follows; state_ may be read without
  std::atomic<State> state_{State::Unused};
  flow_status early_status_ = FLOW_OK;
  bool cancel_told_ = false;
  pid_t thread_ = 0;  // inside process()
  std::string error_;
  std::optional<RawStack> thrown_at_;
};

}  // namespace flow::host
