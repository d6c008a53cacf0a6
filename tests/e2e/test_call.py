# SPDX-License-Identifier: Apache-2.0
"""JinaRPC/Call: many requests in one stream, in order or not, held back, compressed, cancelled, one
bad among good ones."""

import gzip
import os
import queue
import signal
import socket
import struct
import threading
import unittest
import zlib

import grpc

import jina_pb2
from flow_process import PATIENCE, Flow, SharedFlow, data_request, wait_for
from http2_wire import (PREFACE, SHADOW, connect, frame, grpc_headers, literal, message_frames,
                        split_frames)

CALL = "/jina.JinaRPC/Call"
PROCESS = "/jina.JinaSingleDataRequestRPC/process_single_data"


def numbered(number, text="x", **options):
    return data_request(text, request_id=f"{number:032x}", **options)


def number_of(answer):
    return int(answer.header.request_id, 16)


def stream_of(channel):
    return channel.stream_stream(CALL, request_serializer=lambda message: message.SerializeToString(),
                                 response_deserializer=jina_pb2.DataRequestProto.FromString)


class Streaming(SharedFlow):
    """With helpers to call and to listen at leisure."""

    def call(self, requests, metadata=None, timeout=PATIENCE, **options):
        with self.flow.channel() as channel:
            return list(stream_of(channel)(iter(requests), metadata=metadata, timeout=timeout,
                                           **options))


class Talk:
    """A stream whose two sides are used one message at a time."""

    def __init__(self, flow, metadata=None):
        self.channel = flow.channel()
        self.to_send = queue.Queue()
        self.answers = stream_of(self.channel)(iter(self.to_send.get, None), metadata=metadata,
                                               timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.to_send.put(None)
        self.channel.close()

    def ask(self, request):
        self.to_send.put(request)
        return next(self.answers)


class Call(Streaming):
    executors = '[[executors]]\nuses = "upper"\n[[executors]]\nname = "echo"\nuses = "echo"\n'

    def test_each_request_of_a_stream_is_answered(self):
        answers = self.call(numbered(i, f"text {i}", endpoint="/upper") for i in range(2000))
        self.assertEqual({a.header.status.description for a in answers}, {""})
        self.assertEqual({number_of(a): a.data.docs.docs[0].text for a in answers},
                         {i: f"TEXT {i}" for i in range(2000)})
        self.assertEqual([route.executor for route in answers[0].routes],
                         ["gateway", "executor0", "echo"])

    def test_an_answer_comes_before_the_next_request_is_sent(self):
        with Talk(self.flow) as talk:
            for number in range(5):
                self.assertEqual(number_of(talk.ask(numbered(number))), number)

    def test_a_stream_without_requests_ends_well(self):
        self.assertEqual(self.call([]), [])

    def test_a_large_request_among_small_ones(self):
        large = data_request("x", request_id=f"{7:032x}")
        large.data.docs.docs[0].tags["large"] = "x" * (20 << 20)
        answers = self.call([numbered(1), large, numbered(2)])
        self.assertEqual({number_of(a): len(a.data.docs.docs[0].tags["large"])
                          for a in answers if number_of(a) == 7}, {7: 20 << 20})
        self.assertEqual(len(answers), 3)

    def test_a_bad_request_is_answered_and_the_stream_goes_on(self):
        answers = self.call([numbered(1), numbered(2, target="("), numbered(3)])
        by_number = {number_of(a): a for a in answers}
        self.assertEqual(sorted(by_number), [1, 2, 3])
        status = by_number[2].header.status
        self.assertEqual(status.code, jina_pb2.StatusProto.ERROR)
        self.assertIn("not a regular expression", status.description)
        self.assertEqual(status.exception.name, "INVALID_ARGUMENT")
        self.assertEqual(list(status.exception.args), [status.description])
        self.assertEqual(status.exception.executor, "")
        for good in (1, 3):
            self.assertFalse(by_number[good].header.HasField("status"))

    def test_what_is_no_protobuf_is_answered_and_the_stream_goes_on(self):
        bodies = [b"\xff" * 20, numbered(2).SerializeToString() + b"\x22\xff", b"hello"]
        good = numbered(9).SerializeToString()
        with self.flow.channel() as channel:
            answers = [jina_pb2.DataRequestProto.FromString(answer)
                       for answer in channel.stream_stream(CALL)(
                           iter(bodies + [good]), timeout=PATIENCE,
                           metadata=[("__results_in_order__", "true")])]
        self.assertEqual([a.header.status.code for a in answers], [1, 1, 1, 0])
        self.assertEqual([a.header.request_id for a in answers],
                         ["", f"{2:032x}", "", f"{9:032x}"])

    def test_two_streams_at_once_do_not_mix(self):
        results = [None] * 4

        def run(which):
            results[which] = self.call(numbered(i, f"{which}") for i in range(200))

        threads = [threading.Thread(target=run, args=(which,)) for which in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for which, answers in enumerate(results):
            self.assertEqual({a.data.docs.docs[0].text for a in answers}, {str(which)})
            self.assertEqual(len(answers), 200)

    def test_a_frame_that_is_none_ends_the_stream(self):
        with connect(self.flow.port, PATIENCE) as client:
            client.sendall(frame(1, 4, 1, grpc_headers(CALL.encode()))
                           + message_frames(1, numbered(1).SerializeToString())
                           + frame(0, 0, 1, b"\x07\0\0\0\0"))
            answer = b""
            while b"\x0213" not in answer:  # grpc-status: INTERNAL
                part = client.recv(65536)
                self.assertTrue(part, answer)
                answer += part


class Slow(Streaming):
    """The first document's tag says how long its request takes."""

    executors = '[[executors]]\nuses = "takes-its-time"\n'
    gateway = 'timeout_send = "60s"\nmax_in_flight = 8\n'

    @staticmethod
    def taking(number, milliseconds):
        request = numbered(number)
        request.data.docs.docs[0].tags["ms"] = milliseconds
        return request

    def test_answers_come_as_they_are_ready(self):
        answers = self.call([self.taking(1, 400), self.taking(2, 1)])
        self.assertEqual([number_of(a) for a in answers], [2, 1])

    def test_answers_come_in_order_if_the_caller_wants_that(self):
        answers = self.call([self.taking(1, 400), self.taking(2, 1), self.taking(3, 50)],
                            metadata=[("__results_in_order__", "true")])
        self.assertEqual([number_of(a) for a in answers], [1, 2, 3])

    def test_prefetch_bounds_what_is_underway(self):
        answers = self.call([self.taking(1, 200), self.taking(2, 1), self.taking(3, 1)],
                            metadata=[("__prefetch__", "1")])
        self.assertEqual([number_of(a) for a in answers], [1, 2, 3])
        times = [(a.routes[0].start_time.ToNanoseconds(), a.routes[0].end_time.ToNanoseconds())
                 for a in answers]
        self.assertLessEqual(times[0][1], times[1][0])
        self.assertLessEqual(times[1][1], times[2][0])

    def test_a_prefetch_that_is_no_number_is_as_if_it_were_not_said(self):
        for said in ("0", "-1", "many", ""):
            answers = self.call([self.taking(1, 300), self.taking(2, 1)],
                                metadata=[("__prefetch__", said)])
            self.assertEqual([number_of(a) for a in answers], [2, 1], said)

    def test_a_stream_is_held_back_where_a_call_is_refused(self):
        answers = self.call([self.taking(i, 20) for i in range(40)])
        self.assertEqual({a.header.status.code for a in answers}, {0})
        self.assertEqual(len(answers), 40)

    def test_streams_leave_places_for_who_cannot_wait(self):
        with self.flow.channel() as channel:
            stream = stream_of(channel)(iter([self.taking(i, 20000) for i in range(20)]),
                                        timeout=PATIENCE)
            wait_for("the stream to have all it gets",
                     lambda: self.flow.http_json("/readyz")[0] == 200)
            self.assertEqual(self.flow.post(self.taking(99, 1)).data.docs.docs[0].id, "doc0")
            stream.cancel()

    def test_a_cancelled_stream_makes_room(self):
        for _ in range(3):
            with self.flow.channel() as channel:
                stream = stream_of(channel)(iter([self.taking(i, 50000) for i in range(8)]),
                                            timeout=PATIENCE)
                stream.cancel()
        answers = self.call([self.taking(i, 1) for i in range(20)])
        self.assertEqual({a.header.status.code for a in answers}, {0})

    def in_flight(self):
        _, report = self.flow.http_json("/executors")
        return report["executors"][0]["replicas"][0]["in_flight"]

    def test_a_client_that_vanishes_takes_its_requests_with_it(self):
        message = message_frames(1, self.taking(1, 50000).SerializeToString())
        for _ in range(3):
            with connect(self.flow.port, PATIENCE) as client:
                client.sendall(frame(1, 4, 1, grpc_headers(CALL.encode())) + message * 8)
                wait_for("its requests to be underway", self.in_flight)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wait_for("none to be underway", lambda: not self.in_flight())
        answers = self.call([self.taking(i, 1) for i in range(20)])
        self.assertEqual({a.header.status.code for a in answers}, {0})

    def test_a_deadline_ends_the_stream_as_a_whole(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.call([self.taking(1, 50000)], timeout=0.3)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_a_request_with_a_limit_of_its_own_fails_alone(self):
        hasty = self.taking(1, 50000)
        hasty.header.timeout = 50
        answers = self.call([hasty, self.taking(2, 1)])
        by_number = {number_of(a): a.header.status for a in answers}
        self.assertEqual(by_number[2].code, jina_pb2.StatusProto.SUCCESS)
        self.assertEqual(by_number[1].code, jina_pb2.StatusProto.ERROR)
        self.assertEqual(by_number[1].exception.name, "InternalNetworkError")
        self.assertIn("could be established, but timed out", by_number[1].description)


class Unread(SharedFlow):
    """What a client sends and does not take back."""

    executors = '[[executors]]\nuses = "echo"\n'

    def test_a_client_that_does_not_read_is_held_back(self):
        before = self.flow.memory_mib()
        request = data_request("x")
        request.data.docs.docs[0].tags["large"] = "x" * 100_000
        message = message_frames(1, request.SerializeToString())
        with connect(self.flow.port, PATIENCE) as client:
            # No window for answers; what the client may say is what it is given credit for.
            client.sendall(frame(4, 0, 0, struct.pack(">HI", 4, 0))
                           + frame(1, 4, 1, grpc_headers(CALL.encode(),
                                                         more=literal(b"__prefetch__", b"4"))))
            client.settimeout(2)
            heard, sent = b"", 0
            try:
                while sent < 64 << 20:
                    if sent + len(message) <= STREAM_WINDOW + granted(heard):
                        client.sendall(message)
                        sent += len(message)
                    else:
                        heard += client.recv(65536)
            except TimeoutError:
                pass
            self.assertGreater(sent, STREAM_WINDOW, "answers fill a window of their own")
            self.assertLess(sent, 4 * STREAM_WINDOW, "it was never held back")
            self.assertLess(self.flow.memory_mib(), before + 60 * SHADOW)
            self.assertEqual(self.flow.post(data_request("y")).data.docs.docs[0].text, "y")

    def test_a_client_that_reads_late_gets_everything(self):
        requests = [numbered(i, "x" * 100_000) for i in range(200)]
        with self.flow.channel() as channel:
            stream = stream_of(channel)(iter(requests), timeout=PATIENCE)
            first = next(stream)
            wait_for("the others to be served meanwhile",
                     lambda: self.flow.post(data_request("y")).data.docs.docs[0].text == "y")
            self.assertEqual({number_of(a) for a in [first, *stream]}, set(range(200)))


STREAM_WINDOW = 4 << 20


def granted(heard):
    """What stream 1 may send beyond its first window."""
    return sum(int.from_bytes(one.payload, "big") for one in split_frames(heard)
               if one.kind == 8 and one.stream == 1)


class Death(unittest.TestCase):
    def test_an_executor_that_dies_fails_its_requests_and_not_the_stream(self):
        with Flow('[[executors]]\nuses = "echo"\n', more='[supervise]\nrestart = "never"\n') as flow:
            flow.wait_ready()
            with Talk(flow) as talk:
                self.assertFalse(talk.ask(numbered(1)).header.HasField("status"))
                os.kill(flow.pid_of("executor0"), signal.SIGKILL)
                wait_for("the gateway to notice", lambda: flow.http("/readyz")[0] == 503)
                for number in (2, 3):
                    answer = talk.ask(numbered(number))
                    status = answer.header.status
                    self.assertEqual(number_of(answer), number)
                    self.assertEqual(status.code, jina_pb2.StatusProto.ERROR)
                    self.assertIn("|Gateway: Communication error with deployment executor0",
                                  status.description)
                    self.assertEqual(status.exception.name, "InternalNetworkError")
                    self.assertIn("executor0/rep-0", status.exception.stacks[0])
                    self.assertEqual(status.exception.executor, "")


class Stop(unittest.TestCase):
    def test_a_drain_finishes_what_is_underway_and_then_the_stream(self):
        with Flow('[[executors]]\nuses = "slow"\nuses_with = { delay_ms = 500 }\n') as flow:
            flow.wait_ready()
            with Talk(flow) as talk:
                talk.ask(numbered(1))
                talk.to_send.put(numbered(2))
                talk.to_send.put(numbered(3))
                before = flow.process
                before.terminate()
                answers = []
                with self.assertRaises(grpc.RpcError) as caught:
                    for answer in talk.answers:
                        answers.append(answer)
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
                for answer in answers:
                    self.assertFalse(answer.header.HasField("status"))
            self.assertEqual(flow.wait_end(), 0)


def body_of(frames):
    return b"".join(one.payload for one in frames if one.kind == 0)


class Documents(SharedFlow):
    """stream_doc: the last executor that serves the endpoint answers in parts."""

    executors = ('[[executors]]\nname = "before"\nuses = "upper"\n'
                 '[[executors]]\nname = "counts"\nuses = "counts"\n')

    def stream(self, channel, timeout=PATIENCE, **parameters):
        request = jina_pb2.SingleDocumentRequestProto()
        request.header.request_id = "f" * 32
        request.header.exec_endpoint = "/count"
        request.document.text = "x"
        request.parameters.update(parameters)
        method = channel.unary_stream(
            "/jina.JinaSingleDocumentRequestRPC/stream_doc",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=jina_pb2.SingleDocumentRequestProto.FromString)
        return method(request, timeout=timeout)

    def test_each_part_is_a_message_with_the_requests_id(self):
        with self.flow.channel() as channel:
            parts = list(self.stream(channel, n=4))
        self.assertEqual([part.document.text for part in parts], ["1", "2", "3", "4"])
        self.assertEqual({part.header.request_id for part in parts}, {"f" * 32})

    def test_a_failure_after_some_parts_is_the_last_message(self):
        with self.flow.channel() as channel:
            parts = list(self.stream(channel, n=9, fail_at=3))
        self.assertEqual([part.document.text for part in parts[:2]], ["1", "2"])
        self.assertEqual(len(parts), 3)
        self.assertEqual(parts[2].header.status.code, jina_pb2.StatusProto.ERROR)
        self.assertIn("lost count at 3", parts[2].header.status.description)

    def test_a_caller_who_has_enough_ends_what_would_go_on_for_ever(self):
        with self.flow.channel() as channel:
            stream = self.stream(channel, forever=True)
            self.assertEqual(next(stream).document.text, "1")
            stream.cancel()
        wait_for("the executor to be idle", lambda: self.flow.http_json("/executors")[1][
            "executors"][1]["replicas"][0]["in_flight"] == 0)


class RawCalls(Streaming):
    def raw(self, encoding, message, accept=b"identity, deflate, gzip", flag=1, path=PROCESS):
        """What comes back for one message of a call, as it stands on the wire."""
        fields = literal(b"grpc-accept-encoding", accept)
        if encoding:
            fields += literal(b"grpc-encoding", encoding)
        with connect(self.flow.port, PATIENCE) as client:
            client.sendall(frame(1, 4, 1, grpc_headers(path.encode(), more=fields))
                           + message_frames(1, message, flag) + frame(0, 1, 1))
            answer, frames = b"", []
            while not any(one.kind == 1 and one.flags & 1 or one.kind == 3 for one in frames):
                part = client.recv(65536)
                self.assertTrue(part, answer)
                answer += part
                frames = split_frames(answer)
        return frames

    def refused(self, encoding, message, **options):
        return b"".join(one.payload for one in self.raw(encoding, message, **options)
                        if one.kind == 1)


class Compression(RawCalls):
    def test_both_ways_with_both_encodings_for_a_call_and_for_a_stream(self):
        request = data_request("hello " * 10_000)
        for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            answers = self.call([request] * 3, compression=algorithm)
            self.assertEqual([a.data.docs.docs[0].text for a in answers], ["hello " * 10_000] * 3)
            with self.flow.channel() as channel:
                answer = channel.unary_unary(PROCESS)(request.SerializeToString(), timeout=PATIENCE,
                                                      compression=algorithm)
            self.assertEqual(jina_pb2.DataRequestProto.FromString(answer).data, request.data)

    def test_the_answer_is_compressed_as_the_request_was_if_that_is_accepted(self):
        body = data_request("hello " * 10_000).SerializeToString()
        frames = self.raw(b"gzip", gzip.compress(body))
        answer = body_of(frames)
        self.assertEqual(answer[0], 1)
        self.assertLess(len(answer), len(body) // 10)
        self.assertIn(b"hello hello", gzip.decompress(answer[5:]))

        frames = self.raw(b"deflate", zlib.compress(body))
        answer = body_of(frames)
        self.assertIn(b"hello hello", zlib.decompress(answer[5:]))

        frames = self.raw(b"gzip", gzip.compress(body), accept=b"identity")
        answer = body_of(frames)
        self.assertEqual(answer[0], 0)

    def test_a_small_answer_is_not_worth_it(self):
        frames = self.raw(b"gzip", gzip.compress(data_request("x").SerializeToString()))
        self.assertEqual(body_of(frames)[0], 0)

    def test_what_cannot_be_inflated_is_refused(self):
        good = gzip.compress(data_request("x").SerializeToString())
        for encoding, message in ((b"gzip", b"garbage"), (b"gzip", b""), (b"gzip", good[:-1]),
                                  (b"gzip", good + b"x"), (b"deflate", good),
                                  (b"gzip", zlib.compress(b"x"))):
            self.assertIn(b"\x0213", self.refused(encoding, message), (encoding, message))

    def test_a_compressed_message_of_an_encoding_that_was_not_said_is_refused(self):
        for encoding in (None, b"identity"):
            self.assertIn(b"\x0213", self.refused(encoding, gzip.compress(b"x")))

    def test_unknown_encodings_are_unimplemented(self):
        self.assertIn(b"\x0212", self.refused(b"snappy", b"x"))


class Bombs(RawCalls):
    gateway = 'max_message = "16MiB"\n'

    def test_a_bomb_is_refused_and_costs_what_a_large_message_costs(self):
        before = self.flow.memory_mib()
        bomb = gzip.compress(bytes(64 << 20), compresslevel=9)
        self.assertLess(len(bomb), 1 << 20)
        self.assertIn(b"\x018", self.refused(b"gzip", bomb))
        self.assertEqual(self.flow.dry_run().SerializeToString(), b"")
        self.assertLess(self.flow.memory_mib(), before + 200 * SHADOW)

    def test_bombs_on_many_streams_disturb_nobody(self):
        bomb = gzip.compress(bytes(64 << 20), compresslevel=9)
        fields = grpc_headers(CALL.encode(), more=literal(b"grpc-encoding", b"gzip"))
        with connect(self.flow.port, PATIENCE) as client:
            heard = b""
            for stream in range(1, 40, 2):
                client.sendall(frame(1, 4, stream, fields) + message_frames(stream, bomb, 1))
            while sum(one.kind == 1 for one in split_frames(heard)) < 20:
                self.assertEqual(self.flow.dry_run().SerializeToString(), b"")
                part = client.recv(65536)
                self.assertTrue(part, heard)
                heard += part


if __name__ == "__main__":
    unittest.main()
