// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <utility>

#include "gateway/net/loop.hpp"

namespace flow::gateway {

// How many data requests are underway: at most max_in_flight. A caller with one request cannot wait
// and is refused; a stream is held back until its turn comes. So that neither kind starves the
// other, streams leave a quarter of the places to callers, and while streams wait callers leave a
// quarter to them. Streams that wait take turns, one request each.
//
// Nobody waits while holding what another one waits for: a place is given back when its request
// ends, whoever reads the answer when. Confined to its loop.
class Admission {
 public:
  enum class Kind { Call, Stream };

  Admission(Loop& loop, std::uint32_t places) : loop_(loop), places_(places) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // A request's place, given back on destruction. Empty if there was none.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : Place() { swap(other); }
    Place& operator=(Place&& other) noexcept {
      Place(std::move(other)).swap(*this);
      return *this;
    }
    ~Place() {
      if (admission_ != nullptr) admission_->give_back(kind_);
    }
    explicit operator bool() const { return admission_ != nullptr; }

   private:
    friend class Admission;
    Place(Admission& admission, Kind kind) : admission_(&admission), kind_(kind) {}
    void swap(Place& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(kind_, other.kind_);
    }
    Admission* admission_ = nullptr;
    Kind kind_ = Kind::Call;
  };

  Place take(Kind kind);
  std::uint32_t taken() const { return taken_; }

  // One stream that takes places as they become free.
  class Waiter {
   public:
    // `on_turn` is called when it is worth asking again; it does not destroy this.
    Waiter(Admission& admission, std::function<void()> on_turn)
        : admission_(admission), on_turn_(std::move(on_turn)) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter();
    // May the stream take a place now? If not, it stands in line from here on.
    bool may_take();

   private:
    friend class Admission;
    Admission& admission_;
    const std::function<void()> on_turn_;
    bool waiting_ = false;
  };

 private:
  // What one kind always leaves to the other.
  std::uint32_t reserve() const { return places_ / 4; }
  bool has_place(Kind kind) const;
  void give_back(Kind kind);
  void give_turns();

  Loop& loop_;
  const std::uint32_t places_;
  std::uint32_t taken_ = 0;
  std::uint32_t taken_by_streams_ = 0;
  std::list<Waiter*> waiting_;
  Waiter* turn_ = nullptr;  // whose it is, while it is asked
  Alarms::Alarm soon_;
};

}  // namespace flow::gateway
