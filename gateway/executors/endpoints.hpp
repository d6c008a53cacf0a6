// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/struct.pb.h"
#include "jina.pb.h"

namespace flow::gateway {

// What the executors of the Flow serve, as they have said when they were asked. Confined to its
// loop.
class Endpoints {
 public:
  // One executor's part in an endpoint.
  struct Offer {
    std::size_t position = 0;  // in the order of the graph
    std::string executor;
    // What it takes and gives, as JSON schemas: "input", "output", "parameters", "is_generator",
    // "summary" and more. Empty if it does not say.
    google::protobuf::Struct schema;
  };
  using Offers = std::vector<Offer>;  // in the order of the graph, at least one

  // What an executor says now, instead of what it said before.
  void set(std::size_t position, const std::string& executor,
           const jina::EndpointsProto& discovered);

  // An executor that has said nothing yet, or nothing that we understand, is taken to serve
  // everything.
  bool serves(std::size_t position, std::string_view endpoint) const;

  // The endpoint of its own that a request for this one goes to: itself, or else "/default".
  std::string_view taken_by(std::size_t position, std::string_view endpoint) const;
  // Does the executor say that this one of its endpoints may run twice?
  bool idempotent(std::size_t position, std::string_view endpoint) const;
  bool any_idempotent() const { return !idempotent_.empty(); }

  // By path ("/index"), sorted.
  const std::map<std::string, Offers, std::less<>>& all() const { return all_; }

  // Another number after each set(): for who keeps what he made of all().
  std::uint64_t version() const { return version_; }

 private:
  std::map<std::string, Offers, std::less<>> all_;
  bool offers(std::size_t position, std::string_view path) const;

  std::map<std::size_t, std::size_t> counts_;  // of endpoints, by executor
  std::map<std::size_t, std::set<std::string, std::less<>>> idempotent_;  // paths, by executor
  std::uint64_t version_ = 0;
};

// What a caller of the Flow sees of an endpoint, in the form of Offer::schema: the input of the
// first executor that serves it, the output of the last, the parameters of the first that takes
// some. Empty if none of them says anything.
google::protobuf::Struct combined_schema(const Endpoints::Offers& offers);

// Does it answer with a stream of documents? It does if all that serve it say so.
bool streams(const Endpoints::Offers& offers);

}  // namespace flow::gateway
