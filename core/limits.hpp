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

// Calls that an executor has in hand. Twice the gateway's max_in_flight, whose streams are held
// back by that and never meet this: a call counts here until gRPC is through with it, a little
// longer than there. Beyond it is a direct caller that does not back off.
constexpr std::size_t kCallsInHandMax = 8192;
// Calls that are over before the first of them is used again: so long a stale handle is noticed.
constexpr std::size_t kCallsAtRest = 1024;
// Workers of a FLOW_CONCURRENT plugin that blocks on I/O; others get one per core.
constexpr std::size_t kBlockingWorkers = 32;
// Messages of one streamed answer that wait for gRPC to take them; then call_emit blocks. One is
// being written while the plugin makes the next; the others absorb its hiccups.
constexpr std::size_t kStreamQueueMax = 4;
// How long call_emit waits for a client to take a message before the client counts as gone: it
// holds up a worker, and as long is what the gateway grants its own clients (kStallTimeout).
constexpr auto kStreamStall = 30s;
// Before drain_timeout is over: half of it for plugins to end what they are told to end, half for
// clients to take what is left. No more than half of drain_timeout.
constexpr auto kStopGrace = 1s;
// What a plugin may say about an error (rule A7 of the ABI bounds nothing, so we do).
constexpr std::size_t kErrorTextMax = 4096;
// A plugin's file: the preflight maps it, and a section table beyond this is hostile.
constexpr std::size_t kElfSectionsMax = 4096;
// A note larger than this is not metadata.
constexpr std::size_t kMetadataBytesMax = 256 << 10;

// The symbols of one file, to name the functions of a stack: a gigabyte of code has fewer.
constexpr std::uint64_t kSymbolBytesMax = 256 << 20;
// Templates have names of many kilobytes, of which the end says little.
constexpr std::size_t kFunctionNameMax = 512;

// Functions that a process remembers by their addresses: far more places than throw.
constexpr std::size_t kFunctionsKept = 4096;
// Calls that a crash report names: the culprit is among the first, or it cannot be told.
constexpr std::size_t kCrashCallsMax = 32;
// Files that it lists: a process with many libraries has two hundred.
constexpr std::size_t kCrashModulesMax = 512;
// The largest report is half of it; a larger one is no report.
constexpr std::size_t kCrashReportBytesMax = 256 << 10;
// What a process that is dying may take to say why, before SIGALRM ends it.
constexpr auto kCrashReportTime = 3s;
// Reports that are kept, of all Flows that share the folder, and their bytes: a week of a bad
// plugin within the restart budget, and no disk that fills.
constexpr std::size_t kCrashReportsMax = 200;
constexpr std::uint64_t kCrashFolderBytesMax = 16 << 20;
// For the handlers that run on the second stack of a plugin's thread: the unwinder needs a quarter.
constexpr std::size_t kSignalStackBytes = 64 << 10;

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
// WebSocket requests of one connection that are not answered yet; as many as Jina's clients send
// ahead.
constexpr std::size_t kWebSocketRequestsMax = 1000;
// A WebSocket that says nothing is pinged; proxies forget connections that are silent for a minute.
constexpr auto kWebSocketPingInterval = 20s;
// Three pings unanswered: there is nobody.
constexpr auto kWebSocketSilence = 65s;
// From our close frame to the client's.
constexpr auto kWebSocketCloseTimeout = 5s;
// Between two attempts to reach a replica that nobody announces.
constexpr auto kReconnectDelay = 100ms;
// Bytes of TLS's own (handshake, alerts, key updates) that wait for a client to read: the longest
// chain of certificates that clients take is smaller.
constexpr std::size_t kTlsBacklogMax = 128 << 10;
// A file of certificates: one that trusts everybody the web trusts is a quarter of it.
constexpr std::size_t kPemBytesMax = 1 << 20;
// What flow-gateway --check may take: it reads three files.
constexpr auto kGatewayCheckTimeout = 30s;
// What a replica's connection may take to be accepted and to answer its first health check.
constexpr auto kConnectTimeout = 2s;

// ---- JSON ---------------------------------------------------------------------------------------

// How deep objects and lists of a text may nest, those that are ignored included: what reads and
// writes them recurses. More than documents, tags and tensors within their own limits can need.
constexpr std::size_t kJsonDepthMax = 128;
// Chunks of chunks and matches of matches; a book's letters are within six.
constexpr std::size_t kDocumentDepthMax = 16;
// How deep messages may nest in a message made from JSON. Readers of protobuf refuse more than 100,
// and a request may travel inside another message.
constexpr std::size_t kProtobufDepthMax = 96;
// NumPy has no arrays of more dimensions.
constexpr std::size_t kTensorDimensionsMax = 32;
// A refusal repeats a text of at most this many bytes: enough for one typed by hand.
constexpr std::size_t kEchoedJsonMax = 256;

}  // namespace flow::core::limits
