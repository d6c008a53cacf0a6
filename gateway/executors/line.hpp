// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

namespace flow::gateway {

// Who waits for something of an executor, in the order of arrival. Who has his turn and cannot use
// it keeps his place. Knows no time: whoever waits sees to his own deadline. Confined to its loop.
class Line {
 public:
  // One who waits, or may. Leaves on destruction; the line outlives it.
  class Place {
   public:
    Place() = default;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { leave(); }
    bool waiting() const { return line_ != nullptr; }
    void leave();

   private:
    friend class Line;
    Line* line_ = nullptr;
    std::uint64_t number_ = 0;
    std::function<void()> on_turn_;
  };

  // At the end. `on_turn` may leave, and may destroy its place and others.
  void join(Place& place, std::function<void()> on_turn);
  // Everybody who waits now, one after the other, while there is still something to be had.
  void give_turns(const std::function<bool()>& more);

  std::size_t size() const { return waiting_.size(); }
  bool empty() const { return waiting_.empty(); }

 private:
  std::map<std::uint64_t, Place*> waiting_;
  std::uint64_t last_number_ = 0;
};

}  // namespace flow::gateway
