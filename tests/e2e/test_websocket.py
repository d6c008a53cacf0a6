# SPDX-License-Identifier: Apache-2.0
"""WebSockets of the gateway's one port, asked by Python's websockets and by clients that misbehave."""

import asyncio
import json
import logging
import os
import pathlib
import signal
import socket
import struct
import unittest

import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatusCode

import jina_pb2
from flow_process import PATIENCE, Flow, SharedFlow, data_request, wait_for

ECHO = '[[executors]]\nuses = "echo"\n'
NEVER = '[supervise]\nrestart = "never"\n'
SLOW = '[[executors]]\nuses = "slow"\nuses_with = { delay_ms = %d }\n'

HANDSHAKE = (b"GET %s HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
             b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n")

# unittest runs its loop in debug mode, which complains of each step that takes 100 ms: starting a
# Flow is one.
logging.getLogger("asyncio").setLevel(logging.ERROR)


def connect(flow, path="/", sub_protocol=None):
    return websockets.connect(f"ws://127.0.0.1:{flow.port}{path}",
                              subprotocols=[sub_protocol] if sub_protocol else None,
                              open_timeout=PATIENCE, max_size=None)


async def receive(client):
    return await asyncio.wait_for(client.recv(), PATIENCE)


async def receive_answer(client):
    return jina_pb2.DataRequestProto.FromString(await receive(client))


def binary(*texts, **more):
    return data_request(*texts, **more).SerializeToString()


def frame(first, payload):
    """A client's frame, masked with zeros."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + struct.pack(">H", size)
    else:
        length = b"\xff" + struct.pack(">Q", size)
    return bytes([first]) + length + b"\0\0\0\0" + payload


def raw(test, flow, path=b"/"):
    """A socket that is a WebSocket from here on."""
    client = socket.create_connection(("127.0.0.1", flow.port), timeout=PATIENCE)
    test.addCleanup(client.close)
    client.sendall(HANDSHAKE % path)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = client.recv(1)
        test.assertTrue(part, head)
        head += part
    test.assertIn(b"101 Switching Protocols", head)
    return client


def read_to_end(client):
    answer = b""
    try:
        while part := client.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def sockets_of(pid):
    return sum(1 for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()
               if os.path.islink(entry) and os.readlink(entry).startswith("socket:"))


def memory_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Binary(SharedFlow, unittest.IsolatedAsyncioTestCase):
    async def test_a_request_is_answered_with_its_id_documents_and_routes(self):
        async with connect(self.flow, sub_protocol="bytes") as client:
            self.assertEqual(client.subprotocol, "bytes")
            await client.send(binary("hello", endpoint="/foo"))
            answer = await receive_answer(client)
        self.assertEqual(answer.header.request_id, data_request().header.request_id)
        self.assertEqual([d.text for d in answer.data.docs.docs], ["hello"])
        self.assertEqual([r.executor for r in answer.routes], ["gateway", "executor0"])
        self.assertFalse(answer.header.HasField("status"))

    async def test_a_zero_byte_ends_the_stream_once_all_is_answered(self):
        async with connect(self.flow, sub_protocol="bytes") as client:
            for i in range(20):
                await client.send(binary("x", request_id=f"{i:032}"))
            await client.send(b"\0")
            await client.send(binary("too late"))
            answers = [jina_pb2.DataRequestProto.FromString(m) async for m in client]
        self.assertEqual({a.header.request_id for a in answers}, {f"{i:032}" for i in range(20)})
        self.assertEqual((client.close_code, client.close_reason), (1000, ""))

    async def test_bad_messages_are_answered_and_good_ones_after_them_too(self):
        async with connect(self.flow, sub_protocol="bytes") as client:
            for bad in (b"\xff" * 100, b"\x0a\x05ab", b"hello world"):
                await client.send(bad)
                answer = await receive_answer(client)
                self.assertEqual(answer.header.status.code, jina_pb2.StatusProto.ERROR)
                self.assertIn("DataRequestProto", answer.header.status.description)
                await client.send(binary("good"))
                self.assertEqual((await receive_answer(client)).data.docs.docs[0].text, "good")

    async def test_a_thousand_requests_are_in_flight_on_one_socket(self):
        ids = {f"{i:032}" for i in range(1000)}
        async with connect(self.flow, sub_protocol="bytes") as client:
            for request_id in ids:
                await client.send(binary("x" * 1000, request_id=request_id))
            answers = [await receive_answer(client) for _ in ids]
        self.assertEqual({a.header.request_id for a in answers}, ids)
        self.assertTrue(all(a.data.docs.docs[0].text == "x" * 1000 for a in answers))

    async def test_a_long_message_comes_back_whole_also_in_fragments(self):
        text = "ü" * 3_000_000
        request = binary(text)
        parts = [request[i:i + 100_000] for i in range(0, len(request), 100_000)]
        async with connect(self.flow, sub_protocol="bytes") as client:
            for message in (request, parts):
                await client.send(message)
                self.assertEqual((await receive_answer(client)).data.docs.docs[0].text, text)

    async def test_pings_are_answered_while_requests_are(self):
        async with connect(self.flow, sub_protocol="bytes") as client:
            await client.send(binary("x"))
            await asyncio.wait_for(await client.ping(b"hello"), PATIENCE)
            await receive_answer(client)

    async def test_other_paths_are_http(self):
        for path, status in (("/nothing", 404), ("/status", 200), ("/dry_run/", 404)):
            with self.assertRaises(InvalidStatusCode) as caught:
                async with connect(self.flow, path):
                    pass
            self.assertEqual(caught.exception.status_code, status, path)


class Json(SharedFlow, unittest.IsolatedAsyncioTestCase):
    async def ask(self, client, message):
        await client.send(message if isinstance(message, str) else json.dumps(message))
        answer = await receive(client)
        self.assertIsInstance(answer, str)
        return json.loads(answer)

    async def test_a_request_is_answered_in_the_references_form(self):
        for sub_protocol in (None, "json"):
            async with connect(self.flow, sub_protocol=sub_protocol) as client:
                answer = await self.ask(client, {"data": [{"id": "d1", "text": "hello"}],
                                                 "execEndpoint": "/foo", "parameters": {"a": 1}})
            self.assertEqual(list(answer), ["header", "parameters", "routes", "data"])
            self.assertRegex(answer["header"].pop("request_id"), "^[0-9a-f]{32}$")
            self.assertEqual(answer["header"], {"exec_endpoint": "/foo", "target_executor": ""})
            self.assertEqual([r["executor"] for r in answer["routes"]], ["gateway", "executor0"])
            self.assertRegex(answer["routes"][0]["start_time"], r"^20\d\d-\d\d-.*Z$")
            document = answer["data"][0]
            self.assertEqual((document["id"], document["text"]), ("d1", "hello"))
            self.assertIn("mime_type", document)
            self.assertIsNone(document["parent_id"])

    async def test_documents_without_ids_are_given_some(self):
        async with connect(self.flow) as client:
            answer = await self.ask(client, {"data": [{"text": "a"}, {"text": "b"}]})
        ids = [document["id"] for document in answer["data"]]
        self.assertEqual(len(set(ids)), 2)
        for one in ids:
            self.assertRegex(one, "^[0-9a-f]{32}$")

    async def test_bad_messages_are_answered_and_good_ones_after_them_too(self):
        bad = {
            "": "line 1, column 1",
            "{": "line 1, column 2",
            '{"data":[{]}': "line 1, column 11",
            "[]": "object",
            '{"execEndpoint":"/"}': "data",
            '{"data":[{"text":1}]}': "data[0].text",
            '{"data":[]} x': "line 1, column 13",
            "[" * 100_000: "",
        }
        async with connect(self.flow) as client:
            for message, expected in bad.items():
                status = (await self.ask(client, message))["header"]["status"]
                self.assertEqual(status["code"], 1, message[:100])
                self.assertIn(expected, status["description"], message[:100])
                self.assertEqual(status["exception"]["name"], "INVALID_ARGUMENT")
                good = await self.ask(client, {"data": [{"text": "good"}]})
                self.assertEqual(good["data"][0]["text"], "good")

    async def test_an_empty_object_ends_the_stream_once_all_is_answered(self):
        async with connect(self.flow) as client:
            for i in range(20):
                await client.send(json.dumps({"data": [{"text": str(i)}]}))
            await client.send("{}")
            answers = [json.loads(message) async for message in client]
        self.assertEqual({a["data"][0]["text"] for a in answers}, {str(i) for i in range(20)})
        self.assertEqual(client.close_code, 1000)

    async def test_text_and_binary_requests_share_a_socket(self):
        async with connect(self.flow) as client:
            await client.send(binary("bytes"))
            self.assertEqual((await receive_answer(client)).data.docs.docs[0].text, "bytes")
            answer = await self.ask(client, {"data": [{"text": "json"}]})
            self.assertEqual(answer["data"][0]["text"], "json")


class DryRun(SharedFlow, unittest.IsolatedAsyncioTestCase):
    async def test_it_is_told_at_once_and_closed(self):
        for sub_protocol, expected in ((None, "{}"), ("json", "{}"), ("bytes", b"")):
            async with connect(self.flow, "/dry_run", sub_protocol) as client:
                self.assertEqual(await receive(client), expected)
                await asyncio.wait_for(client.wait_closed(), PATIENCE)
                self.assertEqual((client.close_code, client.close_reason), (1000, ""))

    async def test_what_the_client_says_does_not_matter(self):
        for message in (b"", "{}", "nonsense", b"\0"):
            async with connect(self.flow, "/dry_run", "bytes") as client:
                try:
                    await client.send(message)
                except ConnectionClosed:
                    pass
                self.assertEqual(await receive(client), b"")


class KilledExecutor(unittest.IsolatedAsyncioTestCase):
    async def test_a_dry_run_closes_with_the_reason_and_a_request_is_answered_with_it(self):
        with Flow(ECHO, more=NEVER).wait_ready() as flow:
            async with connect(flow, sub_protocol="bytes") as client:
                await client.send(binary("x"))
                await receive(client)
                pid = flow.pid_of("executor0")
                os.kill(pid, signal.SIGKILL)
                wait_for("the reason", lambda: "killed by signal" in flow.http("/readyz")[1])

                for sub_protocol in (None, "bytes"):
                    async with connect(flow, "/dry_run", sub_protocol) as probe:
                        with self.assertRaises(ConnectionClosed):
                            await receive(probe)
                        self.assertEqual(probe.close_code, 1011)
                        self.assertIn(f"executor0/rep-0 is FAILED: process {pid} was killed by "
                                      "signal 9 (SIGKILL)", probe.close_reason)
                        self.assertLessEqual(len(probe.close_reason.encode()), 123)

                # The socket that was there goes on.
                for i in range(2):
                    await client.send(binary("x", request_id=f"{i:032}"))
                    header = (await receive_answer(client)).header
                    self.assertEqual(header.request_id, f"{i:032}")
                    self.assertEqual(header.status.code, jina_pb2.StatusProto.ERROR)
                    self.assertEqual(header.status.exception.name, "InternalNetworkError")
                    self.assertRegex(header.status.description,
                                     r"\|Gateway: Communication error with deployment executor0 ")

    async def test_the_requests_in_flight_are_answered_with_it(self):
        with Flow(SLOW % 60_000, more=NEVER).wait_ready() as flow:
            async with connect(flow, sub_protocol="bytes") as client:
                for i in range(10):
                    await client.send(binary("x", request_id=f"{i:032}"))
                await asyncio.wait_for(await client.ping(), PATIENCE)
                os.kill(flow.pid_of("executor0"), signal.SIGKILL)
                headers = [(await receive_answer(client)).header for _ in range(10)]
        self.assertEqual({h.request_id for h in headers}, {f"{i:032}" for i in range(10)})
        self.assertEqual({h.status.code for h in headers}, {jina_pb2.StatusProto.ERROR})


class Overload(unittest.IsolatedAsyncioTestCase):
    async def test_a_socket_beyond_the_limit_is_held_back_and_all_is_answered(self):
        with Flow(SLOW % 50, gateway="max_in_flight = 4").wait_ready() as flow:
            async with connect(flow, sub_protocol="bytes") as client:
                for i in range(20):
                    await client.send(binary("x", request_id=f"{i:032}"))
                headers = [(await receive_answer(client)).header for _ in range(20)]
        self.assertEqual({h.request_id for h in headers}, {f"{i:032}" for i in range(20)})
        self.assertFalse(any(h.HasField("status") for h in headers))

    async def test_sockets_take_turns_and_one_that_is_silent_holds_up_nobody(self):
        with Flow(SLOW % 20, gateway="max_in_flight = 1").wait_ready() as flow:
            async with connect(flow, sub_protocol="bytes") as one, \
                    connect(flow, sub_protocol="bytes") as other, \
                    connect(flow, sub_protocol="bytes"):
                for i in range(10):
                    for client in (one, other):
                        await client.send(binary("x", request_id=f"{i:032}"))
                for _ in range(10):
                    for client in (one, other):
                        self.assertFalse((await receive_answer(client)).header.HasField("status"))

    async def test_prefetch_bounds_what_one_socket_has_underway(self):
        with Flow(SLOW % 20, gateway="prefetch = 1").wait_ready() as flow:
            async with connect(flow, sub_protocol="bytes") as client:
                for i in range(5):
                    await client.send(binary("x", request_id=f"{i:032}"))
                answers = [await receive_answer(client) for _ in range(5)]
        self.assertEqual([a.header.request_id for a in answers], [f"{i:032}" for i in range(5)])
        times = [(a.routes[0].start_time.ToNanoseconds(), a.routes[0].end_time.ToNanoseconds())
                 for a in answers]
        for before, after in zip(times, times[1:]):
            self.assertLessEqual(before[1], after[0])


class BadClients(SharedFlow):
    executors = SLOW % 0

    def setUp(self):
        self.gateway = self.flow.pid_of("gateway")

    def tearDown(self):
        """Whatever one client did, the next is served."""
        client = raw(self, self.flow)
        client.sendall(frame(0x82, binary("x")))
        self.assertTrue(client.recv(1))
        self.assertEqual(self.flow.pid_of("gateway"), self.gateway, "the gateway was restarted")

    def test_garbage_is_answered_with_1002_and_the_end(self):
        client = raw(self, self.flow)
        client.sendall(b"this is not a frame at all, is it?" * 100)
        answer = read_to_end(client)
        self.assertEqual(answer[:1], b"\x88")
        self.assertEqual(answer[2:4], struct.pack(">H", 1002))

    def test_a_length_beyond_the_limit_is_refused_before_its_bytes_come(self):
        before = memory_kib(self.gateway)
        client = raw(self, self.flow)
        client.sendall(b"\x82\xff" + struct.pack(">Q", 1 << 40) + b"\0\0\0\0" + b"x")
        self.assertEqual(read_to_end(client)[2:4], struct.pack(">H", 1009))
        self.assertLess(memory_kib(self.gateway), before + (64 << 10))

    def test_a_client_that_vanishes_leaves_nothing_behind(self):
        before = sockets_of(self.gateway)
        for _ in range(20):
            client = raw(self, self.flow)
            client.sendall(frame(0x82, binary("x")) * 10 + frame(0x02, binary("half"))[:-2])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        wait_for("the connections to be gone", lambda: sockets_of(self.gateway) <= before)

    def test_a_client_that_does_not_read_is_held_back(self):
        before = memory_kib(self.gateway)
        client = raw(self, self.flow)
        client.settimeout(1)
        message = frame(0x82, binary("x" * 100_000))
        sent = 0
        with self.assertRaises(TimeoutError):
            while sent < 2 << 30:
                client.sendall(message)
                sent += len(message)
        self.assertLess(sent, 512 << 20)
        if not os.environ.get("FLOW_SANITIZE"):
            self.assertLess(memory_kib(self.gateway), before + (256 << 10))

    def test_idle_sockets_cost_little(self):
        for _ in range(50):  # what is allocated once
            raw(self, self.flow)
        before = memory_kib(self.gateway)
        for _ in range(500):
            raw(self, self.flow)
        if not os.environ.get("FLOW_SANITIZE"):
            self.assertLess((memory_kib(self.gateway) - before) / 500, 16, "KiB each")


class Drain(unittest.IsolatedAsyncioTestCase):
    async def test_what_is_in_flight_is_answered_and_then_all_are_told_to_go(self):
        with Flow(SLOW % 1500).wait_ready() as flow:
            async with connect(flow, sub_protocol="bytes") as client, connect(flow) as idle:
                await client.send(binary("x"))
                await asyncio.wait_for(await client.ping(), PATIENCE)
                flow.process.terminate()
                answer = await receive_answer(client)
                self.assertEqual(answer.data.docs.docs[0].text, "x")
                for one in (client, idle):
                    with self.assertRaises(ConnectionClosed):
                        await receive(one)
                    self.assertEqual((one.close_code, one.close_reason),
                                     (1001, "the gateway is stopping"))
            self.assertEqual(flow.wait_end(), 0)


if __name__ == "__main__":
    unittest.main()
