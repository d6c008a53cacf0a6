// SPDX-License-Identifier: Apache-2.0
// Any bytes that the client of the gateway's port sends, in pieces of any size: the session that
// finds out what they are, HTTP/2 with its requests, and what becomes a WebSocket.
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "gateway/front/detecting_session.hpp"
#include "tests/fuzz/fuzz_check.hpp"
#include "tests/fuzz/scripted_connection.hpp"
#include "tests/fuzz/scripted_front.hpp"
#include "tests/unit/gateway/fake_front.hpp"
#include "tests/unit/gateway/fake_websockets.hpp"

namespace {

using namespace flow::gateway;
using flow::fuzz::check;

// The preface and SETTINGS without any, which a fuzzer would seldom leave as they are.
constexpr std::string_view kBegin("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

// Reads the frames that the server sends: a stream that it has ended stays so.
class FrameReader {
 public:
  void take(std::string_view bytes) {
    unread_.append(bytes);
    while (unread_.size() >= kHeaderSize) {
      const std::size_t size = number(0, 3);
      if (unread_.size() < kHeaderSize + size) return;
      see(number(3, 1), number(4, 1), number(5, 4));
      unread_.erase(0, kHeaderSize + size);
    }
  }

 private:
  static constexpr std::size_t kHeaderSize = 9;
  static constexpr std::size_t kData = 0;
  static constexpr std::size_t kHeaders = 1;
  static constexpr std::size_t kReset = 3;
  static constexpr std::size_t kLastType = 9;
  static constexpr std::size_t kEndStream = 1;

  std::size_t number(std::size_t at, std::size_t count) const {
    std::size_t value = 0;
    for (; count > 0; --count) value = value << 8 | static_cast<std::uint8_t>(unread_[at++]);
    return value;
  }

  void see(std::size_t type, std::size_t flags, std::size_t stream) {
    check(type <= kLastType, "a frame has a type");
    if (type == kReset) ended_.insert(stream);
    if (type != kData && type != kHeaders) return;
    check(stream % 2 == 1, "answers go to streams that the client opened");
    check(!ended_.contains(stream), "nothing follows the end of a stream");
    if ((flags & kEndStream) != 0) ended_.insert(stream);
  }

  std::string unread_;
  std::set<std::size_t> ended_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Loop loop;
  const Script script(data, size);
  ScriptedFront services(script.message_max());
  FakeWebSockets websockets;
  const Front front = services.front(&websockets);
  FakeOutput output;
  {
    DetectingSession session(loop, front, output);
    FrameReader client;
    ScriptedConnection connection(loop, session, services, [&](std::string_view bytes) {
      if (script.http2()) client.take(bytes);
    });
    connection.run(script, script.http2() ? kBegin : "");
  }
  check(services.open_requests() == 0 && websockets.open_sockets == 0, "no handler is left");
  check(loop.budget().used() == 0, "nothing is held afterwards");
  return 0;
}
