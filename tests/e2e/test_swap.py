# SPDX-License-Identifier: Apache-2.0
"""A plugin is replaced while requests run, without one that fails; a bad one is not taken."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

import jina_pb2
from flow_process import BUILD, PATIENCE, PLUGINS, TEST_PLUGINS, Flow, alive, children, \
    command_of, data_request, wait_for

FLOWCTL = BUILD / "bin" / "flowctl"


def plugin_file(name):
    for folder in (TEST_PLUGINS, PLUGINS):
        for file in (folder / f"{name}.so", folder / f"lib{name}.so"):
            if file.exists():
                return file
    raise AssertionError(f"there is no plugin {name}")


class Swapped(Flow):
    """A Flow of one executor, "it", whose plugin's file can be replaced."""

    def __init__(self, plugin, executor="", more="", env=None):
        self.plugins = pathlib.Path(tempfile.mkdtemp(prefix="flow-swap-"))
        self.runtime = tempfile.mkdtemp(prefix="flow-run-")
        self.put(plugin)
        super().__init__(f'[[executors]]\nname = "it"\nuses = "{self.plugins}/it.so"\n{executor}\n',
                         more=more, env={"XDG_RUNTIME_DIR": self.runtime, **(env or {})})

    def __exit__(self, *what):
        super().__exit__(*what)
        shutil.rmtree(self.plugins)
        shutil.rmtree(self.runtime)

    def put(self, plugin):
        """Replaces the file by rename, as an operator should."""
        draft = self.plugins / "it.so.new"
        shutil.copy(plugin_file(plugin), draft)
        os.rename(draft, self.plugins / "it.so")

    def replica(self, index=0):
        return self.http_json("/executors")[1]["executors"][0]["replicas"][index]

    def swap(self, plugin):
        """Waits until another process serves and the one before it has ended."""
        before = self.replica()["pid"]
        self.put(plugin)
        wait_for("another process", lambda: self.replica()["pid"] not in (0, before))
        wait_for("the old one to end", lambda: not alive(before))

    def wait_refused(self, what):
        """The swap is over, and the reason of the replica that still serves says why."""
        return wait_for(what, lambda: what in self.replica()["reason"] and self.replica())

    def reload(self, *arguments):
        return subprocess.run([FLOWCTL, "reload", *arguments], capture_output=True, text=True,
                              timeout=PATIENCE,
                              env={**os.environ, "XDG_RUNTIME_DIR": self.runtime})

    def executors_alive(self):
        return [pid for pid in children(self.process.pid) if "--executor" in command_of(pid)]


class Load:
    """Callers that send one request after the other, and count what becomes of them."""

    def __init__(self, flow, callers=8):
        self.flow = flow
        self.answered = 0
        self.failures = []
        self.longest = 0.0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(callers)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self):
        with self.flow.channel() as channel:
            call = channel.unary_unary(
                "/jina.JinaSingleDataRequestRPC/process_single_data",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=jina_pb2.DataRequestProto.FromString)
            while not self.stopping.is_set():
                start = time.monotonic()
                try:
                    answer = call(data_request("x"), timeout=PATIENCE)
                    failure = answer.header.status.description
                except grpc.RpcError as error:
                    failure = f"{error.code()}: {error.details()}"
                took = time.monotonic() - start
                with self.lock:
                    self.longest = max(self.longest, took)
                    if failure:
                        self.failures.append(failure)
                    else:
                        self.answered += 1

    def wait_more(self, count=50):
        before = self.answered
        wait_for("answers", lambda: self.answered >= before + count or self.failures)


class Replaced(unittest.TestCase):
    def test_twenty_times_under_load_without_a_failed_request(self):
        with Swapped("identifies").wait_ready() as flow, Load(flow) as load:
            load.wait_more()
            for round_ in range(20):
                flow.swap("identifies" if round_ % 2 else "echo")
                load.wait_more()
            self.assertEqual(load.failures, [])
            self.assertEqual(flow.http("/readyz")[0], 200)
            self.assertEqual(len(flow.executors_alive()), 1)

    def test_each_replica_after_the_other(self):
        with Swapped("identifies", "replicas = 2").wait_ready() as flow, Load(flow) as load:
            before = {flow.replica(i)["pid"] for i in range(2)}
            flow.put("echo")
            wait_for("two others", lambda: not before & {flow.replica(i)["pid"] for i in range(2)})
            wait_for("the old ones to end", lambda: not any(map(alive, before)))
            self.assertEqual(load.failures, [])

    def test_while_nobody_asks(self):
        with Swapped("identifies").wait_ready() as flow:
            before = flow.replica()["pid"]
            flow.swap("echo")
            self.assertEqual(flow.replica()["restarts"], 0, "a swap is no restart")
            self.assertIn(f"has taken over from process {before}", flow.log())

    def test_a_call_in_flight_is_finished_by_the_old_process(self):
        request = data_request("x")
        request.data.docs.docs[0].tags["ms"] = 1500
        with Swapped("takes-its-time").wait_ready() as flow:
            with flow.channel() as channel:
                call = channel.unary_unary(
                    "/jina.JinaSingleDataRequestRPC/process_single_data",
                    request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=jina_pb2.DataRequestProto.FromString,
                ).future(request, timeout=PATIENCE)
                wait_for("the call", lambda: flow.replica()["in_flight"] == 1)
                self.assertEqual(flow.reload("it").returncode, 0)
                self.assertEqual(call.result().header.status.description, "")

    def test_an_executor_that_was_given_up_comes_back_with_a_better_plugin(self):
        more = "[supervise]\nrestarts = 0\n"
        with Swapped("identifies", more=more).wait_ready() as flow:
            os.kill(flow.pid_of("it"), signal.SIGKILL)
            wait_for("FAILED", lambda: flow.replica()["state"] == "FAILED")
            flow.put("echo")
            wait_for("READY", lambda: flow.replica()["state"] == "READY")

    def test_a_file_that_is_written_to_is_warned_about(self):
        with Swapped("identifies").wait_ready() as flow:
            before = flow.replica()["pid"]
            shutil.copyfile(plugin_file("echo"), flow.plugins / "it.so")
            wait_for("another process", lambda: flow.replica()["pid"] not in (0, before))
            self.assertIn("replace a plugin by a rename", flow.log())

    def test_what_else_appears_in_a_folder_of_plugins_is_said(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="flow-plugins-"))
        self.addCleanup(shutil.rmtree, folder)
        shutil.copy(plugin_file("echo"), folder / "echo.so")
        with Flow('[[executors]]\nuses = "echo"\n', plugins=[folder]).wait_ready() as flow:
            for name in ("identifies", "no-note"):
                shutil.copy(plugin_file(name), folder / f"{name}.new")
                os.rename(folder / f"{name}.new", folder / f"{name}.so")
            wait_for("both", lambda: "no-note.so" in flow.log() and "identifies" in flow.log())


class BrokenVersion(unittest.TestCase):
    def roll_back(self, plugin, reason, executor=""):
        with Swapped("identifies", executor).wait_ready() as flow, Load(flow) as load:
            load.wait_more()
            before = flow.replica()["pid"]
            flow.put(plugin)
            flow.wait_refused(reason)
            load.wait_more()
            self.assertEqual(flow.replica()["state"], "READY")
            self.assertEqual(flow.replica()["pid"], before)
            self.assertEqual(load.failures, [])
            wait_for("the new process to end", lambda: flow.executors_alive() == [before])
            # What is right again is taken again.
            flow.swap("echo")
            load.wait_more()
            self.assertEqual(load.failures, [])
            self.assertNotIn("swap", flow.replica()["reason"])

    def test_whose_create_fails(self):
        self.roll_back("create-fails", "there is no model on this machine")

    def test_whose_create_crashes(self):
        self.roll_back("create-crashes", "was killed by signal")

    def test_that_crashes_in_its_dry_run(self):
        self.roll_back("crashes-in-dry-run", "failed: ")

    def test_that_is_not_ready_in_time(self):
        self.roll_back("create-hangs", "did not return within 1 s (timeout_ready)",
                       'timeout_ready = "1s"')

    def test_without_a_note(self):
        self.roll_back("no-note", "refused: ")

    def test_of_another_abi(self):
        self.roll_back("wrong-major", "refused: ")

    def test_that_answers_its_calls_with_errors(self):
        self.roll_back("throws", "of its first 5 calls 5 failed", 'idempotent = ["*"]')

    def test_whose_errors_may_not_be_tried_again_costs_a_handful(self):
        with Swapped("identifies").wait_ready() as flow, Load(flow) as load:
            load.wait_more()
            before = flow.replica()["pid"]
            flow.put("throws")
            flow.wait_refused("of its first 5 calls 5 failed")
            load.wait_more(0)
            self.assertEqual(flow.replica()["pid"], before)
            self.assertEqual(load.failures, ["std::runtime_error: thrown on purpose"] * 5)

    def test_that_crashes_with_its_first_call_costs_that_one_alone(self):
        with Swapped("identifies").wait_ready() as flow, Load(flow) as load:
            load.wait_more()
            before = flow.replica()["pid"]
            flow.put("segfaults")
            flow.wait_refused("failed: ")
            load.wait_more(0)
            self.assertEqual(flow.replica()["pid"], before)
            self.assertLessEqual(len(load.failures), 1)


class Reload(unittest.TestCase):
    def edit(self, flow, before, after):
        text = flow.file.read_text()
        self.assertIn(before, text)
        flow.file.write_text(text.replace(before, after))

    def test_of_an_executor_replaces_its_process(self):
        with Swapped("identifies").wait_ready() as flow, Load(flow) as load:
            before = flow.replica()["pid"]
            done = flow.reload("it")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"has taken over from process {before}: somebody asked for it",
                          done.stdout)
            self.assertNotEqual(flow.replica()["pid"], before)
            self.assertEqual(load.failures, [])

    def test_of_an_executor_that_does_not_exist(self):
        with Swapped("identifies").wait_ready() as flow:
            done = flow.reload("its")
            self.assertEqual(done.returncode, 1)
            self.assertIn('has no executor "its" (did you mean "it"?)', done.stderr)

    def test_that_fails_says_why_and_exits_with_1(self):
        with Swapped("slow-start", 'uses_with = { delay_ms = 0 }\ntimeout_ready = "2s"'
                     ).wait_ready() as flow:
            self.edit(flow, "delay_ms = 0", "delay_ms = 60000")
            done = flow.reload()
            self.assertEqual(done.returncode, 1)
            self.assertIn("did not return within 2 s", done.stderr)
            self.assertIn("keeps serving", done.stderr)

    def test_of_the_file_applies_what_can_change(self):
        with Swapped("configured", 'uses_with = { name = "before" }').wait_ready() as flow:
            self.assertEqual(self.name(flow), "before")
            self.edit(flow, "before", "after")
            done = flow.reload("--config", str(flow.file))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(self.name(flow), "after")

    def test_by_sighup(self):
        with Swapped("configured", 'uses_with = { name = "before" }').wait_ready() as flow:
            self.edit(flow, "before", "after")
            flow.process.send_signal(signal.SIGHUP)
            wait_for("the change", lambda: self.name(flow) == "after")

    def test_of_a_file_that_has_not_changed_does_nothing(self):
        with Swapped("identifies").wait_ready() as flow:
            before = flow.replica()["pid"]
            done = flow.reload()
            self.assertEqual(done.returncode, 0)
            self.assertIn("no process has to be replaced", done.stdout)
            self.assertEqual(flow.replica()["pid"], before)

    def test_of_a_wrong_file_leaves_all_as_it_was_even_for_a_process_that_dies(self):
        with Swapped("configured", 'uses_with = { name = "before" }').wait_ready() as flow:
            self.edit(flow, "uses_with = {", "uses_wiht = {")
            done = flow.reload()
            self.assertEqual(done.returncode, 1)
            self.assertIn('unknown key "uses_wiht"', done.stderr)
            before = flow.pid_of("it")
            os.kill(before, signal.SIGKILL)
            wait_for("its restart", lambda: flow.replica()["state"] == "READY"
                     and flow.replica()["pid"] not in (0, before))
            self.assertEqual(self.name(flow), "before")

    def test_of_what_cannot_change_says_so_and_changes_nothing(self):
        with Swapped("configured", 'uses_with = { name = "before" }').wait_ready() as flow:
            before = flow.replica()["pid"]
            self.edit(flow, "before", "after")
            self.edit(flow, "[gateway]\n", "[gateway]\nprefetch = 7\n")
            done = flow.reload()
            self.assertEqual(done.returncode, 1)
            self.assertIn("[gateway] cannot change while it runs", done.stderr)
            self.assertIn("nothing was changed", done.stderr)
            self.assertEqual(flow.replica()["pid"], before)

    def test_without_a_flow(self):
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run([FLOWCTL, "reload"], capture_output=True, text=True,
                                  env={**os.environ, "XDG_RUNTIME_DIR": empty}, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no flow-host of this user runs here", done.stderr)

    @staticmethod
    def name(flow):
        return flow.post(data_request("x")).data.docs.docs[0].tags["name"]


if __name__ == "__main__":
    unittest.main()
