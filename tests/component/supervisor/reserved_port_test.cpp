// SPDX-License-Identifier: Apache-2.0
//
// What the kernel makes of a port that is bound and not listened on: all that
// docs/decisions/0009-ports-are-reserved-by-the-supervisor.md relies on.
#include "host/supervisor/reserved_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/net_address.hpp"
#include "core/status.hpp"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

struct Bound {
  core::UniqueFd socket;
  int error = 0;
};

Bound bind_to(std::uint16_t port, std::initializer_list<int> options) {
  Bound bound{core::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  const int on = 1;
  for (const int option : options) {
    ::setsockopt(bound.socket.get(), SOL_SOCKET, option, &on, sizeof on);
  }
  const sockaddr_in address = loopback(port);
  if (::bind(bound.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
      0) {
    bound.error = errno;
  }
  return bound;
}

// As gRPC and flow-gateway do it.
Bound bind_as_child(std::uint16_t port) { return bind_to(port, {SO_REUSEADDR, SO_REUSEPORT}); }

int connect_to(std::uint16_t port, core::UniqueFd* keep = nullptr) {
  core::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  const int result =
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = result == 0 ? 0 : errno;
  if (keep != nullptr) *keep = std::move(socket);
  return error;
}

std::uint16_t port_of(const ReservedPort& reserved) {
  return core::parse_address(reserved.address)->port;
}

class ReservedPortTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto port = reserve_port("127.0.0.1", 0);
    ASSERT_TRUE(port.ok()) << port.status();
    reserved_ = *std::move(port);
    port_ = port_of(reserved_);
  }

  ReservedPort reserved_;
  std::uint16_t port_ = 0;
};

TEST_F(ReservedPortTest, PortZeroBecomesAKnownOne) {
  EXPECT_NE(port_, 0);
  EXPECT_TRUE(reserved_.address.starts_with("127.0.0.1:"));
}

TEST_F(ReservedPortTest, ConnectingIsRefusedWhileNobodyListens) {
  EXPECT_EQ(connect_to(port_), ECONNREFUSED);
}

TEST_F(ReservedPortTest, AChildListensBesideItAndAgainAfterItsEnd) {
  for (int i = 0; i < 3; ++i) {
    const Bound child = bind_as_child(port_);
    ASSERT_EQ(child.error, 0);
    ASSERT_EQ(::listen(child.socket.get(), 1), 0);
    core::UniqueFd client;
    EXPECT_EQ(connect_to(port_, &client), 0);
    // The server closes first: its side lingers in TIME_WAIT and must not be in the next one's way.
    core::UniqueFd accepted(::accept(child.socket.get(), nullptr, nullptr));
    accepted.reset();
  }
  EXPECT_EQ(connect_to(port_), ECONNREFUSED);
}

TEST_F(ReservedPortTest, StrangersCannotHaveIt) {
  EXPECT_EQ(bind_to(port_, {}).error, EADDRINUSE);
  EXPECT_EQ(bind_to(port_, {SO_REUSEADDR}).error, EADDRINUSE);
  const Bound child = bind_as_child(port_);
  ASSERT_EQ(::listen(child.socket.get(), 1), 0);
  EXPECT_EQ(bind_to(port_, {SO_REUSEADDR}).error, EADDRINUSE);
}

TEST_F(ReservedPortTest, ASecondReservationFindsTheFirst) {
  const auto second = reserve_port("127.0.0.1", port_);
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
}

TEST_F(ReservedPortTest, AllInterfacesIncludeTheReservedOne) {
  EXPECT_FALSE(reserve_port("0.0.0.0", port_).ok());
}

TEST_F(ReservedPortTest, IsFreeAfterItsLife) {
  reserved_.socket.reset();
  EXPECT_TRUE(reserve_port("127.0.0.1", port_).ok());
}

TEST_F(ReservedPortTest, ConnectionsOfAFlowBeforeDoNotStandInTheWay) {
  Bound child = bind_as_child(port_);
  ASSERT_EQ(::listen(child.socket.get(), 1), 0);
  core::UniqueFd client;
  ASSERT_EQ(connect_to(port_, &client), 0);
  core::UniqueFd accepted(::accept(child.socket.get(), nullptr, nullptr));
  accepted.reset();
  client.reset();
  child.socket.reset();
  reserved_.socket.reset();
  ASSERT_EQ(bind_to(port_, {}).error, EADDRINUSE) << "nothing lingers: this tests nothing";

  EXPECT_TRUE(reserve_port("127.0.0.1", port_).ok());
}

TEST(ReservedPort, SomebodyElsesListenerIsFoundWhateverItsOptions) {
  for (const auto& options : {std::initializer_list<int>{}, {SO_REUSEADDR}, {SO_REUSEPORT}}) {
    const Bound other = bind_to(0, options);
    ASSERT_EQ(::listen(other.socket.get(), 1), 0);
    sockaddr_in address{};
    socklen_t length = sizeof address;
    ::getsockname(other.socket.get(), reinterpret_cast<sockaddr*>(&address), &length);

    const auto port = reserve_port("127.0.0.1", ntohs(address.sin_port));

    EXPECT_TRUE(absl::IsAlreadyExists(port.status())) << port.status();
  }
}

TEST(ReservedPort, AHostThatIsNotOursIsAnError) {
  const auto port = reserve_port("192.0.2.1", 0);
  EXPECT_FALSE(port.ok());
  EXPECT_FALSE(absl::IsAlreadyExists(port.status())) << port.status();
}

TEST(ReservedPort, AHostThatDoesNotExistIsNamed) {
  const auto port = reserve_port("no such host", 0);
  ASSERT_FALSE(port.ok());
  EXPECT_TRUE(core::message(port.status()).starts_with("host \"no such host\": "));
}

TEST(ReservedPort, WorksForIpVersion6) {
  const auto port = reserve_port("::1", 0);
  if (!port.ok()) GTEST_SKIP() << "no IPv6 here: " << port.status();
  EXPECT_TRUE(port->address.starts_with("[::1]:")) << port->address;
}

}  // namespace
}  // namespace flow::host
