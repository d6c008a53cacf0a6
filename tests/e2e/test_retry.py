# SPDX-License-Identifier: Apache-2.0
"""Requests whose processes die under them: tried again where that does no harm, explained where not."""

import os
import pathlib
import signal
import tempfile
import threading
import unittest

import grpc

import jina_pb2
from flow_process import Flow, data_request, wait_for

# Under a sanitizer the supervisor may need longer than a lost request waits for it.
SANITIZED = bool(os.environ.get("FLOW_SANITIZE"))

# Deaths are what these tests are made of: none is one too many.
MORE = '[supervise]\nrestarts = 1000\nrestart_window = "100ms"\n'


def flow_of(folder, replicas):
    runs = pathlib.Path(folder) / "runs"
    executors = (f'[[executors]]\nuses = "dies"\nuses_with = {{ runs = "{runs}" }}\n'
                 f'replicas = {replicas}\n')
    return Flow(executors, more=MORE).wait_ready(), runs


def replicas_of(flow):
    return flow.http_json("/executors")[1]["executors"][0]["replicas"]


class Callers:
    """Who post to an endpoint, one request after the other, until they are told to stop."""

    def __init__(self, flow, endpoint, count=8):
        self.flow = flow
        self.endpoint = endpoint
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.answered = []
        self.failed = {}
        self.threads = [threading.Thread(target=self.call, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def call(self, caller):
        with self.flow.channel() as channel:
            post = channel.unary_unary(
                "/jina.JinaSingleDataRequestRPC/process_single_data",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=jina_pb2.DataRequestProto.FromString)
            serial = 0
            while not self.stopping.is_set():
                serial += 1
                request = data_request("x", endpoint=self.endpoint)
                document = request.data.docs.docs[0]
                document.id = f"{caller}-{serial}"
                try:
                    answer = post(request, timeout=60)
                    with self.lock:
                        self.answered.append(answer.data.docs.docs[0].id)
                except grpc.RpcError as error:
                    with self.lock:
                        self.failed[document.id] = error

    def count(self):
        with self.lock:
            return len(self.answered)

    def wait_for_more(self, answers=50):
        goal = self.count() + answers
        wait_for("answers", lambda: self.count() >= goal)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class KilledUnderLoad(unittest.TestCase):
    def kill_in_turn(self, flow, callers, times=6):
        for turn in range(times):
            wait_for("both replicas", lambda: all(
                replica["state"] == "READY" for replica in replicas_of(flow)))
            callers.wait_for_more()
            pid = flow.pid_of("executor0", turn % 2)
            os.kill(pid, signal.SIGKILL)
            wait_for("its death to be known", lambda: replicas_of(flow)[turn % 2]["pid"] != pid)
        callers.wait_for_more()
        callers.stop()

    def test_no_request_to_an_idempotent_endpoint_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            flow, _ = flow_of(folder, 2)
            with flow:
                callers = Callers(flow, "/safe")
                self.kill_in_turn(flow, callers)
                self.assertEqual([error.details() for error in callers.failed.values()], [])
                self.assertEqual(len(callers.answered), len(set(callers.answered)))

    def test_others_say_of_what_their_process_died_and_are_answered_once(self):
        with tempfile.TemporaryDirectory() as folder:
            flow, runs = flow_of(folder, 2)
            with flow:
                callers = Callers(flow, "/unsafe")
                self.kill_in_turn(flow, callers, times=10)
                for error in callers.failed.values():
                    self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
                    self.assertIn("was lost with the request: ", error.details())
                    self.assertIn("it may have run", error.details())
                    if not SANITIZED:
                        self.assertIn("was killed by signal 9 (SIGKILL)", error.details())
                ran = runs.read_text().split()
                self.assertEqual(len(ran), len(set(ran)), "nothing ran twice")
                self.assertEqual(len(callers.answered), len(set(callers.answered)))
                self.assertLessEqual(set(callers.answered), set(ran))
                self.assertFalse(set(callers.answered) & set(callers.failed))


class Poison(unittest.TestCase):
    def test_kills_no_third_process(self):
        with tempfile.TemporaryDirectory() as folder:
            flow, runs = flow_of(folder, 3)
            with flow:
                before = {replica["pid"] for replica in replicas_of(flow)}
                with self.assertRaises(grpc.RpcError) as caught:
                    flow.post(data_request("poison", endpoint="/safe"))
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
                self.assertEqual(caught.exception.details().count("was lost with the request"), 2)
                self.assertIn("in two processes", caught.exception.details())
                self.assertEqual(runs.read_text().split(), ["doc0", "doc0"])
                wait_for("all three to be ready", lambda: all(
                    replica["state"] == "READY" for replica in replicas_of(flow)))
                after = {replica["pid"] for replica in replicas_of(flow)}
                self.assertEqual(len(before & after), 1)

    def test_of_another_endpoint_kills_one_and_names_its_signal(self):
        with tempfile.TemporaryDirectory() as folder:
            flow, runs = flow_of(folder, 2)
            with flow:
                status, answer = flow.http("/readyz")
                self.assertEqual(status, 200, answer)
                with self.assertRaises(grpc.RpcError) as caught:
                    flow.post(data_request("poison", endpoint="/unsafe"))
                details = caught.exception.details()
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
                self.assertRegex(details, r"executor0/rep-\d was lost with the request: ")
                self.assertEqual(runs.read_text().split(), ["doc0"])
                self.assertEqual(flow.http("/readyz")[0], 200)


class OneReplica(unittest.TestCase):
    def test_a_restart_is_a_pause_and_no_error(self):
        with tempfile.TemporaryDirectory() as folder:
            flow, _ = flow_of(folder, 1)
            with flow:
                pid = flow.pid_of("executor0")
                os.kill(pid, signal.SIGKILL)
                wait_for("its death to be known", lambda: flow.http("/readyz")[0] != 200
                         or replicas_of(flow)[0]["pid"] != pid)
                answer = flow.post(data_request("x", endpoint="/unsafe"))
                self.assertEqual(answer.data.docs.docs[0].text, "x")


if __name__ == "__main__":
    unittest.main()
