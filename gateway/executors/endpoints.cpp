// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/endpoints.hpp"

#include <algorithm>

namespace flow::gateway {
namespace {

constexpr std::string_view kDefault = "/default";

bool says(const google::protobuf::Struct& schema, const char* flag) {
  const auto found = schema.fields().find(flag);
  return found != schema.fields().end() && found->second.bool_value();
}

}  // namespace

void Endpoints::set(std::size_t position, const std::string& executor,
                    const jina::EndpointsProto& discovered) {
  ++version_;
  idempotent_.erase(position);
  for (auto next = all_.begin(); next != all_.end();) {
    const auto current = next++;
    std::erase_if(current->second, [&](const Offer& offer) { return offer.position == position; });
    if (current->second.empty()) all_.erase(current);
  }
  const auto& schemas = discovered.schemas().fields();
  for (const std::string& path : discovered.endpoints()) {
    const auto schema = schemas.find(path);
    Offers& offers = all_[path];
    if (schema != schemas.end() && says(schema->second.struct_value(), "idempotent")) {
      idempotent_[position].insert(path);
    }
    const auto at = std::ranges::lower_bound(offers, position, {}, &Offer::position);
    if (at != offers.end() && at->position == position) continue;  // said twice
    offers.insert(
        at, {position, executor,
             schema == schemas.end() ? google::protobuf::Struct() : schema->second.struct_value()});
  }
  counts_[position] = static_cast<std::size_t>(discovered.endpoints_size());
}

bool Endpoints::offers(std::size_t position, std::string_view path) const {
  const auto found = all_.find(path);
  return found != all_.end() &&
         std::ranges::binary_search(found->second, position, {}, &Offer::position);
}

bool Endpoints::serves(std::size_t position, std::string_view endpoint) const {
  const auto count = counts_.find(position);
  if (count == counts_.end() || count->second == 0) return true;
  return offers(position, endpoint) || offers(position, kDefault);
}

std::string_view Endpoints::taken_by(std::size_t position, std::string_view endpoint) const {
  return offers(position, endpoint) ? endpoint : kDefault;
}

bool Endpoints::idempotent(std::size_t position, std::string_view endpoint) const {
  const auto paths = idempotent_.find(position);
  return paths != idempotent_.end() && paths->second.contains(endpoint);
}

bool streams(const Endpoints::Offers& offers) {
  return std::ranges::all_of(
      offers, [](const Endpoints::Offer& offer) { return says(offer.schema, "is_generator"); });
}

}  // namespace flow::gateway
