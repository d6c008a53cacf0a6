# SPDX-License-Identifier: Apache-2.0
"""What dies or stops is noticed, explained and brought back; nothing outlives flow-host."""

import json
import os
import pathlib
import re
import signal
import unittest

import grpc

import jina_pb2
from flow_process import Flow, alive, children, data_request, wait_for

ECHO = '[[executors]]\nuses = "echo"\n'
NEVER = '[supervise]\nrestart = "never"\n'


def not_ready(flow):
    """The verdict of a Flow that is not ready; None while it is."""
    status = flow.dry_run()
    return status if status.code == jina_pb2.StatusProto.ERROR else None


class KilledExecutor(unittest.TestCase):
    def test_the_next_probe_says_so_in_the_references_words_with_the_reason(self):
        with Flow(ECHO, more=NEVER).wait_ready() as flow:
            pid = flow.pid_of("executor0")
            os.kill(pid, signal.SIGKILL)
            wait_for("the reason", lambda: "killed by signal" in flow.http("/readyz")[1])
            status = flow.dry_run()

            description = (r"^failed to connect to all addresses \|Gateway: Communication error with "
                           r"deployment executor0 at address\(es\) \{'0\.0\.0\.0:\d+'\}\. Head or "
                           r"worker\(s\) may be down\.$")
            self.assertRegex(status.description, description)
            self.assertEqual(status.exception.name, "InternalNetworkError")
            self.assertEqual(list(status.exception.args), [status.description])
            self.assertEqual(len(status.exception.stacks), 1)
            evidence = status.exception.stacks[0]
            self.assertIn(f"process {pid} was killed by signal 9 (SIGKILL) at 20", evidence)
            self.assertIn('restart = "never"', evidence)

            code, answer = flow.http_json("/dry_run")
            self.assertEqual(code, 503)
            self.assertEqual(answer, {
                "code": 1,
                "description": status.description,
                "exception": {"name": "InternalNetworkError", "args": [status.description],
                              "stacks": [evidence], "executor": ""},
            })

    def test_it_stays_down_when_nothing_is_restarted_and_the_gateway_lives(self):
        with Flow(ECHO, more=NEVER).wait_ready() as flow:
            os.kill(flow.pid_of("executor0"), signal.SIGKILL)
            wait_for("FAILED", lambda: "FAILED" in flow.http("/readyz?verbose")[1])
            self.assertEqual(flow.http("/livez")[0], 200)
            self.assertEqual(flow.http("/")[0], 200)
            self.assertIsNone(flow.process.poll())

    def test_data_requests_meanwhile_are_unavailable_with_the_same_words(self):
        with Flow(ECHO, more=NEVER).wait_ready() as flow:
            os.kill(flow.pid_of("executor0"), signal.SIGKILL)
            wait_for("not ready", lambda: not_ready(flow))
            with self.assertRaises(grpc.RpcError) as caught:
                flow.post(data_request("x"))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertIn("|Gateway: Communication error with deployment executor0",
                          caught.exception.details())

    def test_it_heals_by_itself_on_the_same_port_and_serves_again(self):
        with Flow(ECHO).wait_ready() as flow:
            _, before = flow.http_json("/readyz?verbose")
            old = flow.pid_of("executor0")
            os.kill(old, signal.SIGKILL)
            wait_for("a new process that serves",
                     lambda: flow.pid_of("executor0") not in (None, old)
                     and flow.http("/readyz")[0] == 200)
            _, after = flow.http_json("/readyz?verbose")
            self.assertEqual(after["executors"][0]["replicas"][0]["address"],
                             before["executors"][0]["replicas"][0]["address"])
            self.assertEqual(flow.post(data_request("again")).data.docs.docs[0].text, "again")

    def test_that_dies_too_often_is_given_up(self):
        more = '[supervise]\nrestarts = 2\nrestart_window = "60s"\n'
        with Flow(ECHO, more=more).wait_ready() as flow:
            killed = set()
            while "FAILED" not in flow.http("/readyz?verbose")[1]:
                pid = flow.pid_of("executor0")
                if pid and pid not in killed:
                    killed.add(pid)
                    os.kill(pid, signal.SIGKILL)
            self.assertEqual(len(killed), 3, "the first and two restarts")

    def test_one_replica_of_two_leaves_the_flow_ready(self):
        with Flow('[[executors]]\nuses = "echo"\nreplicas = 2\n', more=NEVER).wait_ready() as flow:
            os.kill(flow.pid_of("executor0", 0), signal.SIGKILL)
            wait_for("the gateway to know", lambda: "FAILED" in flow.http("/readyz?verbose")[1])
            self.assertIsNone(not_ready(flow))
            for _ in range(4):
                flow.post(data_request("x"))

    def test_a_plugin_that_segfaults_takes_down_nothing_else(self):
        executors = '[[executors]]\nname = "bad"\nuses = "segfaults"\n' \
                    '[[executors]]\nname = "good"\nuses = "echo"\n'
        with Flow(executors).wait_ready() as flow:
            good, gateway = flow.pid_of("good"), flow.pid_of("gateway")
            with self.assertRaises(grpc.RpcError) as caught:
                flow.post(data_request("x"))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
            wait_for("ready again", lambda: flow.http("/readyz")[0] == 200)
            self.assertEqual((flow.pid_of("good"), flow.pid_of("gateway")), (good, gateway))
            self.assertIn("SIGSEGV", flow.log())


class LifeLock(unittest.TestCase):
    HEAVY = '[[executors]]\nuses = "weighs"\nuses_with = { mib = 512 }\n'

    def life_lock(self, flow):
        """The file beside the socket of executor0, found among what its process has mapped."""
        maps = pathlib.Path(f"/proc/{flow.pid_of('executor0')}/maps").read_text()
        return re.search(r"\S+\.sock\.alive$", maps, re.M)[0]

    def test_a_death_is_known_before_the_memory_is_freed(self):
        with Flow(self.HEAVY, more=NEVER).wait_ready() as flow:
            os.kill(flow.pid_of("executor0"), signal.SIGKILL)
            wait_for("not ready", lambda: not_ready(flow))
            wait_for("the log", lambda: "the process died (its life lock was released)"
                     in flow.log())

    def test_each_process_has_its_own(self):
        with Flow(self.HEAVY).wait_ready() as flow:
            for _ in range(2):
                lock = self.life_lock(flow)
                self.assertTrue(os.path.exists(lock))
                old = flow.pid_of("executor0")
                os.kill(old, signal.SIGKILL)
                wait_for("a new process that serves",
                         lambda: flow.pid_of("executor0") not in (None, old)
                         and flow.http("/readyz")[0] == 200)
            self.assertEqual(len(re.findall(r"(?m)^INFO .*its life lock was released", flow.log())), 2,
                             flow.log())

    def test_one_that_is_overwritten_costs_its_speed_and_nothing_else(self):
        with Flow(ECHO, more=NEVER).wait_ready() as flow:
            with open(self.life_lock(flow), "r+b") as lock:
                lock.write(b"\xff" * 16)
                lock.flush()
                self.assertIsNone(not_ready(flow))
                os.truncate(lock.name, 0)
            self.assertEqual(flow.post(data_request("x")).data.docs.docs[0].text, "x")
            pid = flow.pid_of("executor0")
            os.kill(pid, signal.SIGKILL)
            wait_for("the reason", lambda: "killed by signal" in flow.http("/readyz")[1])
            self.assertEqual(flow.http("/livez")[0], 200)
            self.assertNotIn("life lock", flow.log())

    def test_one_that_is_missing_costs_nothing_but_its_speed(self):
        with Flow(ECHO).wait_ready() as flow:
            os.unlink(self.life_lock(flow))
            gateway = flow.pid_of("gateway")
            os.kill(gateway, signal.SIGKILL)  # the next one finds no file

            def serves_again():
                try:
                    return flow.http("/readyz")[0] == 200 and flow.pid_of("gateway") != gateway
                except OSError:
                    return False

            wait_for("a new gateway", serves_again)
            old = flow.pid_of("executor0")
            os.kill(old, signal.SIGKILL)
            wait_for("a new process that serves",
                     lambda: flow.pid_of("executor0") not in (None, old)
                     and flow.http("/readyz")[0] == 200)
            self.assertNotIn("life lock", flow.log())

    def test_an_end_in_order_is_no_death(self):
        with Flow(ECHO).wait_ready() as flow:
            os.kill(flow.pid_of("executor0"), signal.SIGTERM)
            wait_for("DRAINING and its end", lambda: "exited with status 0" in flow.log())
            self.assertNotIn("life lock", flow.log())


class StoppedExecutor(unittest.TestCase):
    def test_a_stopped_process_is_hung_and_ready_again_when_it_continues(self):
        with Flow(ECHO).wait_ready() as flow:
            pid = flow.pid_of("executor0")
            os.kill(pid, signal.SIGSTOP)
            try:
                status = wait_for("not ready", lambda: not_ready(flow))
                self.assertIn("could be established, but timed out", status.description)
                self.assertIn("HUNG", status.exception.stacks[0])
                self.assertIn("heartbeat", status.exception.stacks[0])
            finally:
                os.kill(pid, signal.SIGCONT)
            wait_for("ready again", lambda: not not_ready(flow))
            self.assertEqual(flow.pid_of("executor0"), pid, "it was never dead")


class KilledGateway(unittest.TestCase):
    def test_it_comes_back_on_the_same_port(self):
        with Flow(ECHO).wait_ready() as flow:
            executor, gateway = flow.pid_of("executor0"), flow.pid_of("gateway")
            os.kill(gateway, signal.SIGKILL)

            def serves_again():
                try:
                    return flow.http("/readyz")[0] == 200 and flow.pid_of("gateway") != gateway
                except OSError:
                    return False

            wait_for("a new gateway", serves_again)
            self.assertEqual(flow.pid_of("executor0"), executor)
            self.assertEqual(flow.post(data_request("x")).data.docs.docs[0].text, "x")


class KilledFlowHost(unittest.TestCase):
    def test_nothing_survives_it(self):
        with Flow('[[executors]]\nuses = "echo"\nreplicas = 2\n').wait_ready() as flow:
            everyone = children(flow.process.pid)
            self.assertEqual(len(everyone), 3)
            flow.process.kill()
            flow.wait_end()
            wait_for("all to end", lambda: not any(map(alive, everyone)))


class Stopping(unittest.TestCase):
    def stop_by(self, number):
        with Flow(ECHO).wait_ready() as flow:
            everyone = children(flow.process.pid)
            flow.process.send_signal(number)
            self.assertEqual(flow.wait_end(), 0)
            self.assertFalse(any(map(alive, everyone)))

    def test_sigterm_ends_all_with_status_0(self):
        self.stop_by(signal.SIGTERM)

    def test_sigint_ends_all_with_status_0(self):
        self.stop_by(signal.SIGINT)

    def test_a_call_in_flight_is_finished_first(self):
        executors = '[[executors]]\nuses = "slow"\nuses_with = { delay_ms = 700 }\n'
        with Flow(executors).wait_ready() as flow:
            with flow.channel() as channel:
                call = channel.unary_unary(
                    "/jina.JinaSingleDataRequestRPC/process_single_data",
                    request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=jina_pb2.DataRequestProto.FromString,
                ).future(data_request("x"), timeout=60)
                self.wait_sent(channel)
                flow.process.terminate()
                self.assertEqual(call.result().data.docs.docs[0].text, "x")
            self.assertEqual(flow.wait_end(), 0)

    @staticmethod
    def wait_sent(channel):
        """What was called before is at the gateway: this comes after it on the same connection."""
        channel.unary_unary("/jina.JinaGatewayDryRunRPC/dry_run")(b"", timeout=60)

    def test_a_health_watch_does_not_hold_up_the_end(self):
        with Flow(ECHO).wait_ready() as flow, flow.channel() as channel:
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=60)
            self.assertEqual(next(watch), b"\x08\x01", "SERVING")
            flow.process.terminate()
            self.assertEqual(next(watch), b"\x08\x02", "NOT_SERVING")
            with self.assertRaises(grpc.RpcError) as caught:
                next(watch)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(flow.wait_end(), 0)
            self.assertNotIn("still in flight", flow.log())

    def test_requests_that_do_not_end_are_cut_off_without_a_crash(self):
        more = '[supervise]\ndrain_timeout = "300ms"\n'
        with Flow('[[executors]]\nuses = "hangs"\n', more=more).wait_ready() as flow:
            gateway = flow.pid_of("gateway")
            with flow.channel() as channel:
                call = channel.unary_unary(
                    "/jina.JinaSingleDataRequestRPC/process_single_data",
                    request_serializer=lambda message: message.SerializeToString(),
                ).future(data_request("x"), timeout=60)
                self.wait_sent(channel)
                os.kill(gateway, signal.SIGTERM)
                wait_for("the gateway to end", lambda: not alive(gateway))
                self.assertEqual(call.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertNotIn("Sanitizer", flow.log())
            self.assertNotIn("killed by signal", flow.log())

    def test_a_second_signal_ends_it_at_once(self):
        executors = '[[executors]]\nuses = "hangs"\n'
        with Flow(executors).wait_ready() as flow:
            everyone = children(flow.process.pid)
            with flow.channel() as channel:
                channel.unary_unary(
                    "/jina.JinaSingleDataRequestRPC/process_single_data",
                    request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=jina_pb2.DataRequestProto.FromString,
                ).future(data_request("x"), timeout=60)
                flow.process.terminate()
                wait_for("it to begin to stop", lambda: "stop" in flow.log().lower())
                flow.process.terminate()
                self.assertEqual(flow.wait_end(), 128 + signal.SIGTERM)
            wait_for("all to end", lambda: not any(map(alive, everyone)))


if __name__ == "__main__":
    unittest.main()
