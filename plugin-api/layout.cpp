// SPDX-License-Identifier: Apache-2.0
//
// The header is also C++, with the same layout, and its structs are plain data in C++'s sense.
#include <type_traits>

#include "layout.c"  // NOLINT(bugprone-suspicious-include): the same assertions in the other language

template <class... T>
constexpr bool plain = (... && (std::is_standard_layout_v<T> && std::is_trivial_v<T>));

static_assert(plain<flow_str, flow_bytes, flow_dtype, flow_tensor, flow_value, flow_doc, flow_docs,
                    flow_request, flow_host, flow_plugin>);
