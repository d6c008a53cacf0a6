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
// Descriptors of an executor's process: below this gRPC and the C library have no room.
constexpr std::int64_t kFilesMin = 64;
// Beyond it the kernel has no cores to choose from.
constexpr std::int64_t kCpusMax = 1024;
// How deep the tables and arrays of a file may nest, dotted keys included: the library that reads
// them recurses.
constexpr std::size_t kConfigDepthMax = 64;

// A call that failed this often will not succeed: somebody's finger slipped.
constexpr std::int32_t kRetriesMax = 1000;

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
// What health() and cancel() of a plugin may take, which the ABI wants back within a millisecond:
// three thousand times that, for a machine that swaps, is no hiccup any more.
constexpr auto kPromptBudget = 3s;
// How often the watchdog looks at least: a call is seen soon after it began, for nothing that a
// processor would notice. It looks at the very moment when a budget is spent besides.
constexpr auto kWatchInterval = 100ms;
// A watchdog that comes back later than this was not late, its whole process stood still (SIGSTOP,
// a debugger, a laptop's lid): calls made no progress because nobody let them.
constexpr auto kWatchLate = 500ms;
// What a stuck thread may take to say where it is: it only has to be scheduled.
constexpr auto kStackPatience = 200ms;
// Stuck threads whose stacks are shown. Two explain a deadlock; all of a pool's look the same.
constexpr std::size_t kStuckStacksMax = 4;
// What may be said of stacks in one datagram to the supervisor: the kernel takes six times that.
constexpr std::size_t kStackBytesMax = 32 << 10;
// From the word that a process hangs to the one that says where: it finds and reads the files of
// its stuck threads' functions, which takes milliseconds on a machine that has time.
constexpr auto kHangExplained = 2s;
// From that word to its SIGKILL: calls that still work may end, callers who
// were given up get their answers. It serves nobody new meanwhile, so this is an outage's length.
constexpr auto kHangGrace = 1s;
// How much sooner than its supervisor a process gives up its own create(), to say why: a stack is
// found and put into words meanwhile. No more than a quarter of timeout_ready.
constexpr auto kCreateMargin = 500ms;
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

// A datagram socket queues ten messages (net.unix.max_dgram_qlen), which twenty children that come
// up together fill in no time; a supervisor that takes none for this long is stopped or stuck.
constexpr auto kNotifySendTimeout = 1s;
// What the gateway may take to move calls to a new process or to refuse it: kMeetingTimeout, a dry
// run, kTrialTime, kSettleTime, and a gateway that is restarted meanwhile and does all of it again.
constexpr auto kMoveTimeout = 45s;
// Who ask flow-host something at the same time: people at terminals.
constexpr int kControlClientsMax = 16;
// After the last change of a plugins' folder: a copy of several files is over by then, and nobody
// waits long for his new plugin.
constexpr auto kPluginSettle = 100ms;
// Files of those folders that change at the same time.
constexpr std::size_t kChangedFilesMax = 1024;
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
// What the answer to a PING may take before an idle HTTP/2 connection is closed by a drain: a round
// trip between continents. A request that crosses its end was not begun, and clients send it again.
constexpr auto kDrainPatience = 250ms;
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
// A WebSocket that says nothing is pinged; proxies forget connections that are silent for a minute.
constexpr auto kWebSocketPingInterval = 20s;
// Three pings unanswered: there is nobody.
constexpr auto kWebSocketSilence = 65s;
// From our close frame to the client's.
constexpr auto kWebSocketCloseTimeout = 5s;
// Between two attempts to reach a replica that nobody announces.
constexpr auto kReconnectDelay = 100ms;
// The same after a process died by its life lock: until it has given its memory back (2 GB take
// 0.2 s) it would still accept a connection and never answer. flow-host's word of the next process
// does not wait for this; without that word it was no death, but somebody who wrote into the lock.
constexpr auto kDeathDoubt = 1s;
// Bytes of TLS's own (handshake, alerts, key updates) that wait for a client to read: the longest
// chain of certificates that clients take is smaller.
constexpr std::size_t kTlsBacklogMax = 128 << 10;
// A file of certificates: one that trusts everybody the web trusts is a quarter of it.
constexpr std::size_t kPemBytesMax = 1 << 20;
// What flow-gateway --check may take: it reads three files.
constexpr auto kGatewayCheckTimeout = 30s;
// How long the error of a call whose process died waits for flow-host to say of what. A process is
// reaped within milliseconds, a crash report is read within some ten; a caller's patience is
// longer.
constexpr auto kCauseWait = 100ms;
// Processes of one replica whose ends are remembered for those calls: they die one after the other,
// and a call waits for less than two of them.
constexpr std::size_t kEndsRemembered = 4;
// How long an executor that was ready may be without a replica before its callers are told so: a
// process that dies is back, with a plugin that starts fast, after a fifth of it.
constexpr auto kComebackWait = 1s;
// How long one caller's request waits for a replica that has room. A client that is told to come
// back loses less time than that.
constexpr auto kRoomWait = 1s;
// Retries, of each executor. One for every five calls: a fifth more load is what one that is in
// trouble survives, several times as much is what keeps it there.
constexpr std::int64_t kCallsPerRetry = 5;
// And as many in a second whatever the traffic: with one caller a fifth is less than one.
constexpr std::int64_t kRetriesPerSecond = 10;
// At once, after a quiet time: what one replica has in hand when it dies shall all be saved, and
// more is seldom there (it is as many as one stream may have).
constexpr std::int64_t kRetriesAtOnce = 1000;
// Failures in a row after which a replica is avoided: fewer happen by chance.
constexpr std::uint32_t kEjectAfter = 5;
// Or half of its calls within the window, if they are enough to speak of a half.
constexpr auto kEjectWindow = 10s;
constexpr std::uint32_t kEjectCallsMin = 20;
// How long: doubles from first to last with each trial that fails. A trial costs one call its
// answer, so a replica that stays broken costs one in a minute.
constexpr auto kEjectFirst = 1s;
constexpr auto kEjectLast = 60s;
// A caller who gives up sooner than this says more about himself than about the replica.
constexpr auto kEjectPatience = 1s;
// What a replica's connection may take to be accepted and to answer its first health check.
constexpr auto kConnectTimeout = 2s;

// What a process that is to take over from another may take, after it said that it is ready, to be
// connected to and to say so by its health service: a connection and two answers.
constexpr auto kMeetingTimeout = 10s;
// It has then proven itself by as many answers as make a handful of its calls at a time, ...
constexpr std::uint64_t kTrialCalls = 64;
// ... or by this long without failures: a Flow without traffic is swapped, too.
constexpr auto kTrialTime = 2s;
// Answers with an executor's error that end a trial before its time if they are most of its
// answers: fewer may be the callers' doing.
constexpr std::uint64_t kTrialErrors = 5;
// How long calls may be on their way to a process that gets no more: what it has not read by then
// it will not read.
constexpr auto kSettleTime = 5s;
// How often it is looked at meanwhile: so long a trial may last too long.
constexpr auto kTrialLook = 10ms;

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
