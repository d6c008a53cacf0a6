// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"

// The two things that flow-host shows on its standard output, as text.
namespace flow::host {

// How many columns of a terminal a UTF-8 text takes.
std::size_t display_width(std::string_view text);

// "GRPC · HTTP (TLS)": what the gateway's port speaks.
std::string protocols_text(const core::GatewayConfig& gateway);

// The box that says where the Flow is served. `private_ip`: this machine's address for others, or
// empty; shown if the gateway listens on all interfaces.
std::string ready_panel(const std::string& protocols, const std::string& gateway_address,
                        const std::string& private_ip);

// "2 Deployments (i.e. 2 Pods) are running in this Flow "
std::string deployments_line(std::size_t deployments, std::size_t pods);

// "⠋ Waiting executor0 gateway 1/3 0:00:02", cut to `columns` so that it never wraps.
std::string progress_line(std::size_t frame, const std::vector<std::string>& waiting_for,
                          std::size_t total, std::chrono::seconds elapsed, std::size_t columns);

}  // namespace flow::host
