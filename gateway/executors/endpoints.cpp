// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/endpoints.hpp"

#include <algorithm>

namespace flow::gateway {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

const Value* member(const Struct& schema, const std::string& name) {
  const auto found = schema.fields().find(name);
  return found == schema.fields().end() ? nullptr : &found->second;
}

// {"name": ..., "model": null} says as little as nothing.
bool says_something(const Value* described) {
  if (described == nullptr || !described->has_struct_value()) return false;
  const Value* model = member(described->struct_value(), "model");
  return model != nullptr && model->has_struct_value();
}

}  // namespace

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
    offers.insert(at, {position, executor,
                       schema == schemas.end() ? Struct() : schema->second.struct_value()});
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

Struct combined_schema(const Endpoints::Offers& offers) {
  Struct combined = offers.front().schema;
  const auto take = [&combined](const Endpoints::Offer& offer, const std::string& name) {
    if (const Value* value = member(offer.schema, name)) {
      (*combined.mutable_fields())[name] = *value;
    }
  };
  take(offers.back(), "output");
  const auto parameters = std::ranges::find_if(offers, [](const Endpoints::Offer& offer) {
    return says_something(member(offer.schema, "parameters"));
  });
  if (parameters != offers.end()) take(*parameters, "parameters");
  if (!combined.fields().empty()) {
    (*combined.mutable_fields())["is_generator"].set_bool_value(streams(offers));
  }
  return combined;
}

bool streams(const Endpoints::Offers& offers) {
  return std::ranges::all_of(offers, [](const Endpoints::Offer& offer) {
    const Value* flag = member(offer.schema, "is_generator");
    return flag != nullptr && flag->bool_value();
  });
}

}  // namespace flow::gateway
