// SPDX-License-Identifier: Apache-2.0
#include "host/executor/signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <thread>

namespace flow::host {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
}

int StopSignals::wait() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) < 0 && errno == EINTR) {
  }
  return static_cast<int>(info.ssi_signo);
}

std::optional<int> StopSignals::wait_while(const std::function<void()>& work) {
  core::UniqueFd done(::eventfd(0, EFD_CLOEXEC));
  std::thread thread([work, fd = done.get()] {
    work();
    const std::uint64_t one = 1;
    while (::write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
  });
  std::array<pollfd, 2> events = {pollfd{done.get(), POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0}};
  while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
  }
  if ((events[0].revents & POLLIN) != 0) {
    thread.join();
    return std::nullopt;
  }
  thread.detach();
  done.release();  // the thread's, like its copy of `work`, until the process ends
  return wait();
}

}  // namespace flow::host
