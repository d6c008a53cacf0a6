// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "google/protobuf/struct.pb.h"

namespace flow::host {

// A request's parameters as one executor sees them. Some are for an executor by name, in the two
// forms of the reference: "name__key": v, which others do not see, and "name": {"key": v}. Either
// becomes "key": v and goes before a plain "key". nullopt: they are for everybody as they stand.
std::optional<google::protobuf::Struct> parameters_for(std::string_view executor,
                                                       const google::protobuf::Struct& all);

}  // namespace flow::host
