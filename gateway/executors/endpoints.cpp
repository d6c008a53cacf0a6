// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/endpoints.hpp"

#include <algorithm>

namespace flow::gateway {

void Endpoints::set(std::size_t position, const std::string& executor,
                    const jina::EndpointsProto& discovered) {
  ++version_;
  for (auto next = all_.begin(); next != all_.end();) {
    const auto current = next++;
    std::erase_if(current->second, [&](const Offer& offer) { return offer.position == position; });
    if (current->second.empty()) all_.erase(current);
  }
  const auto& schemas = discovered.schemas().fields();
  for (const std::string& path : discovered.endpoints()) {
    const auto schema = schemas.find(path);
    Offers& offers = all_[path];
    const auto at = std::ranges::lower_bound(offers, position, {}, &Offer::position);
    if (at != offers.end() && at->position == position) continue;  // said twice
    offers.insert(
        at, {position, executor,
             schema == schemas.end() ? google::protobuf::Struct() : schema->second.struct_value()});
  }
  counts_[position] = static_cast<std::size_t>(discovered.endpoints_size());
}

bool Endpoints::serves(std::size_t position, std::string_view endpoint) const {
  const auto count = counts_.find(position);
  if (count == counts_.end() || count->second == 0) return true;
  const auto offers = [&](std::string_view path) {
    const auto found = all_.find(path);
    return found != all_.end() &&
           std::ranges::binary_search(found->second, position, {}, &Offer::position);
  };
  return offers(endpoint) || offers("/default");
}

bool streams(const Endpoints::Offers& offers) {
  return std::ranges::all_of(offers, [](const Endpoints::Offer& offer) {
    const auto& fields = offer.schema.fields();
    const auto flag = fields.find("is_generator");
    return flag != fields.end() && flag->second.bool_value();
  });
}

}  // namespace flow::gateway
