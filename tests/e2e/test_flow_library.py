# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/: a Flow in somebody's own program, and clients of it."""

import pathlib
import signal
import socket
import subprocess
import unittest

from flow_process import BUILD, PATIENCE, Flow, alive, wait_for

PROGRAMS = BUILD / "bin"


def run(name, *arguments, stdin=""):
    return subprocess.run([PROGRAMS / name, *map(str, arguments)], input=stdin, text=True,
                          capture_output=True, timeout=PATIENCE)


def free_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


def catches(pid, number):
    """Does a process have a handler for a signal?"""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return int(line.split()[1], 16) >> (number - 1) & 1
    return False


def descendants(pid):
    """Whatever thread of theirs started them."""
    below = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        below += map(int, (task / "children").read_text().split())
    return below + [each for child in below for each in descendants(child)]


class Blocking:
    """readiness-block on a port of its own, ready and waiting."""

    def __enter__(self):
        self.port = free_port()
        self.process = subprocess.Popen([PROGRAMS / "readiness-block", str(self.port)],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("block() to begin", lambda: catches(self.process.pid, signal.SIGINT))
        self.everyone = [self.process.pid, *descendants(self.process.pid)]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def expect_nobody_left(self):
        wait_for("all processes of the Flow to end",
                 lambda: not any(map(alive, self.everyone)))


class Readiness(unittest.TestCase):
    def test_a_flow_is_ready_in_its_scope_and_not_after_it(self):
        done = run("readiness-in-scope")
        self.assertEqual((done.returncode, done.stdout), (0, "true\nfalse\n"), done.stderr)

    def test_a_client_sees_a_flow_of_another_program(self):
        with Blocking() as flow:
            self.assertGreaterEqual(len(flow.everyone), 4)
            self.assertEqual(run("readiness-ask", flow.port).stdout, "true\n")
        flow.expect_nobody_left()
        self.assertEqual(run("readiness-ask", flow.port).stdout, "false\n")

    def test_a_blocked_flow_stops_in_order_on_ctrl_c(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with Blocking() as flow:
                flow.process.send_signal(number)
                self.assertEqual(flow.process.wait(PATIENCE), 0)
                flow.expect_nobody_left()

    def test_nothing_survives_a_program_that_is_killed(self):
        with Blocking() as flow:
            flow.process.kill()
            flow.expect_nobody_left()


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.flow = Flow('[[executors]]\nuses = "text-encoder"\n'
                        'uses_with = { dimensions = 64 }\n').wait_ready()

    @classmethod
    def tearDownClass(cls):
        cls.flow.__exit__()

    def test_a_client_posts_documents(self):
        done = run("client-post", f"grpc://127.0.0.1:{self.flow.port}")
        self.assertEqual(done.stdout, "a paragraph\n64 numbers\nanother one\n64 numbers\n",
                         done.stderr)

    def test_a_client_streams_documents(self):
        lines = "".join(f"line {i}\n" for i in range(55))
        done = run("client-stream", f"grpc://127.0.0.1:{self.flow.port}", stdin=lines)
        self.assertEqual((done.returncode, done.stdout), (0, lines), done.stderr)

    def test_a_client_says_why_a_flow_is_not_ready(self):
        done = run("client-post", f"grpc://127.0.0.1:{free_port()}")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "not ready: grpc://127.0.0.1:.*UNAVAILABLE.*refused")


if __name__ == "__main__":
    unittest.main()
