// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/control_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/unix_address.hpp"

namespace flow::host {
namespace {

using boost::system::error_code;

// A request is a name; more is none of ours.
constexpr std::size_t kRequestMax = 4096;

bool may_ask(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace

ControlSocket::ControlSocket(const boost::asio::any_io_executor& loop, Asked asked)
    : loop_(loop), asked_(std::move(asked)), listener_(loop) {}

ControlSocket::~ControlSocket() = default;

absl::Status ControlSocket::listen(const std::string& path) {
  FLOW_ASSIGN_OR_RETURN(const sockaddr_un address, core::unix_address(path));
  core::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return core::system_error(errno, path);
  // Nobody can be in the folder but us, so nobody connects before the mode is right.
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 ||
      ::listen(socket.get(), core::limits::kControlClientsMax) != 0) {
    return core::system_error(errno, path);
  }
  listener_.assign(socket.release());
  wait_for_client();
  return absl::OkStatus();
}

void ControlSocket::wait_for_client() {
  listener_.async_wait(Descriptor::wait_read, [this](error_code failure) {
    if (failure) return;
    accept();
    wait_for_client();
  });
}

void ControlSocket::accept() {
  core::UniqueFd socket(
      ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || !may_ask(socket.get())) return;
  if (clients_.size() >= core::limits::kControlClientsMax) return;
  clients_[++last_client_] = std::make_unique<Descriptor>(loop_, socket.release());
  wait_for_request(last_client_);
}

void ControlSocket::wait_for_request(Client client) {
  clients_.at(client)->async_wait(Descriptor::wait_read, [this, client](error_code failure) {
    if (!failure && clients_.contains(client)) read(client);
  });
}

void ControlSocket::read(Client client) {
  std::array<char, kRequestMax> packet;
  const ssize_t size =
      ::recv(clients_.at(client)->native_handle(), packet.data(), packet.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return wait_for_request(client);
  flow::v1::SupervisorRequest request;
  if (size <= 0 || !request.ParseFromArray(packet.data(), static_cast<int>(size))) {
    clients_.erase(client);
    return;
  }
  wait_for_request(client);  // so that its leaving is noticed
  asked_(client, request);
}

void ControlSocket::answer(Client client, const flow::v1::SupervisorAnswer& answer) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  const std::string packet = answer.SerializeAsString();
  const ssize_t sent = ::send(found->second->native_handle(), packet.data(), packet.size(),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 || answer.last()) clients_.erase(found);
}

}  // namespace flow::host
