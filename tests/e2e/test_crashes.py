# SPDX-License-Identifier: Apache-2.0
"""What crashes says where, everywhere: in probes, in flowctl, in the folder, which stays small."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

import grpc

import jina_pb2
from flow_process import BUILD, PATIENCE, Flow, data_request, wait_for

FLOWCTL = BUILD / "bin" / "flowctl"
CRASHES = '[[executors]]\nname = "bad"\nuses = "crashes"\n'
NEVER = '[supervise]\nrestart = "never"\n'
REQUEST = "3f2a4711000000000000000000000000"
REPORTS_MAX = 200

# Sanitizers handle it themselves, and end the process in their own way.
SANITIZED = bool(os.environ.get("FLOW_SANITIZE"))


def reports(flow):
    return sorted((flow.folder / "state" / "flow-host" / "crashes").glob("*.crash"))


def flowctl(flow, *arguments):
    done = subprocess.run(
        [FLOWCTL, "crashes", "--config", flow.file, *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
        env={**os.environ, "XDG_STATE_HOME": str(flow.folder / "state")})
    return done.returncode, done.stdout, done.stderr


def crash(flow, endpoint):
    """Sends the request that kills, and waits until the supervisor has said why."""
    try:
        flow.post(data_request("x", endpoint=endpoint, request_id=REQUEST))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    else:
        raise AssertionError("the executor answered")
    wait_for("the reason", lambda: "killed by signal" in flow.http("/readyz?verbose")[1])


class Crash(unittest.TestCase):
    def check(self, endpoint, number, *needles):
        with Flow(CRASHES, more=NEVER).wait_ready() as flow:
            crash(flow, endpoint)
            stacks = "".join(flow.dry_run().exception.stacks)
            for needle in (f"signal {number}", "crashes.so", *needles):
                self.assertIn(needle, stacks)
            self.assertEqual(len(reports(flow)), 1)
            self.assertTrue(reports(flow)[0].read_text().endswith("\nend: 1\n"))
            return stacks

    def test_of_a_null_pointer_is_told_everywhere_in_the_same_words(self):
        with Flow(CRASHES, more=NEVER).wait_ready() as flow:
            pid = flow.pid_of("bad")
            crash(flow, "/null")
            status = flow.dry_run()
            where = "crashes.so crashing::null_pointer(int volatile*)+0x"
            reason = status.exception.stacks[0]
            self.assertIn(f"process {pid} was killed by signal 11 (SIGSEGV) at 20", reason)
            self.assertIn(f"in {where}", reason)
            self.assertIn(f'request "{REQUEST}" to "/null"; not restarted', reason)
            rest = "".join(status.exception.stacks)
            self.assertIn('executor "bad/rep-0", plugin "crashes" 1.0.0 (', rest)
            self.assertIn("in process() of the plugin", rest)
            self.assertIn(" crashing::null_pointer(int volatile*)+0x", rest)
            self.assertIn("(build id ", rest)

            _, dry_run = flow.http_json("/dry_run")
            self.assertEqual(dry_run["exception"]["stacks"], list(status.exception.stacks))
            _, report = flow.http_json("/executors")
            stacks = report["executors"][0]["replicas"][0]["stacks"]
            self.assertTrue(any("null_pointer" in line for line in stacks), stacks)
            self.assertIn(where, flow.http_json("/readyz?verbose")[1]["reason"])
            self.assertIn(where, flow.log())

            _, listed, _ = flowctl(flow)
            name = reports(flow)[0].stem
            for needle in (name, "bad/rep-0", "crashes", "SIGSEGV", REQUEST, where):
                self.assertIn(needle, listed)
            _, shown, _ = flowctl(flow, name)
            self.assertIn("null_pointer", shown)
            _, listed, _ = flowctl(flow, "--json")
            crash_json = json.loads(listed)["crashes"][0]
            self.assertEqual(crash_json["process"], pid)
            self.assertEqual(crash_json["calls"], [{"request": REQUEST, "endpoint": "/null"}])
            self.assertEqual(crash_json, json.loads(flowctl(flow, name, "--json")[1]))

    def test_of_a_call_through_a_null_pointer_names_the_caller(self):
        self.check("/null-function", 11, "crashing::null_function", "in no module")

    @unittest.skipIf(SANITIZED, "sanitizers have a handler of their own for SIGFPE")
    def test_of_a_division_by_zero(self):
        self.check("/divide", 8, "crashing::divide", "a whole number was divided by zero")

    def test_of_a_stack_overflow(self):
        self.check("/overflow", 11, "crashing::overflow")

    def test_of_abort_blames_the_plugin_and_not_the_library(self):
        stacks = self.check("/abort", 6, "crashing::abort_here")
        self.assertRegex(stacks.split("\n")[0], r"in crashes\.so crashing::abort_here")

    def test_of_an_exception_that_nobody_catches_names_it(self):
        self.check("/throw-uncaught", 6, "nobody caught std::runtime_error: thrown on purpose",
                   "crashing::throw_here")

    def test_of_a_thread_of_the_plugins_own_names_the_requests_in_hand(self):
        self.check("/thread", 11, "crashing::null_pointer", f'request "{REQUEST}" to "/thread"')

    def test_in_create_is_what_the_start_fails_with(self):
        with Flow('[[executors]]\nuses = "create-crashes"\n') as flow:
            self.assertEqual(flow.wait_end(), 1)
            self.assertIn("(SIGSEGV) in create-crashes.so ", flow.log())
            self.assertEqual(len(reports(flow)), 1)

    def test_of_a_process_that_is_restarted_is_shown_until_its_next_end(self):
        with Flow(CRASHES).wait_ready() as flow:
            pid = flow.pid_of("bad")
            crash_then_ready = lambda: flow.http("/readyz")[0] == 200 \
                and flow.pid_of("bad") not in (None, pid)
            with self.assertRaises(grpc.RpcError):
                flow.post(data_request("x", endpoint="/null", request_id=REQUEST))
            wait_for("a new process that serves", crash_then_ready)
            replica = flow.http_json("/executors")[1]["executors"][0]["replicas"][0]
            self.assertTrue(any("null_pointer" in line for line in replica["stacks"]))
            self.assertEqual(len(flow.dry_run().exception.stacks), 0)
            os.kill(flow.pid_of("bad"), signal.SIGKILL)
            wait_for("no stack", lambda: flow.http_json("/executors")[1]["executors"][0]
                     ["replicas"][0]["stacks"] == [])
            self.assertEqual(len(reports(flow)), 1)

    def test_of_executors_that_share_a_process_names_the_one(self):
        executors = '[[executors]]\nname = "good"\nuses = "echo"\nprocess = "p"\n' \
                    '[[executors]]\nname = "bad"\nuses = "crashes"\nprocess = "p"\n'
        with Flow(executors, more=NEVER).wait_ready() as flow:
            crash(flow, "/null")
            shown = flowctl(flow, reports(flow)[0].stem)[1]
            self.assertIn('executor "bad/rep-0"', shown)
            self.assertNotIn('executor "good/rep-0"', shown)

    def test_of_an_executor_that_nobody_supervises_is_reported_too(self):
        with Flow(CRASHES, arguments=["--executor", "bad", "--listen",
                                      "bad=127.0.0.1:0"]) as flow:
            wait_for("the process to be up", lambda: "worker" in threads(flow.process.pid))
            flow.process.send_signal(signal.SIGSEGV)
            self.assertEqual(flow.wait_end(), -signal.SIGSEGV)
            self.assertIn("sent by process", flowctl(flow, reports(flow)[0].stem)[1])


def threads(pid):
    names = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/comm"):
        try:
            names.append(task.read_text().strip())
        except OSError:
            pass  # it ended meanwhile
    return names


class ExceptionOfAPlugin(unittest.TestCase):
    def test_that_leaves_process_has_its_stack_in_the_answer_and_kills_nobody(self):
        with Flow(CRASHES).wait_ready() as flow:
            pid = flow.pid_of("bad")
            answer = flow.post(data_request("x", endpoint="/throw"))
            status = answer.header.status
            self.assertEqual(status.code, jina_pb2.StatusProto.ERROR)
            self.assertEqual(status.description, "std::runtime_error: thrown on purpose")
            stacks = "".join(status.exception.stacks)
            self.assertRegex(stacks, r"#0 0x[0-9a-f]+ crashing::throw_here\(\)\+0x")
            self.assertIn("Crashes::throws(flow::Request&)", stacks)
            self.assertEqual(flow.pid_of("bad"), pid)
            self.assertEqual(reports(flow), [])


def named(process, pid):
    return f"{process}-20261122T101807.439-{pid}"


class Folder(unittest.TestCase):
    def test_stays_bounded(self):
        with Flow(CRASHES, more=NEVER).wait_ready() as flow:
            folder = flow.folder / "state" / "flow-host" / "crashes"
            for index in range(REPORTS_MAX + 20):
                old = folder / f"{named('old', index)}.crash"
                old.write_text("flow-crash-report: 1\nprocess: 1\nsignal: 11\nend: 1\n")
                os.utime(old, (index, index))
            crash(flow, "/null")
            left = reports(flow)
            self.assertEqual(len(left), REPORTS_MAX)
            self.assertTrue(any(path.name.startswith("bad-rep-0-") for path in left))
            self.assertFalse((folder / f"{named('old', 0)}.crash").exists())

    def test_that_is_configured_is_used(self):
        more = '[supervise]\nrestart = "never"\ncrash_reports = "mine"\n'
        with Flow(CRASHES, more=more).wait_ready() as flow:
            crash(flow, "/null")
            self.assertEqual(len(list((flow.folder / "mine").glob("*.crash"))), 1)
            self.assertEqual(reports(flow), [])
            self.assertIn("SIGSEGV", flowctl(flow)[1])

    def test_that_cannot_be_written_is_said_and_the_flow_serves_and_explains_without(self):
        more = '[supervise]\nrestart = "never"\ncrash_reports = "/proc/none"\n'
        with Flow(CRASHES, more=more).wait_ready() as flow:
            self.assertIn("there will be no crash reports: /proc/none", flow.log())
            self.assertIn("set crash_reports in [supervise]", flow.log())
            crash(flow, "/null")
            self.assertEqual(len(flow.dry_run().exception.stacks), 1)

    def test_with_garbage_in_it_is_listed_with_what_is_wrong(self):
        with Flow(CRASHES, more=NEVER).wait_ready() as flow:
            folder = flow.folder / "state" / "flow-host" / "crashes"
            pid = flow.pid_of("bad")
            (folder / f"{named('garbage', pid)}.crash").write_bytes(b"\xff\x00\x1b[2J" * 1000)
            (folder / f"{named('cut', pid)}.crash").write_text("flow-crash-report: 1\nproc")
            (folder / f"{named('empty', pid)}.crash").write_text("")
            (folder / f"{named('link', pid)}.crash").symlink_to("/etc/passwd")
            (folder / f"{named('folder', pid)}.crash").mkdir()
            crash(flow, "/null")
            self.assertIn("null_pointer", "".join(flow.dry_run().exception.stacks))
            status, listed, _ = flowctl(flow)
            self.assertEqual(status, 0)
            self.assertIn("not a crash report", listed)
            self.assertIn("the crash report ends before it says", listed)
            self.assertNotIn("\x1b", listed)
            self.assertNotIn("root:", listed)
            status, _, errors = flowctl(flow, named("garbage", pid))
            self.assertEqual(status, 1)
            self.assertIn("not a crash report", errors)
            self.assertEqual(flowctl(flow, "none")[0], 1)
            self.assertEqual(flowctl(flow, "../../x")[0], 1)

    def test_that_is_not_there_has_no_reports(self):
        with Flow(CRASHES).wait_ready() as flow:
            status, listed, _ = flowctl(flow)
            self.assertEqual(status, 0)
            self.assertIn("no crash reports in ", listed)


if __name__ == "__main__":
    unittest.main()
