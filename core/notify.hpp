// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The service manager's notify protocol (man sd_notify), spoken by every child to flow-host and by
// flow-host to systemd: datagrams of KEY=value lines to the socket that $NOTIFY_SOCKET names.
namespace flow::core {

// Keys beyond systemd's own READY=1, STOPPING=1 and STATUS=text.
namespace notify_key {
// Which executor a message is about, if several share a process; otherwise it is about all of it.
inline constexpr std::string_view kExecutor = "X_FLOW_EXECUTOR";
// Why the process is about to exit with status 1, in words for people.
inline constexpr std::string_view kFailure = "X_FLOW_FAILURE";
// Where the gateway listens, as parse_address reads it; flow-host says it with READY=1.
inline constexpr std::string_view kFlowAddress = "X_FLOW_ADDRESS";
// The gateway's verdict on the whole Flow, "1" or "0"; STATUS says why not.
inline constexpr std::string_view kFlowReady = "X_FLOW_READY";
// The executor hangs, in words for people: it serves nobody any more, and its process is to be
// ended and replaced. May be said again when more is known.
inline constexpr std::string_view kHung = "X_FLOW_HUNG";
// Beside it, when all is said: where the plugin's stuck threads are, as joined_lines() has it;
// empty if that is not known.
inline constexpr std::string_view kStack = "X_FLOW_STACK";
// The gateway on the successor of a replica, "NAME/rep-0 PID": all calls go to it now; or none
// will, and after a blank follows why.
inline constexpr std::string_view kMoved = "X_FLOW_MOVED";
inline constexpr std::string_view kRefused = "X_FLOW_REFUSED";
}  // namespace notify_key

// And the other way: the largest packet (of proto/flow/v1/control.proto) that flow-host sends to
// the gateway. The stacks of two processes are most of it, kStackBytesMax each.
inline constexpr std::size_t kControlPacketMax = 128 << 10;

using NotifyMessage = std::map<std::string, std::string, std::less<>>;

// A value keeps its line breaks out of the protocol: they become blanks.
std::string format_notify(const NotifyMessage& message);
// Several lines as one value, which cannot have line breaks: with tabs between them.
std::string joined_lines(const std::vector<std::string>& lines);
std::vector<std::string> split_lines(std::string_view value);
// Lines without '=' are an error; of two lines with one key the last counts.
absl::StatusOr<NotifyMessage> parse_notify(std::string_view datagram);

// Sends to the socket that $NOTIFY_SOCKET named when this was constructed (a path, or '@' and an
// abstract name); does nothing if it named none. Takes the variable out of the environment, so
// that no grandchild speaks in our name: construct before any thread exists. Thread-safe.
class Notifier {
 public:
  Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;
  ~Notifier();

  // Waits for room in the receiver's queue, for kNotifySendTimeout at the most, and after that in
  // vain not again until one got through; a message that cannot be sent is lost, as the protocol
  // has it.
  void send(const NotifyMessage& message) const;

 private:
  std::string address_;  // as for sockaddr_un, a leading NUL for abstract names; empty: none
  int socket_ = -1;
  mutable std::atomic<bool> patient_ = true;  // the last message got through
};

// Called first in a supervised child's main(): if $FLOW_SUPERVISOR_PID is set, asks the kernel for
// SIGKILL when that parent dies, and fails if it has died already. Nothing to do if unset.
absl::Status follow_supervisor();

}  // namespace flow::core
