# SPDX-License-Identifier: Apache-2.0
"""Bad input over the wire: an error for that caller or a closed connection, no effect on others, and
bounded memory."""

import socket
import struct
import unittest

import grpc

from flow_process import SharedFlow, data_request, wait_for
from http2_wire import PREFACE, RESET, SHADOW, frame, grpc_headers, literal


class BadWire(SharedFlow):
    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.flow.port), timeout=30)
        self.addCleanup(client.close)
        return client

    def read_to_end(self, client):
        answer = b""
        try:
            while part := client.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer

    def setUp(self):
        self.gateway = self.flow.pid_of("gateway")

    def tearDown(self):
        """Whatever one caller did, the next is served."""
        self.assertEqual(self.flow.dry_run().SerializeToString(), b"")
        self.assertEqual(self.flow.post(data_request("x")).data.docs.docs[0].text, "x")
        self.assertEqual(self.flow.pid_of("gateway"), self.gateway, "the gateway was restarted")

    def test_garbage_is_answered_with_400_and_the_end(self):
        client = self.connect()
        client.sendall(b"\x16\x03\x01\x02\x00garbage\r\n\r\n")
        self.assertTrue(self.read_to_end(client).startswith(b"HTTP/1.1 400 "))

    def test_garbage_after_the_preface_ends_the_connection(self):
        client = self.connect()
        client.sendall(PREFACE + b"this is not a frame of HTTP/2 at all, is it?")
        self.assertIn(b"\x07", self.read_to_end(client), "GOAWAY")

    def test_half_a_request_and_silence_disturbs_nobody(self):
        self.connect().sendall(b"GET /dry_r")
        client = self.connect()
        client.sendall(PREFACE + frame(4, 0, 0) + frame(1, 4, 1, grpc_headers())
                       + frame(0, 0, 1, b"\0\0\0\1\0half"))
        self.assertEqual(self.flow.http("/dry_run")[0], 200)

    def test_a_length_prefix_of_1_gib_is_refused_at_once(self):
        before = self.flow.memory_mib()
        client = self.connect()
        client.sendall(PREFACE + frame(4, 0, 0) + frame(1, 4, 1, grpc_headers())
                       + frame(0, 0, 1, b"\0\x40\0\0\0"))
        # An answer in trailers alone, and the stream is reset: the rest need not be sent.
        answer = b""
        while frame(3, 0, 1, b"\0\0\0\0") not in answer:
            part = client.recv(65536)
            self.assertTrue(part, answer)
            answer += part
        self.assertLess(self.flow.memory_mib(), before + 50 * SHADOW)

    def test_an_invalid_protobuf_is_an_error_of_that_call(self):
        with self.flow.channel() as channel:
            method = channel.unary_unary("/jina.JinaSingleDataRequestRPC/process_single_data")
            for body in (b"\xff" * 100, b"\x0a\x05ab", b"hello world"):
                with self.assertRaises(grpc.RpcError) as caught:
                    method(body, timeout=30)
                self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, body)

    def test_documents_that_are_no_protobuf_are_an_error_of_that_call(self):
        with self.flow.channel() as channel:
            method = channel.unary_unary("/jina.JinaSingleDataRequestRPC/process_single_data")
            with self.assertRaises(grpc.RpcError):
                method(b"\x0a\x03\x0a\x01i\x22\x04\xff\xff\xff\xff", timeout=30)

    def test_a_header_of_1_mib_over_http1_is_431(self):
        client = self.connect()
        try:
            client.sendall(b"GET / HTTP/1.1\r\nx: " + b"x" * (1 << 20) + b"\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.assertIn(b"HTTP/1.1 431 ", self.read_to_end(client))

    def test_a_header_of_1_mib_over_http2_is_refused(self):
        block = grpc_headers(more=literal(b"x", b"x" * (1 << 20)))
        frames = [block[at:at + 16000] for at in range(0, len(block), 16000)]
        client = self.connect()
        try:
            client.sendall(PREFACE + frame(4, 0, 0) + frame(1, 0, 1, frames[0])
                           + b"".join(frame(9, 0, 1, part) for part in frames[1:-1])
                           + frame(9, 4, 1, frames[-1]))
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.settimeout(30)
        answer = b""
        try:
            while RESET not in answer and (part := client.recv(65536)):
                answer += part
        except (ConnectionResetError, TimeoutError):
            pass
        self.assertTrue(RESET in answer or b"\x07" in answer, answer)

    def test_thousands_of_idle_connections_cost_little_and_disturb_nobody(self):
        before = self.flow.memory_mib()
        idle = [self.connect() for _ in range(2000)]
        for client in idle[::2]:
            client.sendall(PREFACE + frame(4, 0, 0))
        self.assertEqual(self.flow.http("/dry_run")[0], 200)
        self.assertLess(self.flow.memory_mib(), before + 100 * SHADOW)

    def test_a_client_that_vanishes_in_the_middle_disturbs_nobody(self):
        for cut in (5, 30, 60, 150):
            client = self.connect()
            client.sendall((PREFACE + frame(4, 0, 0) + frame(1, 4, 1, grpc_headers())
                            + frame(0, 0, 1, b"\0\0\0\0\x10half"))[:cut])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

    def test_a_client_that_does_not_read_costs_no_memory(self):
        before = self.flow.memory_mib()
        client = self.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(1)
        request = b"GET /readyz?verbose HTTP/1.1\r\n\r\n" * 1000
        try:
            for _ in range(200):
                client.sendall(request)
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        self.assertLess(self.flow.memory_mib(), before + 50 * SHADOW)

    def test_who_is_refused_may_finish_his_sentence(self):
        client = self.connect()
        client.sendall(b"GET / HTTP/1.1\r\nx: " + b"x" * (32 << 10))
        self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 431 "))
        for _ in range(5):  # closed at once, the connection would be reset by this
            client.sendall(b"x" * 65536)
        self.assertEqual(self.read_to_end(client), b"")

    def test_a_second_message_for_a_unary_method_is_refused_at_once(self):
        for path in (b"/jina.JinaGatewayDryRunRPC/dry_run",
                     b"/jina.JinaSingleDataRequestRPC/process_single_data"):
            client = self.connect()
            client.sendall(PREFACE + frame(4, 0, 0) + frame(1, 4, 1, grpc_headers(path))
                           + frame(0, 0, 1, b"\0\0\0\0\0" * 2))
            answer = b""
            while RESET not in answer:
                part = client.recv(65536)
                self.assertTrue(part, answer)
                answer += part

    def test_keepalive_pings_of_the_references_clients_are_tolerated(self):
        client = self.connect()
        client.sendall(PREFACE + frame(4, 0, 0))
        for number in range(50):  # far more often than every 9.999 s
            client.sendall(frame(6, 0, 0, struct.pack(">Q", number)))
            answer = b""
            while struct.pack(">Q", number) not in answer:
                part = client.recv(65536)
                self.assertTrue(part, "the connection was closed")
                answer += part


class AnswersThatNobodyTakes(SharedFlow):
    gateway = "max_in_flight = 4\n"

    def test_do_not_count_as_requests_in_flight(self):
        body = data_request("x").SerializeToString()
        calls = b"".join(frame(1, 4, stream, grpc_headers())
                         + frame(0, 1, stream, struct.pack(">BI", 0, len(body)) + body)
                         for stream in range(1, 9, 2))
        with socket.create_connection(("127.0.0.1", self.flow.port), timeout=30) as client:
            client.sendall(PREFACE + frame(4, 0, 0, struct.pack(">HI", 4, 0)) + calls)
            answers = b""
            while answers.count(b"\x88") < 4:  # :status 200
                answers += client.recv(65536)

            def served():
                try:
                    return self.flow.post(data_request("x"))
                except grpc.RpcError as error:
                    self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
                    return None

            wait_for("a request to be admitted", served, patience=10)


if __name__ == "__main__":
    unittest.main()
