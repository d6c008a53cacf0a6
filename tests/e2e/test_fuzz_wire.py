# SPDX-License-Identifier: Apache-2.0
"""Thousands of damaged connections, HTTP/2 and HTTP/1.1: after each batch the next caller is served by
the same gateway. FLOW_FUZZ_SECONDS and FLOW_FUZZ_SEED make it longer or another one."""

import os
import pathlib
import random
import select
import socket
import struct
import time
import unittest

from flow_process import SharedFlow, data_request
from test_bad_wire import PREFACE, frame, grpc_headers, literal

SECONDS = float(os.environ.get("FLOW_FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("FLOW_FUZZ_SEED", "20"))
BATCH = 50

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
PATHS = [b"/jina.JinaSingleDataRequestRPC/process_single_data", b"/jina.JinaGatewayDryRunRPC/dry_run",
         b"/grpc.health.v1.Health/Check", b"/grpc.health.v1.Health/Watch", b"/jina.JinaInfoRPC/_status",
         b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b"/no.Such/method", b""]
MORE = [b"", literal(b"grpc-timeout", b"1m"), literal(b"grpc-timeout", b"-1S"),
        literal(b"grpc-encoding", b"gzip"), literal(b"content-length", b"3"), literal(b"te", b"trailers"),
        literal(b"x", b"y" * 5000), literal(b"Upper", b"case"), literal(b":path", b"/twice")]
HTTP1 = [b"GET /dry_run HTTP/1.1\r\nhost: x\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n",
         b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello",
         b"POST /status HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         b"HEAD /readyz?verbose HTTP/1.1\r\nconnection: close\r\n\r\n",
         b"GET /livez HTTP/1.1\r\nupgrade: h2c\r\nexpect: 100-continue\r\n\r\n"]


class Mutator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def call(self, stream):
        """The frames of one good call, or nearly."""
        pick = self.random
        body = data_request("x" * pick.choice([0, 1, 100, 20000])).SerializeToString()
        message = struct.pack(">BI", 0, len(body)) + body
        headers = grpc_headers(pick.choice(PATHS), pick.choice(MORE) if pick.random() < 0.3 else b"")
        cut = pick.randrange(len(headers))
        frames = ([frame(HEADERS, END_HEADERS, stream, headers)] if pick.random() < 0.8 else
                  [frame(HEADERS, 0, stream, headers[:cut]),
                   frame(CONTINUATION, END_HEADERS, stream, headers[cut:])])
        parts = [message[at:at + 8000] for at in range(0, len(message), 8000)]
        frames += [frame(DATA, 0, stream, part) for part in parts[:-1]]
        frames.append(frame(DATA, END_STREAM if pick.random() < 0.8 else 0, stream, parts[-1]))
        if pick.random() < 0.2:
            frames.append(frame(RESET, 0, stream, struct.pack(">I", pick.randrange(14))))
        return frames

    def stray(self, streams):
        """A frame that fits nowhere in particular."""
        pick = self.random
        stream = pick.choice([0, 1, 2, 3, pick.randrange(2 * streams + 3), pick.getrandbits(31)])
        return pick.choice([
            lambda: frame(PING, pick.randrange(2), 0, pick.randbytes(8)),
            lambda: frame(SETTINGS, 0, 0, struct.pack(">HI", pick.randrange(8), pick.choice(
                [0, 1, 16384, 65535, 1 << 24, (1 << 31) - 1, (1 << 32) - 1]))),
            lambda: frame(SETTINGS, 1, 0),
            lambda: frame(WINDOW, 0, stream, struct.pack(">I", pick.choice([0, 1, (1 << 31) - 1]))),
            lambda: frame(RESET, 0, stream, struct.pack(">I", pick.randrange(14))),
            lambda: frame(PRIORITY, 0, stream, pick.randbytes(5)),
            lambda: frame(GOAWAY, 0, 0, struct.pack(">II", pick.getrandbits(31), pick.randrange(14))),
            lambda: frame(DATA, pick.randrange(16), stream, pick.randbytes(pick.randrange(64))),
            lambda: frame(CONTINUATION, 4, stream, pick.randbytes(20)),
            lambda: frame(pick.randrange(256), pick.randrange(256), stream,
                          pick.randbytes(pick.randrange(64))),
        ])()

    def http2(self):
        pick = self.random
        streams = pick.randrange(1, 12)
        frames = [part for n in range(streams) for part in self.call(2 * n + 1)]
        for _ in range(pick.randrange(4)):
            frames.insert(pick.randrange(len(frames) + 1), self.stray(streams))
        if pick.random() < 0.3:
            first, second = pick.randrange(len(frames)), pick.randrange(len(frames))
            frames[first], frames[second] = frames[second], frames[first]
        if pick.random() < 0.2:
            del frames[pick.randrange(len(frames))]
        window = struct.pack(">HI", 4, pick.choice([0, 1, 100, 65535, 1 << 20]))
        return PREFACE + frame(SETTINGS, 0, 0, window if pick.random() < 0.5 else b"") + b"".join(frames)

    def http1(self):
        return b"".join(self.random.choices(HTTP1, k=self.random.randrange(1, 20)))

    def connection(self):
        pick = self.random
        data = bytearray(self.http2() if pick.random() < 0.75 else self.http1())
        if pick.random() < 0.5:
            for _ in range(pick.choice([1, 1, 2, 10])):
                data[pick.randrange(len(data))] = pick.randrange(256)
        if pick.random() < 0.2:
            at = pick.randrange(len(data))
            data[at:at] = pick.randbytes(pick.randrange(1, 30))
        if pick.random() < 0.3:
            del data[pick.randrange(len(data)):]
        return bytes(data)


class FuzzWire(SharedFlow):
    gateway = "max_in_flight = 64\n"

    def attack(self, mutator):
        pick = mutator.random
        client = socket.create_connection(("127.0.0.1", self.flow.port), timeout=5)
        data = mutator.connection()
        cuts = sorted(pick.randrange(len(data) + 1) for _ in range(pick.randrange(4)))
        try:
            for start, end in zip([0, *cuts], [*cuts, len(data)]):
                client.sendall(data[start:end])
                if pick.random() < 0.3 and select.select([client], [], [], 0.002)[0]:
                    client.recv(pick.choice([1, 100, 65536]))
            if pick.random() < 0.3:
                client.shutdown(socket.SHUT_WR)
            if pick.random() < 0.3:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        return client

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.flow.pid_of('gateway')}/status").read_text()
        return next(int(line.split()[1]) // 1024 for line in status.splitlines()
                    if line.startswith("VmRSS"))

    def test_no_damage_reaches_the_next_caller(self):
        mutator = Mutator(SEED)
        gateway = self.flow.pid_of("gateway")
        before = self.memory_mib()
        held, connections = [], 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for _ in range(BATCH):
                held.append(self.attack(mutator))
                connections += 1
            # Some stay, so that what is half said is still there when the next ones come.
            mutator.random.shuffle(held)
            for client in held[BATCH:]:
                client.close()
            del held[BATCH:]
            place = f"seed {SEED}, after {connections} connections"
            self.assertEqual(self.flow.dry_run().SerializeToString(), b"", place)
            self.assertEqual(self.flow.post(data_request("x")).data.docs.docs[0].text, "x", place)
            self.assertEqual(self.flow.http("/livez")[0], 200, place)
            self.assertEqual(self.flow.pid_of("gateway"), gateway, f"{place}: it was restarted")
        for client in held:
            client.close()
        self.assertNotIn("Sanitizer", self.flow.log())
        self.assertNotIn("runtime error:", self.flow.log())
        self.assertLess(self.memory_mib(), before + 400)  # most of it a sanitizer's
        if os.environ.get("FLOW_FUZZ_SECONDS"):
            print(f"{connections} connections, {before} -> {self.memory_mib()} MiB")


if __name__ == "__main__":
    unittest.main()
