# SPDX-License-Identifier: Apache-2.0
"""The comparison with the reference holds, and what of it no other test shows."""

import asyncio
import importlib
import pathlib
import socket
import unittest
import urllib.error
import urllib.request

import websockets

import conformance
from flow_process import PATIENCE, Flow, SharedFlow, data_request, wait_for

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "conformance.md"


class Table(unittest.TestCase):
    def test_every_row_has_tests_that_exist(self):
        for section, rows in conformance.SECTIONS.items():
            for row in rows:
                with self.subTest(section=section, row=row.what):
                    if row.verdict == conformance.SAME:
                        self.assertTrue(row.tests, "a claim without a test")
                    for name in row.tests:
                        module, case, method = name.split(".")
                        found = getattr(importlib.import_module(module), case)
                        self.assertTrue(callable(getattr(found, method, None)), name)

    def test_the_page_is_up_to_date(self):
        self.assertEqual(PAGE.read_text(), conformance.page(),
                         "run: python3 tests/e2e/conformance.py > docs/conformance.md")


class OnePort(SharedFlow, unittest.IsolatedAsyncioTestCase):
    async def test_http_and_websocket_are_served_side_by_side(self):
        self.assertEqual(self.flow.http("/dry_run"),
                         (200, '{"code":0,"description":"","exception":null}'))
        url = f"ws://127.0.0.1:{self.flow.port}/dry_run"
        async with websockets.connect(url, open_timeout=PATIENCE) as connection:
            self.assertEqual(await asyncio.wait_for(connection.recv(), PATIENCE), "{}")

    def test_other_methods_of_dry_run_are_not_allowed(self):
        for method in ("HEAD", "POST", "OPTIONS"):
            with self.subTest(method=method), \
                    self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(
                    f"http://127.0.0.1:{self.flow.port}/dry_run", method=method), timeout=PATIENCE)
            with caught.exception as answer:
                self.assertEqual(answer.code, 405)
                self.assertEqual(answer.headers["allow"], "GET")
                self.assertEqual(answer.read().decode(),
                                 "" if method == "HEAD" else '{"detail":"Method Not Allowed"}')

    def test_a_dry_run_as_frames(self):
        literal = lambda name, value: b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
        frame = lambda kind, flags, stream, payload: \
            len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
        header = b"".join(literal(*field) for field in (
            (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"),
            (b":path", b"/jina.JinaGatewayDryRunRPC/dry_run"),
            (b"content-type", b"application/grpc"), (b"te", b"trailers")))
        with socket.create_connection(("127.0.0.1", self.flow.port), timeout=PATIENCE) as raw:
            # A header table of no size: what is answered cannot be an index into it.
            raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
                        + frame(1, 4, 1, header) + frame(0, 1, 1, b"\0\0\0\0\0"))
            frames, seen = [], b""
            while not any(kind == 1 and flags & 1 for kind, flags, _ in frames):
                part = raw.recv(65536)
                self.assertTrue(part, "the gateway hung up")
                seen += part
                while len(seen) >= 9 and len(seen) >= 9 + int.from_bytes(seen[:3], "big"):
                    size = int.from_bytes(seen[:3], "big")
                    if int.from_bytes(seen[5:9], "big") == 1 and seen[3] in (0, 1):
                        frames.append((seen[3], seen[4], seen[9:9 + size]))
                    seen = seen[9 + size:]
        self.assertEqual([kind for kind, _, _ in frames], [1, 0, 1], "HEADERS, DATA, HEADERS")
        self.assertEqual(frames[1][2], b"\0\0\0\0\0")
        self.assertEqual([flags & 1 for _, flags, _ in frames], [0, 0, 1], "the trailers end it")


class Scoped(SharedFlow):
    executors = ('[[executors]]\nname = "a"\nuses = "counts"\n'
                 '[[executors]]\nname = "b"\nuses = "echo"\n')

    def test_parameters_of_one_executor_reach_it_alone(self):
        for key, count in (("n", 5), ("a__n", 5), ("b__n", 3)):
            request = data_request("x", endpoint="/count")
            request.parameters[key] = 5
            with self.subTest(key=key):
                self.assertEqual(len(self.flow.post(request).data.docs.docs), count)


class OldStatus(unittest.TestCase):
    def test_the_references_status_can_be_had(self):
        with Flow('[[executors]]\nuses = "unhealthy"\n', gateway="http_dry_run_status = 200\n",
                  ).wait_ready() as flow:
            flow.post(data_request("x", endpoint="/sicken"))
            wait_for("the Flow to be not ready", lambda: flow.http("/readyz")[0] == 503)
            status, answer = flow.http_json("/dry_run")
            self.assertEqual((status, answer["code"]), (200, 1))


if __name__ == "__main__":
    unittest.main()
