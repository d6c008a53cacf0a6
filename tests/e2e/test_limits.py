# SPDX-License-Identifier: Apache-2.0
"""What a process of a Flow may have, what it inherits, and that it leaves nobody behind."""

import os
import pathlib
import re
import signal
import unittest

from flow_process import Flow, alive, children, wait_for

# The shadow memory of a sanitizer is data as well.
SANITIZED = bool(os.environ.get("FLOW_SANITIZE"))


def limit_of(pid, name):
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return re.search(rf"^{name}\s+(\S+)\s+(\S+)", text, re.MULTILINE).groups()


def echo(more=""):
    return f'[[executors]]\nuses = "echo"\n{more}\n'


class Limits(unittest.TestCase):
    def test_files_are_those_of_the_configuration_and_cannot_be_raised(self):
        with Flow(echo("files = 256")).wait_ready() as flow:
            self.assertEqual(limit_of(flow.pid_of("executor0"), "Max open files"), ("256", "256"))
            self.assertNotEqual(limit_of(flow.pid_of("gateway"), "Max open files")[0], "256")

    def test_cpus_are_so_many_and_workers_follow(self):
        with Flow(echo("cpus = 1\nreplicas = 2")).wait_ready() as flow:
            cores = [os.sched_getaffinity(flow.pid_of("executor0", i)) for i in range(2)]
            self.assertEqual([len(each) for each in cores], [1, 1])
            if os.cpu_count() > 1:
                self.assertNotEqual(cores[0], cores[1], "neighbours do not share one")

    def test_more_cpus_than_there_are_is_no_mistake(self):
        with Flow(echo("cpus = 1024")).wait_ready() as flow:
            self.assertEqual(os.sched_getaffinity(flow.pid_of("executor0")),
                             os.sched_getaffinity(0))

    def test_without_any_the_process_has_what_flow_host_has(self):
        with Flow(echo()).wait_ready() as flow:
            for name in ("Max open files", "Max data size"):
                self.assertEqual(limit_of(flow.pid_of("executor0"), name),
                                 limit_of(flow.process.pid, name))

    def test_files_beyond_what_the_system_allows_are_refused_with_the_number(self):
        with Flow(echo("files = 4294967295")) as flow:
            self.assertEqual(flow.wait_end(), 1)
            self.assertRegex(flow.log(), r"files = 4294967295 is more than this process may have: "
                                         r"\d+")

    @unittest.skipIf(SANITIZED, "a sanitizer needs more")
    def test_a_plugin_that_wants_too_much_memory_is_told_and_says_what_it_may_have(self):
        executors = '[[executors]]\nuses = "takes-memory"\nuses_with = { mib = 1024 }\n' \
                    'memory = "512MiB"\n'
        with Flow(executors) as flow:
            self.assertEqual(flow.wait_end(), 1)
            self.assertIn("bad_alloc", flow.log())
            self.assertIn("(its process may have 512 MiB: memory in [[executors]])", flow.log())

    @unittest.skipIf(SANITIZED, "a sanitizer needs more")
    def test_a_plugin_within_its_memory_serves(self):
        executors = '[[executors]]\nuses = "takes-memory"\nuses_with = { mib = 100 }\n' \
                    'memory = "1GiB"\n'
        with Flow(executors).wait_ready() as flow:
            self.assertEqual(limit_of(flow.pid_of("executor0"), "Max data size"),
                             (str(1 << 30), str(1 << 30)))


class Inheritance(unittest.TestCase):
    def test_no_descriptor_of_whoever_started_flow_host_reaches_a_child(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        os.set_inheritable(write, True)
        pipe = os.readlink(f"/proc/self/fd/{write}")
        try:
            with Flow(echo()).wait_ready() as flow:
                for pid in children(flow.process.pid):
                    opened = [os.readlink(each) for each in
                              pathlib.Path(f"/proc/{pid}/fd").iterdir()]
                    self.assertNotIn(pipe, opened)
        finally:
            os.close(write)

    def test_the_environment_is_flow_hosts_and_the_executors_own_alone(self):
        with Flow(echo('env = { OWN = "1" }'),
                  env={"SHARED": "2", "WATCHDOG_USEC": "99000000", "LISTEN_FDS": "1",
                       "LISTEN_PID": "1"}).wait_ready() as flow:
            def variables(name):
                text = pathlib.Path(f"/proc/{flow.pid_of(name)}/environ").read_bytes().decode()
                return dict(each.split("=", 1) for each in text.split("\0") if "=" in each)
            executor, gateway = variables("executor0"), variables("gateway")
            self.assertEqual((executor["OWN"], executor["SHARED"]), ("1", "2"))
            self.assertNotIn("OWN", gateway)
            for name in ("WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "FLOW_CONTROL_FD"):
                self.assertNotIn(name, executor)


class Descendants(unittest.TestCase):
    executors = '[[executors]]\nuses = "leaves-a-child"\n'

    def sleeper(self, flow):
        def started():
            tasks = pathlib.Path(f"/proc/{flow.pid_of('executor0')}/task").iterdir()
            return [int(pid) for task in tasks
                    for pid in (task / "children").read_text().split()]

        return wait_for("the child", started)[0]

    def test_what_a_plugin_has_started_ends_with_its_process(self):
        with Flow(self.executors).wait_ready() as flow:
            sleeper = self.sleeper(flow)
            os.kill(flow.pid_of("executor0"), signal.SIGKILL)
            wait_for("it to end", lambda: not alive(sleeper))

    def test_and_with_the_flow(self):
        with Flow(self.executors).wait_ready() as flow:
            sleeper = self.sleeper(flow)
            flow.process.terminate()
            self.assertEqual(flow.wait_end(), 0)
            self.assertFalse(alive(sleeper))


if __name__ == "__main__":
    unittest.main()
