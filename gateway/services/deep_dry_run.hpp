// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/readiness/verdict.hpp"

namespace flow::gateway {

struct ServiceContext;
class Traversal;

// A real request to every executor, "_jina_dry_run_", to see whether it comes back in time. Whoever
// asks while one is underway hears how that one ends, so that many who ask cost as little as one.
// It is not counted as a request in flight: an overloaded gateway is probed all the same. Confined
// to its loop.
class DeepDryRun {
 public:
  explicit DeepDryRun(ServiceContext& context);
  DeepDryRun(const DeepDryRun&) = delete;
  DeepDryRun& operator=(const DeepDryRun&) = delete;
  ~DeepDryRun();

  // Somebody who asks; destroying it takes the question back.
  class Question {
   public:
    explicit Question(DeepDryRun& run) : run_(run) {}
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question();
    // Once. `answer` is called once; perhaps before this returns, and it may destroy this.
    void ask(std::function<void(const DryRunAnswer&)> answer);

   private:
    friend class DeepDryRun;
    DeepDryRun& run_;
    std::function<void(const DryRunAnswer&)> answer_;  // null: none is expected
  };

 private:
  void start();
  void finish(const absl::StatusOr<std::string>& result);

  ServiceContext& context_;
  std::list<Question*> asking_;
  std::unique_ptr<Traversal> traversal_;
  bool telling_ = false;
};

}  // namespace flow::gateway
