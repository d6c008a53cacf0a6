// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <list>
#include <memory>

#include "gateway/readiness/verdict.hpp"

namespace flow::gateway {

// The current verdict, and who wants to hear of the next one. Reading it costs a pointer. Confined
// to its loop.
class Readiness {
 public:
  explicit Readiness(const FlowView& flow) : verdict_(judge(flow)) {}

  const Verdict& verdict() const { return *verdict_; }
  void publish(const FlowView& flow);

  // A wish to hear of each new verdict; destroying it ends it.
  class Subscription {
   public:
    Subscription(Readiness& readiness, std::function<void()> callback);
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    ~Subscription();

   private:
    Readiness& readiness_;
    std::list<std::function<void()>>::iterator entry_;
  };

 private:
  std::shared_ptr<const Verdict> verdict_;
  std::list<std::function<void()>> subscribers_;
};

}  // namespace flow::gateway
