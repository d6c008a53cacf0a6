// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// Every bound that is not configuration, each with its reason.
namespace flow::core::limits {

using namespace std::chrono_literals;

// ---- configuration ------------------------------------------------------------------------------

// A flow.toml larger than this is some other file.
constexpr std::size_t kConfigBytesMax = 1 << 20;
// Each replica is a process; beyond this somebody's finger slipped.
constexpr std::uint32_t kReplicasMax = 256;
constexpr std::size_t kExecutorsMax = 256;
// A name is part of the paths of sockets, and those have at most 107 bytes; DNS has the same limit.
constexpr std::size_t kNameBytesMax = 63;
// Of any duration in a file: nobody waits longer, and no clock overflows when it is added.
constexpr auto kDurationMax = 24h * 365;
// Protobuf cannot read a larger message.
constexpr std::uint64_t kMessageBytesMax = 0x7fffffff;
// How deep the tables and arrays of a file may nest, dotted keys included: the library that reads
// them recurses.
constexpr std::size_t kConfigDepthMax = 64;

// ---- executors ----------------------------------------------------------------------------------

// Calls that an executor has in hand. Twice the gateway's max_in_flight, whose streams are held back
// by that and never meet this: a call counts here until gRPC is through with it, a little longer than
// there. Beyond it is a direct caller that does not back off.
constexpr std::size_t kCallsInHandMax = 8192;
// Calls that are over before the first of them is used again: so long a stale handle is noticed.
constexpr std::size_t kCallsAtRest = 1024;
// Workers of a FLOW_CONCURRENT plugin that blocks on I/O; others get one per core.
constexpr std::size_t kBlockingWorkers = 32;
// What a plugin may say about an error (rule A7 of the ABI bounds nothing, so we do).
constexpr std::size_t kErrorTextMax = 4096;
// A plugin's file: the preflight maps it, and a section table beyond this is hostile.
constexpr std::size_t kElfSectionsMax = 4096;
// A note larger than this is not metadata.
constexpr std::size_t kMetadataBytesMax = 256 << 10;

// ---- supervision --------------------------------------------------------------------------------

// Restart back-off: doubles from first to last, with up to half of it added as jitter.
constexpr auto kBackoffFirst = 100ms;
constexpr auto kBackoffLast = 30s;
// A datagram socket queues ten messages (net.unix.max_dgram_qlen), which twenty children that come
// up together fill in no time; a supervisor that takes none for this long is stopped or stuck.
constexpr auto kNotifySendTimeout = 1s;
// Between SIGTERM's grace (drain_timeout) and SIGKILL nothing else helps; a killed process needs
// this long to give its memory back before we say that it did not die.
constexpr auto kKillWait = 10s;

// ---- gateway ------------------------------------------------------------------------------------

// Connections beyond this are closed as they come; each idle one costs about 10 KiB.
constexpr std::size_t kConnectionsMax = 10'000;
// Streams one HTTP/2 connection may have open.
constexpr std::uint32_t kStreamsPerConnectionMax = 1024;
// Frames that wait for a peer to read, beyond its messages: no honest peer has that many.
constexpr std::size_t kQueuedFramesMax = 10'000;
// Streams of one connection that end by an error of its peer, between two sweeps: as many as
// nghttp2 lets a peer reset at once.
constexpr std::uint32_t kStreamFaultsMax = 1000;
// Name and value bytes of one request's header; gRPC's own default is 8 KiB.
constexpr std::size_t kHeaderBytesMax = 16 << 10;
// Receive windows: large enough that a 1 MiB message needs no round trip for credit.
constexpr std::int32_t kStreamWindow = 4 << 20;
constexpr std::int32_t kConnectionWindow = 16 << 20;
// All request and response bytes the gateway holds at once; beyond it new ones are refused.
constexpr std::uint64_t kBufferedBytesMax = std::uint64_t{2} << 30;
// One read of a socket, into a buffer that all connections of a loop share.
constexpr std::size_t kReadBytes = 256 << 10;
// What is handed to a socket at once before its client must have taken some of it.
constexpr std::size_t kWriteBytesMax = 256 << 10;
// What a call may keep of requests that are not answered before its caller is held back: room for
// what all executors together are busy with. One request may be larger, by itself.
constexpr std::uint64_t kStreamHeldMax = 64 << 20;
// Answers smaller than this are sent as they are: compressed they would fill as many packets.
constexpr std::size_t kCompressMin = 1 << 10;
// Larger ones too: compressing takes the loop about 10 ms for each of these, during which nobody
// else is answered.
constexpr std::size_t kCompressMax = 1 << 20;
// What is inflated before others have their turn: some 0.3 ms of work.
constexpr std::size_t kInflateSlice = 128 << 10;
// Of a deep dry run, for all executors together: a probe's patience.
constexpr auto kDeepDryRunTimeout = 1s;
// From a connection's first byte (or from accept) to a complete request header.
constexpr auto kHeaderTimeout = 10s;
// Between two pieces of one request's body, and between two pieces a client takes of an answer.
constexpr auto kStallTimeout = 30s;
// How often time-outs that need no precision are looked at.
constexpr auto kSweepInterval = 1s;
// How long a peer may keep sending after we answered that we will not listen.
constexpr auto kLinger = 2s;
// An HTTP/1.1 connection without a request. HTTP/2 ones may idle: clients keep them for years.
constexpr auto kKeepAliveIdle = 75s;
// Between two attempts to reach a replica that nobody announces.
constexpr auto kReconnectDelay = 100ms;
// What a replica's connection may take to be accepted and to answer its first health check.
constexpr auto kConnectTimeout = 2s;

}  // namespace flow::core::limits
