// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "gateway/net/session.hpp"
#include "tests/fuzz/fuzz_check.hpp"
#include "tests/fuzz/scripted_front.hpp"

namespace flow::gateway {

// An input of a fuzz target, cut up: how a connection goes, and what its client sends. The first
// byte says the former in large, as many bytes as its lower half says do so piece by piece, again
// and again; all others are sent.
class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) {
    std::string_view all(reinterpret_cast<const char*>(data), size);
    if (!all.empty()) how_ = static_cast<std::uint8_t>(all.front());
    all.remove_prefix(std::min<std::size_t>(all.size(), 1));
    steps_ = all.substr(0, how_ & 0x0f);
    bytes_ = all.substr(steps_.size());
  }

  // What the client sends.
  std::string_view bytes() const { return bytes_; }
  // It is HTTP/2, and begins as it should.
  bool http2() const { return (how_ & 0x80) != 0; }
  bool little_room() const { return (how_ & 0x40) != 0; }
  std::uint64_t message_max() const { return (how_ & 0x20) != 0 ? 64 : 1 << 16; }
  // Afterwards the gateway stops; otherwise the client vanishes.
  bool drains() const { return (how_ & 0x10) != 0; }

  struct Step {
    std::size_t piece;
    bool act;            // somebody who waits does something
    bool take;           // the client reads
    bool take_a_little;  // but less than there is
    bool minute;         // passes
  };
  Step step(std::size_t index) const {
    const auto bits =
        static_cast<std::uint8_t>(steps_.empty() ? '\x3f' : steps_[index % steps_.size()]);
    return {.piece = std::size_t{1} << (bits & 0x0f),
            .act = (bits & 0x10) != 0,
            .take = (bits & 0x20) != 0,
            .take_a_little = (bits & 0x40) != 0,
            .minute = (bits & 0x80) != 0};
  }

 private:
  std::uint8_t how_ = 0;
  std::string_view steps_;
  std::string_view bytes_;
};

// The owner of a session, as Connection is, with a script instead of a socket. Checks what any
// session must keep to. Confined to its loop.
class ScriptedConnection {
 public:
  // `on_output` is given what the client reads.
  ScriptedConnection(Loop& loop, Session& session, ScriptedFront& front,
                     std::function<void(std::string_view)> on_output)
      : loop_(loop), session_(session), front_(front), on_output_(std::move(on_output)) {}

  // `begin` is sent before what the script says.
  void run(const Script& script, std::string_view begin = "") {
    if (script.little_room()) {
      // Sessions have what is left: with the rest there is no memory to fill.
      (void)taken_room_.grow(loop_.budget(), loop_.budget().left() - kLittleRoom);
    }
    if (!begin.empty()) receive(begin);
    send(script);
    if (!closed_ && script.drains()) drain();
    if (!closed_) close();
  }

 private:
  static constexpr std::uint64_t kLittleRoom = 2000;
  static constexpr std::size_t kAtOnce = 64 << 10;
  // More than any connection needs to come to its end.
  static constexpr int kRounds = 32;

  void send(const Script& script) {
    std::string_view bytes = script.bytes();
    for (std::size_t index = 0; !bytes.empty() && !closed_; ++index) {
      const Script::Step step = script.step(index);
      const bool paused = session_.paused();
      if (!paused) {
        const std::string_view piece = bytes.substr(0, step.piece);
        bytes.remove_prefix(piece.size());
        receive(piece);
      }
      if (closed_) return;
      if (step.act || paused) front_.act();
      if (step.minute) sweep(std::chrono::minutes(1));
      if (closed_) return;
      if (step.take_a_little) take(16);
      if (step.take || paused) take_all();
      pass_alarms();
      check_room();
    }
  }

  void receive(std::string_view bytes) {
    received_ += bytes.size();
    // Of the very size, so that a step beyond the end is seen.
    const std::string copy(bytes);
    end_if(session_.receive(copy));
  }

  void sweep(Clock::duration time) { end_if(session_.sweep(Clock::now() + time)); }

  // Everybody has what he needs to come to an end, and time passes.
  void drain() {
    session_.drain();
    for (int round = 0; round < kRounds && !closed_; ++round) {
      for (int waiting = front_.open_requests(); waiting > 0; --waiting) front_.act();
      take_all();
      pass_alarms();
      if (!closed_) sweep(std::chrono::minutes(2 * (round + 1)));
    }
    fuzz::check(closed_, "a drain ends");
  }

  // An error is the end, once the answer to it was taken.
  void end_if(const absl::Status& status) {
    if (status.ok()) return;
    fuzz::check(!status.message().empty(), "an error says what is wrong");
    take_all();
    if (!closed_) close();
  }

  bool take(std::size_t limit) {
    std::string part;
    session_.produce(part, limit);
    if (part.empty()) {
      if (session_.finished()) close();
      return false;
    }
    on_output_(part);
    return true;
  }
  void take_all() {
    while (!closed_ && take(kAtOnce)) {
    }
  }

  void pass_alarms() {
    loop_.io().restart();
    loop_.io().poll();
  }

  void check_room() {
    fuzz::check(loop_.budget().used() - taken_room_.bytes() <= received_ + front_.may_hold(),
                "no more is held than came and was answered");
  }

  void close() {
    closed_ = true;
    session_.disconnected(core::error(absl::StatusCode::kUnavailable, "closed"));
    fuzz::check(front_.open_requests() == 0, "nobody works for a client that is gone");
  }

  Loop& loop_;
  Session& session_;
  ScriptedFront& front_;
  const std::function<void(std::string_view)> on_output_;
  BufferBudget::Lease taken_room_;
  std::uint64_t received_ = 0;
  bool closed_ = false;
};

}  // namespace flow::gateway
