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

constexpr std::string_view kDefault = "/default";

bool says(const Struct& schema, const std::string& flag) {
  const Value* value = member(schema, flag);
  return value != nullptr && value->bool_value();
}

// Each of them, that is: who asks is answered by all.
bool all_say(const Endpoints::Offers& offers, const std::string& flag) {
  return std::ranges::all_of(
      offers, [&](const Endpoints::Offer& offer) { return says(offer.schema, flag); });
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
    offers.insert(at, {position, executor,
                       schema == schemas.end() ? Struct() : schema->second.struct_value()});
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
    for (const char* flag : {"is_generator", "idempotent"}) {
      (*combined.mutable_fields())[flag].set_bool_value(all_say(offers, flag));
    }
  }
  return combined;
}

bool streams(const Endpoints::Offers& offers) { return all_say(offers, "is_generator"); }

}  // namespace flow::gateway
