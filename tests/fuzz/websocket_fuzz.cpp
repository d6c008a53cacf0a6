// SPDX-License-Identifier: Apache-2.0
// What a client sends after the handshake: any bytes, in pieces of any size, with answers read or
// not. The first byte says how.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/text.hpp"
#include "gateway/websocket/server_session.hpp"
#include "tests/fuzz/fuzz_check.hpp"
#include "tests/unit/gateway/fake_front.hpp"
#include "tests/unit/gateway/fake_websockets.hpp"

namespace {

using namespace flow::gateway;
using flow::fuzz::check;

// As a connection does it: an error is the end, once the answer to it was taken.
void talk(WebSocketServerSession& session, std::string_view bytes, std::size_t piece, bool reads) {
  while (!bytes.empty()) {
    const std::string_view next = bytes.substr(0, piece);
    bytes.remove_prefix(next.size());
    const absl::Status status = session.receive(next);
    if (reads || !status.ok()) output_of(session);
    if (!status.ok()) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t how = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  static Loop loop;
  FakeFront fake;
  FakeWebSockets websockets;
  FakeOutput output;
  const Front front{fake, fake, 1 << 16, &websockets};
  {
    WebSocketServerSession session(loop, front, output,
                                   {.path = (how & 1) != 0 ? "/echo" : "/keep",
                                    .sub_protocol = {},
                                    .output = {},
                                    .input = {}});
    if ((how & 2) != 0) websockets.messages_max = 2;
    talk(session, bytes, std::size_t{1} << (how >> 4), (how & 4) != 0);
    if ((how & 8) != 0) session.drain();
    output_of(session);
    for (const WebSocketMessage& message : websockets.messages) {
      check(message.kind == WebSocketKind::Binary || flow::core::is_valid_utf8(message.payload),
            "text is UTF-8");
      check(message.payload.size() <= front.message_max, "a message is within the limit");
    }
  }
  check(loop.budget().used() == 0, "nothing is held afterwards");
  check(websockets.open_sockets == 0, "no handler is left");
  return 0;
}
