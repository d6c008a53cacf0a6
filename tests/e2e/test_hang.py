# SPDX-License-Identifier: Apache-2.0
"""A plugin that gets stuck is told from one that works, explained, ended and brought back."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

import grpc

import health_pb2
import jina_pb2
from flow_process import BUILD, FLOW_HOST, PATIENCE, PLUGINS, TEST_PLUGINS, Flow, data_request, \
    wait_for
from http2_wire import connect, frame, grpc_headers, literal, message_frames, split_frames

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NEVER = '[supervise]\nrestart = "never"\n'
CALL_ID = "0123456789abcdef0123456789abcdef"


def stuck_executor(budget="300ms", more=""):
    return f'[[executors]]\nuses = "gets-stuck"\nhang_budget = "{budget}"\n{more}\n'


def refused(flow, request, timeout=PATIENCE):
    """The error that a request ends with."""
    try:
        flow.post(request, timeout)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the request was answered")


def replica(flow, executor=0, index=0):
    return flow.http_json("/readyz?verbose")[1]["executors"][executor]["replicas"][index]


def sleepy_request(milliseconds):
    request = data_request("x", endpoint="/silent")
    request.parameters["ms"] = milliseconds
    return request


@contextlib.contextmanager
def posted(flow, request):
    """A request that is in the executor's hands, as its future."""
    with flow.channel() as channel:
        before = replica_calls(flow)
        future = channel.unary_unary(
            "/jina.JinaSingleDataRequestRPC/process_single_data",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=jina_pb2.DataRequestProto.FromString,
        ).future(request, timeout=PATIENCE)
        wait_for("the request to be with the executor", lambda: replica_calls(flow) > before)
        yield future


def replica_calls(flow):
    return flow.http_json("/executors")[1]["executors"][0]["replicas"][0]["in_flight"]


def ready_again(flow, old):
    wait_for("a new process that serves", lambda: flow.pid_of("executor0") not in (None, old)
             and flow.http("/readyz")[0] == 200)


class StuckInProcess(unittest.TestCase):
    def stuck_at(self, endpoint):
        with Flow(stuck_executor()).wait_ready() as flow:
            old = flow.pid_of("executor0")
            began = time.monotonic()
            error = refused(flow, data_request("x", endpoint=endpoint))

            self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
            sentence = f'call "{CALL_ID}" at {endpoint} made no progress for 0.3 s (hang_budget)'
            self.assertIn(f"executor0/rep-0: {sentence}; it is given up", error.details())
            self.assertGreaterEqual(time.monotonic() - began, 0.3)

            ready_again(flow, old)
            self.assertEqual(flow.post(sleepy_request(0)).data.docs.docs[0].text, "x")
            log = flow.log()
            self.assertRegex(log, rf"executor0/rep-0 is HUNG \(was \w+\): {re.escape(sentence)}")
            self.assertRegex(log, rf"process {old} was killed by signal 9 \(SIGKILL\) at \S+, "
                                  rf"because {re.escape(sentence)}; restart 1 of 5")
            return log

    def test_a_deadlock_is_explained_with_its_stack_and_the_executor_comes_back(self):
        log = self.stuck_at("/deadlock")
        self.assertRegex(log, r"thread \d+, inside process\(\):")
        self.assertRegex(log, r"#\d+ 0x\w+ .*GetsStuck::lock_twice\(\).* in \S*gets-stuck\.so\+0x")

    def test_so_is_a_spin(self):
        self.assertRegex(self.stuck_at("/spin"), r"#0 0x\w+ .*GetsStuck::spin_for_ever\(\)")

    def test_an_asynchronous_call_that_is_never_finished_is_too(self):
        executors = '[[executors]]\nuses = "never-finishes"\nhang_budget = "300ms"\n'
        with Flow(executors).wait_ready() as flow:
            old = flow.pid_of("executor0")
            error = refused(flow, data_request("x"))
            self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
            self.assertIn("no call_finish() followed", error.details())
            ready_again(flow, old)

    def test_who_waits_behind_it_is_told_that_it_was_not_started(self):
        with Flow(stuck_executor("3s")).wait_ready() as flow:
            with posted(flow, data_request("x", endpoint="/deadlock")) as stuck:
                with posted(flow, sleepy_request(0)) as behind:
                    self.assertEqual(stuck.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
                    self.assertEqual(behind.code(), grpc.StatusCode.UNAVAILABLE)
                    self.assertIn("this call was not started", behind.details())

    def test_of_two_replicas_the_other_keeps_the_flow_ready(self):
        with Flow(stuck_executor(more="replicas = 2"), more=NEVER).wait_ready() as flow:
            self.assertEqual(refused(flow, data_request("x", endpoint="/deadlock")).code(),
                             grpc.StatusCode.DEADLINE_EXCEEDED)
            wait_for("the end of the stuck one", lambda: "FAILED" in flow.http("/readyz?verbose")[1])
            self.assertEqual(flow.http("/readyz")[0], 200)
            for _ in range(4):
                flow.post(sleepy_request(0))


class Everywhere(unittest.TestCase):
    """The same state with the same reason, whoever is asked and however."""

    def reasons(self, flow):
        """State and reason as each of those that give one tells them."""
        verbose = replica(flow)
        executors = flow.http_json("/executors")[1]["executors"][0]["replicas"][0]
        over_http = flow.http_json("/dry_run")[1]["exception"]["stacks"][0]
        over_grpc = flow.dry_run().exception.stacks[0]
        self.assertEqual(over_http, over_grpc)
        told = re.fullmatch(r"executor0/rep-0 at \S+ is (\w+) since (\S+): (.*)\n", over_grpc)
        self.assertEqual(verbose["since"], told[2])
        table = subprocess.run([BUILD / "bin" / "flowctl", "status", f"127.0.0.1:{flow.port}"],
                               timeout=PATIENCE, capture_output=True, text=True).stdout
        self.assertIn(told[3], table)
        self.assertRegex(table, rf"executor0\s+0\s+{told[1]}\s")
        self.assertIn(f"executor0/rep-0 is {told[1]}: {told[3]}", flow.http_json("/readyz")[1]["reason"])
        return {(told[1], told[3]), (verbose["state"], verbose["reason"]),
                (executors["state"], executors["reason"])}

    def test_hung_and_what_follows_from_it(self):
        sentence = f'call "{CALL_ID}" at /deadlock made no progress for 0.3 s (hang_budget)'
        with Flow(stuck_executor(), more=NEVER).wait_ready() as flow, flow.channel() as channel:
            watch = channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )(health_pb2.HealthCheckRequest(service="executor0"), timeout=PATIENCE)
            self.assertEqual(next(watch).status, SERVING)
            frozen = [flow.process.pid, flow.pid_of("executor0")]
            self.assertEqual(refused(flow, data_request("x", endpoint="/deadlock")).code(),
                             grpc.StatusCode.DEADLINE_EXCEEDED)
            wait_for("HUNG and where", lambda: replica(flow)["state"] == "HUNG"
                     and "GetsStuck::lock_twice" in flow.http("/dry_run")[1])
            # Whoever would end it now is stopped; the gateway is who is asked.
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            try:
                self.assertEqual(self.reasons(flow), {("HUNG", sentence)})
                self.assertEqual(next(watch).status, NOT_SERVING)
                self.assertEqual(flow.health("executor0"), NOT_SERVING)
                self.assertEqual(flow.health(""), NOT_SERVING)
                self.assertEqual(flow.health("liveness"), SERVING)
                self.assert_shows_the_stack(flow)
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)

            wait_for("FAILED", lambda: replica(flow)["state"] == "FAILED")
            (state, reason), = self.reasons(flow)
            self.assertEqual(state, "FAILED")
            self.assertIn(f", because {sentence}; not restarted: restart = \"never\"", reason)
            self.assertEqual(flow.health("executor0"), NOT_SERVING)
            self.assert_shows_the_stack(flow)

    def assert_shows_the_stack(self, flow):
        _, thread, *frames = flow.dry_run().exception.stacks
        self.assertRegex(thread, r"^ *thread \d+, inside process\(\):\n$")
        self.assertTrue(any("GetsStuck::lock_twice()" in frame for frame in frames), frames)


class StuckElsewhere(unittest.TestCase):
    def test_in_health(self):
        with Flow(stuck_executor()).wait_ready() as flow:
            old = flow.pid_of("executor0")
            flow.post(data_request("x", endpoint="/stick-health"))
            ready_again(flow, old)
            self.assertRegex(flow.log(), r"because health\(\) of plugin \"gets-stuck\" has not "
                                         r"returned for 3\.\d s, it has 3 s; restart 1 of 5")
            self.assertIn("GetsStuck::lock_twice_in_health() const", flow.log())

    def test_in_create_at_the_start(self):
        with tempfile.TemporaryDirectory(prefix="flow-e2e-") as folder:
            file = pathlib.Path(folder) / "flow.toml"
            file.write_text(f'plugins = ["{PLUGINS}", "{TEST_PLUGINS}"]\n[gateway]\nport = 0\n'
                            '[[executors]]\nname = "x"\nuses = "gets-stuck"\n'
                            f'timeout_ready = "4s"\nuses_with = {{ create_stuck_while = "{file}" }}')
            done = subprocess.run([FLOW_HOST, "--config", file], timeout=PATIENCE,
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r'error: executor "x" \(\S+:4:1\): create\(\) of plugin '
                                      r'"gets-stuck" did not return within 4 s \(timeout_ready\)\n')
        self.assertRegex(done.stderr, r"error: thread \d+, inside create\(\):\n")
        self.assertRegex(done.stderr, r"error: #\d+ 0x\w+ .*GetsStuck::lock_twice_in_create\(\)")

    def test_in_create_at_a_restart(self):
        with tempfile.TemporaryDirectory(prefix="flow-e2e-") as folder:
            stuck = pathlib.Path(folder) / "stuck"
            executors = stuck_executor(more='timeout_ready = "10s"\n'
                                            f'uses_with = {{ create_stuck_while = "{stuck}" }}')
            with Flow(executors).wait_ready() as flow:
                old = flow.pid_of("executor0")
                stuck.touch()
                os.kill(old, signal.SIGKILL)
                wait_for("the failed restart", lambda: re.search(
                    r"because create\(\) of plugin \"gets-stuck\" did not return within 10 s "
                    r"\(timeout_ready\); restart 2 of 5", flow.log()))
                stuck.unlink()
                ready_again(flow, old)
                self.assertIn("GetsStuck::lock_twice_in_create()", flow.log())


class Busy(unittest.TestCase):
    """A probe never waits for work, and work is no hang."""

    def probe_while(self, flow, future):
        """Asks in every way for as long as the request takes; how often."""
        rounds = 0
        with flow.channel() as channel:
            dry_run = channel.unary_unary("/jina.JinaGatewayDryRunRPC/dry_run")
            health = channel.unary_unary("/grpc.health.v1.Health/Check")
            by_name = health_pb2.HealthCheckRequest(service="executor0").SerializeToString()
            while not future.done():
                self.assertEqual(dry_run(b"", timeout=PATIENCE), b"", "ready")
                self.assertEqual(health(by_name, timeout=PATIENCE), b"\x08\x01", "SERVING")
                self.assertEqual(flow.http("/readyz")[0], 200)
                rounds += 1
        return rounds

    def test_a_long_call_inside_its_budget_leaves_the_executor_ready(self):
        with Flow(stuck_executor("30s")).wait_ready() as flow:
            with posted(flow, sleepy_request(3000)) as future:
                self.assertGreater(self.probe_while(flow, future), 3)
                self.assertEqual(future.result().data.docs.docs[0].text, "x")
            self.assertNotIn("HUNG", flow.log())

    def test_one_that_takes_many_budgets_but_reports_progress_too(self):
        with Flow(stuck_executor("300ms")).wait_ready() as flow:
            request = sleepy_request(3000)
            request.header.exec_endpoint = "/busy"
            with posted(flow, request) as future:
                self.assertGreater(self.probe_while(flow, future), 3)
                self.assertEqual(future.result().data.docs.docs[0].text, "x")
            self.assertNotIn("HUNG", flow.log())

    def test_probes_are_answered_while_every_worker_is_stuck(self):
        with Flow(stuck_executor("off"), gateway='timeout_send = "3s"').wait_ready() as flow:
            with posted(flow, data_request("x", endpoint="/deadlock")) as future:
                self.assertGreater(self.probe_while(flow, future), 3)
                self.assertEqual(future.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
            self.assertEqual(flow.http("/readyz")[0], 200, "without a budget nothing is hung")
            flow.process.kill()  # what is stuck without a budget would hold up the drain

    def test_a_slow_reader_of_a_stream_is_no_hang(self):
        executors = '[[executors]]\nuses = "counts"\nhang_budget = "200ms"\n'
        with Flow(executors).wait_ready() as flow, flow.channel() as channel:
            request = jina_pb2.SingleDocumentRequestProto()
            request.header.exec_endpoint = "/count"
            request.parameters["n"] = 100_000
            stream = channel.unary_stream(
                "/jina.JinaSingleDocumentRequestRPC/stream_doc",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=jina_pb2.SingleDocumentRequestProto.FromString,
            )(request, timeout=PATIENCE)
            next(stream)
            end = time.monotonic() + 2
            while time.monotonic() < end:
                self.assertEqual(flow.http("/readyz")[0], 200)
            self.assertEqual(sum(1 for _ in stream), 99_999)
            self.assertNotIn("HUNG", flow.log())

    def test_a_caller_is_answered_at_its_deadline_while_the_plugin_still_works(self):
        with Flow(stuck_executor("30s")).wait_ready() as flow:
            port = int(replica(flow)["address"].rpartition(":")[2])
            with connect(port, PATIENCE) as client:
                request = sleepy_request(3000).SerializeToString()
                headers = grpc_headers(more=literal(b"te", b"trailers")
                                       + literal(b"grpc-timeout", b"200m"))
                began = time.monotonic()
                client.sendall(frame(1, 4, 1, headers) + message_frames(1, request)
                               + frame(0, 1, 1))
                heard = b""
                while not any(one.kind == 1 and one.flags & 1 for one in split_frames(heard)):
                    part = client.recv(65536)
                    self.assertTrue(part, "the connection stands")
                    heard += part
                self.assertLess(time.monotonic() - began, 2.5, "before the plugin returns")
                self.assertIn(b"Deadline Exceeded", heard)
            self.assertEqual(flow.http("/readyz")[0], 200)


if __name__ == "__main__":
    unittest.main()
