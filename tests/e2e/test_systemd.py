# SPDX-License-Identifier: Apache-2.0
"""What a service manager is told, by a socket that stands in for systemd's; and the unit itself."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from flow_process import BUILD, FLOW_HOST, PATIENCE, Flow, alive, children, wait_for

ECHO = '[[executors]]\nuses = "echo"\n'


class Manager:
    """Hears what is said to $NOTIFY_SOCKET."""

    def __init__(self, watchdog_usec=None):
        self.folder = tempfile.mkdtemp(prefix="flow-notify-")
        self.path = f"{self.folder}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []
        self.environment = {"NOTIFY_SOCKET": self.path}
        if watchdog_usec:
            self.environment["WATCHDOG_USEC"] = str(watchdog_usec)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        shutil.rmtree(self.folder)

    def hear(self, key, value=None):
        """The next message that has the key, and the value if one is given."""
        end = time.monotonic() + PATIENCE
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                datagram = self.socket.recv(65536).decode()
            except TimeoutError:
                raise AssertionError(f"no {key}={value}, but {self.heard}") from None
            message = dict(line.split("=", 1) for line in datagram.splitlines())
            self.heard.append(message)
            if key in message and value in (None, message[key]):
                return message


class Notified(unittest.TestCase):
    def test_ready_when_the_flow_is_and_stopping_when_it_stops(self):
        with Manager() as manager, Flow(ECHO, env=manager.environment) as flow:
            message = manager.hear("READY", "1")
            self.assertEqual(message["STATUS"], "the Flow is ready")
            flow.wait_ready()
            self.assertEqual(flow.http("/readyz")[0], 200)
            flow.process.terminate()
            manager.hear("STOPPING", "1")
            self.assertEqual(flow.wait_end(), 0)
            self.assertEqual(sum(m.get("READY") == "1" for m in manager.heard), 1)

    def test_the_status_says_why_it_is_not_ready(self):
        with Manager() as manager, Flow(ECHO, more='[supervise]\nrestart = "never"\n',
                                        env=manager.environment).wait_ready() as flow:
            os.kill(flow.pid_of("executor0"), signal.SIGKILL)
            while "killed by signal 9" not in manager.hear("STATUS")["STATUS"]:
                pass

    def test_the_watchdog_is_fed_while_the_loop_turns_and_no_longer(self):
        with Manager(watchdog_usec=200_000) as manager, \
                Flow(ECHO, env=manager.environment).wait_ready() as flow:
            for _ in range(5):
                manager.hear("WATCHDOG", "1")
            flow.process.send_signal(signal.SIGSTOP)
            try:
                manager.socket.settimeout(0.5)
                with self.assertRaises(TimeoutError):
                    while True:  # what was said before it stopped
                        manager.socket.recv(65536)
            finally:
                flow.process.send_signal(signal.SIGCONT)
            manager.hear("WATCHDOG", "1")

    def test_a_watchdog_for_another_process_is_not_ours(self):
        with Manager(watchdog_usec=1000) as manager:
            environment = {**manager.environment, "WATCHDOG_PID": "1"}
            with Flow(ECHO, env=environment).wait_ready() as flow:
                flow.process.terminate()
                manager.hear("STOPPING", "1")
            self.assertFalse([m for m in manager.heard if "WATCHDOG" in m])

    def test_a_reload_begins_and_ends(self):
        with Manager() as manager, Flow(ECHO, env=manager.environment).wait_ready() as flow:
            before = time.clock_gettime(time.CLOCK_MONOTONIC)
            flow.process.send_signal(signal.SIGHUP)
            message = manager.hear("RELOADING", "1")
            at = int(message["MONOTONIC_USEC"]) / 1e6
            self.assertTrue(before <= at <= time.clock_gettime(time.CLOCK_MONOTONIC))
            manager.hear("READY", "1")

    def test_a_reload_ends_only_when_all_is_replaced(self):
        executors = '[[executors]]\nuses = "slow-start"\nuses_with = { delay_ms = 1 }\n'
        with Manager() as manager, Flow(executors, env=manager.environment).wait_ready() as flow:
            before = flow.pid_of("executor0")
            flow.file.write_text(flow.file.read_text().replace("delay_ms = 1", "delay_ms = 2"))
            flow.process.send_signal(signal.SIGHUP)
            manager.hear("RELOADING", "1")
            manager.hear("READY", "1")
            _, report = flow.http_json("/executors")
            self.assertNotIn(report["executors"][0]["replicas"][0]["pid"], (0, before))

    def test_a_reload_of_a_wrong_file_ends_too(self):
        with Manager() as manager, Flow(ECHO, env=manager.environment).wait_ready() as flow:
            flow.file.write_text("nonsense")
            flow.process.send_signal(signal.SIGHUP)
            manager.hear("RELOADING", "1")
            manager.hear("READY", "1")
            self.assertIn("flow.toml:1:", flow.log())
            self.assertEqual(flow.http("/readyz")[0], 200)

    def test_children_do_not_speak_to_the_manager(self):
        with Manager() as manager, Flow(ECHO, env=manager.environment).wait_ready() as flow:
            for pid in children(flow.process.pid):
                self.assertNotIn(manager.path.encode(),
                                 pathlib.Path(f"/proc/{pid}/environ").read_bytes())

    def test_kill_mode_mixed_leaves_nobody_behind(self):
        """SIGTERM for the main process alone, as the unit says: it ends all others by itself."""
        with Manager() as manager, Flow(ECHO, env=manager.environment).wait_ready() as flow:
            everyone = children(flow.process.pid)
            flow.process.terminate()
            self.assertEqual(flow.wait_end(), 0)
            wait_for("all to end", lambda: not any(map(alive, everyone)))


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
class Unit(unittest.TestCase):
    def test_is_one_that_systemd_understands(self):
        text = (BUILD / "flow-host.service").read_text()
        lines = [f"ExecStart={FLOW_HOST} --config /etc/flow/flow.toml"
                 if line.startswith("ExecStart=") else line for line in text.splitlines()]
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "flow-host.service"
            unit.write_text("\n".join(lines) + "\n")
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                                  capture_output=True, text=True, timeout=PATIENCE)
        about_it = [line for line in done.stderr.splitlines() if "flow-host.service" in line]
        self.assertEqual(about_it, [])


if __name__ == "__main__":
    unittest.main()
