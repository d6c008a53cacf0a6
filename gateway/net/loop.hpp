// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "boost/asio/io_context.hpp"
#include "boost/asio/steady_timer.hpp"
#include "gateway/net/clock.hpp"

namespace flow::gateway {

// Many deadlines on one timer. Deadlines are mostly cancelled, not reached, and mostly set further
// ahead than those that stand already: neither costs a system call. Confined to its loop.
class Alarms {
 public:
  explicit Alarms(boost::asio::io_context& io) : timer_(io) {}
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

 private:
  using Pending = std::multimap<Clock::time_point, std::function<void()>>;

 public:
  // One deadline; destroying it, or setting another, cancels it.
  class Alarm {
   public:
    Alarm() = default;
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;
    ~Alarm() { cancel(); }
    void set(Alarms& alarms, Clock::time_point when, std::function<void()> callback);
    void cancel();
    bool pending() const { return alarms_ != nullptr; }

   private:
    friend class Alarms;
    Alarms* alarms_ = nullptr;
    Pending::iterator entry_;
  };

  // The first deadline that stands. Whoever turns no loop calls fire() when its time has come.
  std::optional<Clock::time_point> next() const;
  // Calls those whose time has come.
  void fire();

 private:
  void arm();

  boost::asio::steady_timer timer_;
  Clock::time_point armed_ = Clock::time_point::max();
  Pending pending_;
};

// Counts the bytes of messages that are held for somebody slow. Confined to its loop.
class BufferBudget {
 public:
  explicit BufferBudget(std::uint64_t max) : max_(max) {}

  // A share of the budget, given back on destruction.
  class Lease {
   public:
    Lease() = default;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { release(); }
    // False, and nothing taken, if the budget does not have that much left.
    bool grow(BufferBudget& budget, std::uint64_t bytes);
    void shrink(std::uint64_t bytes);
    void release() { shrink(bytes_); }
    std::uint64_t bytes() const { return bytes_; }

   private:
    BufferBudget* budget_ = nullptr;
    std::uint64_t bytes_ = 0;
  };

  std::uint64_t used() const { return used_; }
  std::uint64_t left() const { return max_ - used_; }
  // May one who holds `held` take so much more? When the budget is short, nobody gets more than he
  // leaves to all others.
  bool fair(std::uint64_t bytes, std::uint64_t held) const {
    return used() < left() || held + 2 * bytes <= left();
  }

 private:
  std::uint64_t max_;
  std::uint64_t used_ = 0;
};

// What has output to write at the end of a round.
class Flushable : public std::enable_shared_from_this<Flushable> {
 public:
  virtual ~Flushable() = default;
  virtual void flush() = 0;
};

// One thread's event loop with what its connections share. Everything that is ready is handled
// first, then each connection that has output is flushed once: with many requests in a round, one
// write carries many answers. Confined to its thread.
class Loop {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::io_context& io() { return io_; }
  Alarms& alarms() { return alarms_; }
  BufferBudget& budget() { return budget_; }
  // Where a ready socket is read into; what was read must be consumed before the handler returns.
  std::span<char> read_buffer() { return read_buffer_; }

  // flush() is called once at the end of this round. The loop shares ownership until then.
  void flush_soon(std::shared_ptr<Flushable> flushable);

 private:
  boost::asio::io_context io_;
  Alarms alarms_;
  BufferBudget budget_;
  std::vector<char> read_buffer_;
  std::vector<std::shared_ptr<Flushable>> dirty_;
};

}  // namespace flow::gateway
