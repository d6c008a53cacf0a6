# SPDX-License-Identifier: Apache-2.0
"""flowctl against real Flows, dead ones, silent servers, terminals and files."""

import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import unittest

import certificates
from flow_process import BUILD, FLOW_HOST, PATIENCE, PLUGINS, TEST_PLUGINS, Flow, SharedFlow, wait_for

FLOWCTL = BUILD / "bin" / "flowctl"
ECHO = '[[executors]]\nuses = "echo"\n'
NEVER = '[supervise]\nrestart = "never"\n'

# The schemes under which a gateway of this version can be asked.
SCHEMES = ("grpc", "http", "ws")


def flowctl(*arguments, stdin=None, folder=None):
    """Runs it to its end: exit status, standard output, standard error."""
    done = subprocess.run(
        [FLOWCTL, *map(str, arguments)], input=stdin, stdin=None if stdin else subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE, cwd=folder)
    return done.returncode, done.stdout, done.stderr


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def on_terminal(columns, *arguments):
    """Runs it on a terminal of so many columns and gives what that was shown."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen([FLOWCTL, *map(str, arguments)], stdin=slave, stdout=slave,
                               stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: nobody has the other side open any more
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    return process.wait(PATIENCE), shown.decode().replace("\r\n", "\n")


class SilentServer:
    """Accepts connections, and says nothing."""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()  # the kernel accepts
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()


def without_time(line):
    """A log line in a pipe without its time, which must be there."""
    text, found = re.subn(r"  \[\d\d/\d\d/\d\d \d\d:\d\d:\d\d\]$", "", line)
    assert found == 1, line
    return re.sub(r"flowctl@\d+", "flowctl@PID", text)


class PingOfAFlowThatIsUp(SharedFlow):
    def test_has_the_documented_lines(self):
        for scheme in SCHEMES:
            with self.subTest(scheme=scheme):
                url = f"{scheme}://127.0.0.1:{self.flow.port}"
                status, out, errors = flowctl("ping", "flow", url)
                self.assertEqual((status, errors), (0, ""))
                lines = [re.sub(r"\(0\.\d\ds\)", "(TIME)", without_time(line))
                         for line in out.splitlines()]
                expected = []
                for number in range(3):
                    expected += [
                        f"INFO   flowctl@PID ping {url} at {number} round...",
                        f"INFO   flowctl@PID ping {url} at {number} round takes 0 seconds (TIME)",
                    ]
                self.assertEqual(lines[:-1], expected)
                self.assertRegex(lines[-1], r"^INFO   flowctl@PID avg\. latency: \d+ ms$")

    def test_succeeds_for_every_target_and_scheme(self):
        _, report = self.flow.http_json("/executors")
        executor = report["executors"][0]["replicas"][0]["address"].replace("0.0.0.0", "127.0.0.1")
        hosts = [("executor", f"grpc://{executor}"), ("executor", executor),
                 ("flow", f"127.0.0.1:{self.flow.port}"), ("gateway", f"localhost:{self.flow.port}")]
        hosts += [("gateway", f"{scheme}://127.0.0.1:{self.flow.port}") for scheme in SCHEMES]
        for target, host in hosts:
            with self.subTest(target=target, host=host):
                status, out, _ = flowctl("ping", target, host, "--attempts", 1, "--timeout", 30000)
                self.assertEqual(status, 0, out)
                self.assertEqual(len(out.splitlines()), 3, out)

    def test_takes_the_flags_of_both_of_the_references_releases(self):
        host = f"grpc://127.0.0.1:{self.flow.port}"
        for flags in (["--retries", "1"], ["--attempts", "1"], ["--retries=1", "--timeout=-1"],
                      ["--attempts", "2", "--min-successful-attempts", "2"]):
            with self.subTest(flags=flags):
                status, out, _ = flowctl("ping", "flow", host, *flags)
                self.assertEqual(status, 0, out)
                rounds = 2 if "2" in flags else 1
                self.assertEqual(out.count("round..."), rounds)

    def test_on_a_terminal_has_colour_and_the_time_at_the_right(self):
        status, shown = on_terminal(100, "ping", "flow", f"grpc://127.0.0.1:{self.flow.port}",
                                    "--attempts", 2)
        self.assertEqual(status, 0)
        lines = shown.splitlines()
        self.assertEqual(len(lines), 5, shown)
        for line in lines:
            self.assertTrue(line.startswith("\x1b[32mINFO  \x1b[0m flowctl@"), line)
        plain = [re.sub(r"\x1b\[\d+m", "", line) for line in lines]
        self.assertRegex(plain[0], r" \[\d\d/\d\d/\d\d \d\d:\d\d:\d\d\]$")
        for line in plain:
            if line.endswith("]"):
                self.assertEqual(len(line), 100, line)
            self.assertEqual(line, line.rstrip())
        times = [line[-19:] for line in plain if line.endswith("]")]
        self.assertEqual(len(times), len(set(times)), "a time is shown when it changes")
        self.assertGreaterEqual(len(times), 3, "each round and the pause after the last")


class PingOfWhatIsDown(unittest.TestCase):
    def test_says_that_nobody_answers_and_why(self):
        for scheme in SCHEMES:
            with self.subTest(scheme=scheme):
                url = f"{scheme}://127.0.0.1:{free_port()}"
                status, out, _ = flowctl("ping", "flow", url)
                self.assertEqual(status, 1)
                lines = [without_time(line) for line in out.splitlines()]
                self.assertEqual(len(lines), 13)
                for number in range(3):
                    begin, error, retry, end = lines[4 * number:4 * number + 4]
                    self.assertEqual(begin, f"INFO   flowctl@PID ping {url} at {number} round...")
                    name = "websocket" if scheme == "ws" else scheme
                    self.assertRegex(error, "^ERROR  flowctl@PID Error while getting response from "
                                            f"{name} server: status = UNAVAILABLE; details = \".*"
                                            "Connection refused")
                    self.assertEqual(retry, "WARNI… flowctl@PID not responding, retry "
                                            f"({number + 1}/3) in 1s")
                    self.assertRegex(end, rf"at {number} round takes 0 seconds \(0\.\d\ds\)$")
                self.assertEqual(lines[-1], "WARNI… flowctl@PID message lost 100% (3/3)")

    def test_fails_for_every_target(self):
        for target in ("flow", "executor", "gateway"):
            for scheme in SCHEMES:
                with self.subTest(target=target, scheme=scheme):
                    status, out, _ = flowctl("ping", target, f"{scheme}://127.0.0.1:{free_port()}",
                                             "--attempts", 1)
                    self.assertEqual(status, 1, out)
                    self.assertIn("message lost 100% (1/1)", out)

    def test_on_a_terminal_wraps_what_is_long_below_the_text(self):
        status, shown = on_terminal(80, "ping", "flow", f"grpc://127.0.0.1:{free_port()}",
                                    "--attempts", 1)
        self.assertEqual(status, 1)
        self.assertIn("\x1b[31mERROR \x1b[0m flowctl@", shown)
        self.assertIn("\x1b[33mWARNI…\x1b[0m flowctl@", shown)
        plain = re.sub(r"\x1b\[\d+m", "", shown)
        self.assertIn("\n               status = UNAVAILABLE\n", plain)
        for line in plain.splitlines():
            self.assertLessEqual(len(line), 80, line)
            self.assertRegex(line, r"^(INFO   |ERROR  |WARNI… |       )")

    def test_respects_the_timeout_when_a_server_says_nothing(self):
        with SilentServer() as server:
            for target in ("flow", "executor", "gateway"):
                for scheme in SCHEMES:
                    with self.subTest(target=target, scheme=scheme):
                        status, out, _ = flowctl(
                            "ping", target, f"{scheme}://127.0.0.1:{server.port}",
                            "--attempts", 1, "--timeout", 300)
                        self.assertEqual(status, 1, out)
                        self.assertRegex(out, "status = (DEADLINE_EXCEEDED|UNAVAILABLE)")
                        took = float(re.search(r"\((\d+\.\d\d)s\)", out)[1])
                        self.assertGreaterEqual(took, 0.29)
                        self.assertLess(took, 2.9, "the default would be 3 s")


class PingOfAFlowWithADeadExecutor(unittest.TestCase):
    def test_says_which_and_why_and_the_gateway_is_up(self):
        with Flow(ECHO, more=NEVER).wait_ready() as flow:
            _, report = flow.http_json("/executors")
            executor = report["executors"][0]["replicas"][0]["address"]
            pid = flow.pid_of("executor0")
            os.kill(pid, signal.SIGKILL)
            wait_for("the reason", lambda: "killed by signal" in flow.http("/readyz")[1])
            for scheme in SCHEMES:
                url = f"{scheme}://127.0.0.1:{flow.port}"
                status, out, _ = flowctl("ping", "flow", url, "--attempts", 1)
                self.assertEqual(status, 1)
                self.assertIn("ERROR  ", out)
                self.assertIn(f"process {pid} was killed by signal 9 (SIGKILL)", out)
                if scheme == "ws":  # a close frame has room for the reason and no more
                    self.assertIn("the flow is not ready: executor0/rep-0 is FAILED", out)
                else:
                    self.assertIn("the flow is not ready: failed to connect to all addresses "
                                  "|Gateway: Communication error with deployment executor0", out)
                    self.assertIn(f"executor0/rep-0 at {executor} is FAILED since ", out)
                self.assertEqual(flowctl("ping", "gateway", url, "--attempts", 1)[0], 0)
            status, _, _ = flowctl("ping", "executor", executor.replace("0.0.0.0", "127.0.0.1"),
                                   "--attempts", 1)
            self.assertEqual(status, 1)

            url = f"http://127.0.0.1:{flow.port}"
            status, out, _ = flowctl("ready", url)
            self.assertEqual(status, 1)
            self.assertIn(f"{url} is not ready\n", out)
            self.assertIn("killed by signal 9 (SIGKILL)", out)
            status, out, _ = flowctl("wait", url, "--timeout", "200ms")
            self.assertEqual(status, 1)
            self.assertRegex(out, rf"^waiting for {url}: executor0/rep-0 .*\"never\"\n")
            self.assertIn("gave up after ", out)
            status, out, _ = flowctl("post", f"127.0.0.1:{flow.port}", "--text", "x")
            self.assertEqual(status, 1)


class WithTls(unittest.TestCase):
    """Every command that asks a server, for those who trust its authority, and for those who do not."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="flowctl-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.authority = certificates.Authority(cls.folder)
        identity = cls.authority.server()
        cls.flow = Flow(ECHO, f'tls = {{ certificate = "{identity.certificate}", '
                              f'key = "{identity.key}" }}').wait_ready()
        cls.addClassCleanup(cls.flow.__exit__)
        cls.ca = ("--ca", cls.authority.certificate)

    def urls(self):
        return [f"{scheme}://localhost:{self.flow.port}" for scheme in ("grpcs", "https", "wss")]

    def test_an_authority_that_is_trusted_or_none_at_all(self):
        for url in self.urls():
            for command in (["ping", "flow", url, "--attempts", 1],
                            ["ping", "gateway", url, "--attempts", 1],
                            ["ready", url], ["wait", url], ["status", url]):
                for trust in (self.ca, ("--insecure",)):
                    with self.subTest(command=command, trust=trust):
                        status, out, errors = flowctl(*command, *trust)
                        self.assertEqual(status, 0, out + errors)

    def test_an_authority_that_is_not_trusted_is_said(self):
        for url in self.urls():
            for command in (["ping", "flow", url, "--attempts", 1],
                            ["ping", "gateway", url, "--attempts", 1], ["ready", url],
                            ["status", url]):
                with self.subTest(command=command):
                    status, out, errors = flowctl(*command)
                    self.assertEqual(status, 1, out + errors)
                    self.assertRegex((out + errors).lower(), "certificate|handshake|ssl|tls")

    def test_documents_are_posted(self):
        for url in self.urls():
            with self.subTest(url=url):
                status, out, errors = flowctl("post", url, "--text", "x", *self.ca)
                self.assertEqual((status, errors), (0, ""))
                self.assertEqual(json.loads(out)["data"][0]["text"], "x")


class CommandLine(unittest.TestCase):
    def usage_error(self, *arguments):
        status, out, errors = flowctl(*arguments)
        self.assertEqual((status, out), (2, ""), errors)
        return errors

    def test_an_unknown_command_gets_a_suggestion(self):
        self.assertIn('error: there is no command "pign" (did you mean "ping"?)',
                      self.usage_error("pign"))
        self.assertIn('there is no command "x"\n', self.usage_error("x"))

    def test_wrong_use_is_status_2_and_says_what_is_wrong(self):
        cases = [
            ([], "subcommand"),
            (["ping"], "TARGET"),
            (["ping", "flow"], "HOST"),
            (["ping", "pod", "localhost:1"], "choose from 'flow', 'executor', 'gateway'"),
            (["ping", "flow", "ftp://localhost"], "ftp"),
            (["ping", "flow", "localhost:99999"], "99999"),
            (["ping", "flow", "localhost:1", "--timeout", "soon"], '"soon" is no time-out'),
            (["ping", "flow", "localhost:1", "--timeout", "0"], "is no time-out"),
            (["ping", "flow", "localhost:1", "--attempts", "0"], "attempts"),
            (["ping", "flow", "localhost:1", "--attempts", "x"], "x"),
            (["ping", "flow", "localhost:1", "--attempts", "2", "--min-successful-attempts", "3"],
             "can never succeed"),
            (["ping", "flow", "localhost:1", "--nope"], "--nope"),
            (["ready", "a", "b"], "b"),
            (["ready", "--ca", "x", "--insecure"], "--insecure"),
            (["describe"], "PLUGIN"),
            (["convert"], "FILE"),
        ]
        for arguments, word in cases:
            with self.subTest(arguments=arguments):
                errors = self.usage_error(*arguments)
                self.assertTrue(errors.startswith("error: "), errors)
                self.assertIn(word, errors)
                self.assertIn("--help for what it understands", errors)

    def test_help_names_every_command(self):
        status, out, _ = flowctl("--help")
        self.assertEqual(status, 0)
        for command in ("ping", "ready", "wait", "status", "post", "plugins", "describe", "plot",
                        "convert"):
            self.assertRegex(out, rf"\n  {command} ")
            self.assertEqual(flowctl(command, "--help")[0], 0)
        self.assertRegex(flowctl("--version")[1], r"^flowctl \d+\.\d+\.\d+\n$")

    def test_a_file_of_authorities_that_is_none_is_said(self):
        status, _, errors = flowctl("ping", "flow", "grpcs://localhost:1", "--ca", "/nowhere.pem")
        self.assertEqual(status, 1)
        self.assertIn("/nowhere.pem", errors)

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([FLOWCTL, "plugins", PLUGINS], stdout=full,
                                  stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)


class AskingAFlow(SharedFlow):
    executors = ('[[executors]]\nname = "first"\nuses = "echo"\n'
                 '[[executors]]\nname = "shout"\nuses = "upper"\n')

    def test_ready(self):
        for scheme in SCHEMES:
            url = f"{scheme}://127.0.0.1:{self.flow.port}"
            status, out, _ = flowctl("ready", url)
            self.assertEqual(status, 0)
            self.assertRegex(out, rf"^{url} is ready \(\d+\.\d ms\)\n$")

    def test_wait_ends_at_once_if_it_is_ready(self):
        status, out, _ = flowctl("wait", f"127.0.0.1:{self.flow.port}")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"is ready after \d+\.\d s\n$")

    def test_wait_ends_when_it_becomes_ready(self):
        pid = self.flow.pid_of("shout")
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for("HUNG", lambda: "HUNG" in self.flow.http("/readyz")[1])
            with subprocess.Popen([FLOWCTL, "wait", f"127.0.0.1:{self.flow.port}"],
                                  stdout=subprocess.PIPE, text=True) as process:
                self.assertIn("shout/rep-0", process.stdout.readline())
                os.kill(pid, signal.SIGCONT)
                self.assertEqual(process.wait(PATIENCE), 0)
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_post_prints_the_answer(self):
        for scheme in SCHEMES:
            with self.subTest(scheme=scheme):
                status, out, errors = flowctl(
                    "post", f"{scheme}://127.0.0.1:{self.flow.port}/upper",
                    "--text", "hello", "--text", "you", "--parameters", '{"k": 1}')
                self.assertEqual((status, errors), (0, ""))
                answer = json.loads(out)
                self.assertEqual([document["text"] for document in answer["data"]],
                                 ["HELLO", "YOU"])
                self.assertEqual(answer["header"]["execEndpoint"], "/upper")
                self.assertEqual(answer["parameters"]["k"], 1)
                self.assertEqual([route["executor"] for route in answer["routes"]],
                                 ["gateway", "first", "shout"])

    def test_post_reads_what_post_takes(self):
        body = {"data": [{"id": "a", "text": "hello", "tags": {"n": 1}}], "targetExecutor": "first"}
        status, out, errors = flowctl("post", f"127.0.0.1:{self.flow.port}", "--json", "-",
                                      stdin=json.dumps(body))
        self.assertEqual((status, errors), (0, ""))
        document = json.loads(out)["data"][0]
        self.assertEqual((document["id"], document["text"], document["tags"]),
                         ("a", "hello", {"n": 1.0}))

    def test_post_refuses_what_it_cannot_read(self):
        for arguments, word in ((["--json", "/nowhere"], "/nowhere: cannot be opened"),
                                (["--parameters", "[1"], "--parameters"),
                                (["--target", "("], "")):
            with self.subTest(arguments=arguments):
                status, out, errors = flowctl("post", f"127.0.0.1:{self.flow.port}", *arguments,
                                              "--text", "x")
                self.assertEqual(status, 1, out)
                self.assertTrue(errors.startswith("error: "), errors)
                self.assertIn(word, errors)

    def test_status_shows_every_replica_and_what_it_did(self):
        host = f"127.0.0.1:{self.flow.port}"
        flowctl("post", host, "--text", "x")
        status, out, _ = flowctl("status", host)
        self.assertEqual(status, 0)
        lines = out.splitlines()
        self.assertEqual(lines[0], f"grpc://{host} is ready")
        self.assertRegex(lines[1], r"^EXECUTOR +REPLICA +STATE +SINCE +RESTARTS +IN FLIGHT +REQ/S "
                                   r"+P50 +P99 +ADDRESS +REASON$")
        self.assertRegex(lines[2], r"^first +0 +READY +\d+s +\d+ +0 +\d+\.\d +[\d.]+ms +[\d.]+ms "
                                   r"+0\.0\.0\.0:\d+ +serving")
        self.assertTrue(lines[3].startswith("shout"))
        self.assertEqual(len(lines), 4)

    def test_status_as_json_counts_calls_and_failures(self):
        host = f"http://127.0.0.1:{self.flow.port}"
        before = json.loads(flowctl("status", host, "--json")[1])["executors"][0]["replicas"][0]
        flowctl("post", f"127.0.0.1:{self.flow.port}", "--text", "x")
        report = json.loads(flowctl("status", host, "--json")[1])
        after = report["executors"][0]["replicas"][0]
        self.assertTrue(report["ready"])
        self.assertEqual(after["calls"], before["calls"] + 1)
        self.assertEqual(after["failures"], before["failures"])
        self.assertEqual((after["restarts"], after["in_flight"]), (0, 0))
        self.assertGreater(after["p50_ms"], 0)
        self.assertGreaterEqual(after["p99_ms"], after["p50_ms"])
        self.assertGreater(after["requests_per_second"], 0)

    def test_status_can_be_watched_in_a_pipe(self):
        with subprocess.Popen([FLOWCTL, "status", f"127.0.0.1:{self.flow.port}", "--json",
                               "--watch"], stdout=subprocess.PIPE, text=True) as process:
            try:
                first, second = (json.loads(process.stdout.readline()) for _ in range(2))
            finally:
                process.terminate()
        self.assertLess(first["time"], second["time"])


class StatusOfOthers(unittest.TestCase):
    def test_restarts_are_counted(self):
        with Flow(ECHO).wait_ready() as flow:
            os.kill(flow.pid_of("executor0"), signal.SIGKILL)

            def replica():
                _, out, _ = flowctl("status", f"127.0.0.1:{flow.port}", "--json")
                return json.loads(out)["executors"][0]["replicas"][0]

            wait_for("a restart", lambda: replica()["restarts"] == 1)

    def test_of_nobody_and_of_silence_is_an_error(self):
        status, out, errors = flowctl("status", f"127.0.0.1:{free_port()}")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("Connection refused", errors)
        with SilentServer() as server:
            status, out, errors = flowctl("status", f"127.0.0.1:{server.port}", "--timeout", "200")
            self.assertEqual((status, out), (1, ""))
            self.assertIn(f"127.0.0.1:{server.port}", errors)


class Plugins(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flowctl-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_lists_what_is_found_and_what_is_refused(self):
        shutil.copy(PLUGINS / "echo.so", self.folder / "libmine.so")
        (self.folder / "broken.so").write_text("no library")
        (self.folder / "notes.txt").write_text("no plugin")
        status, out, errors = flowctl("plugins", self.folder)
        self.assertEqual((status, errors), (1, ""))
        lines = out.splitlines()
        self.assertEqual(len(lines), 3, out)
        self.assertRegex(lines[0], r"^NAME +VERSION +ABI +ENDPOINTS +FILE$")
        self.assertRegex(lines[1], rf"^mine +\S+ +1\.\d +/\S+.* +{self.folder}/libmine.so$")
        self.assertTrue(lines[2].startswith(f"refused {self.folder}/broken.so: "), lines[2])
        report = json.loads(flowctl("plugins", self.folder, "--json")[1])
        self.assertEqual(report["plugins"][0]["id"], "echo")
        self.assertEqual([refused["name"] for refused in report["refused"]], ["broken"])

    def test_all_plugins_that_ship_are_in_order(self):
        status, out, _ = flowctl("plugins", PLUGINS)
        self.assertEqual(status, 0, out)

    def test_looks_where_the_flow_says(self):
        file = self.folder / "flow.toml"
        file.write_text(f'plugins = ["{PLUGINS}"]\n{ECHO}')
        self.assertIn("echo ", flowctl("plugins", "--config", file)[1])
        self.assertIn("echo ", flowctl("plugins", folder=self.folder)[1])
        self.assertIn('id         echo', flowctl("describe", "echo", folder=self.folder)[1])
        status, _, errors = flowctl("describe", "ecko", folder=self.folder)
        self.assertEqual(status, 1)
        self.assertIn('did you mean "echo"', errors)

    def test_says_which_folder_cannot_be_read(self):
        status, out, _ = flowctl("plugins", "/nowhere")
        self.assertEqual(status, 1)
        self.assertIn("/nowhere: No such file or directory", out)

    def test_describe_tells_what_the_file_says_without_running_it(self):
        # Its code would end the process that runs it.
        status, out, _ = flowctl("describe", TEST_PLUGINS / "create-crashes.so")
        self.assertEqual(status, 0)
        self.assertIn("id         create-crashes\n", out)
        status, out, _ = flowctl("describe", PLUGINS / "text-encoder.so", "--json")
        self.assertEqual(json.loads(out)["metadata"]["id"], "text-encoder")
        status, _, errors = flowctl("describe", "/dev/null")
        self.assertEqual(status, 1)
        self.assertIn("/dev/null", errors)


YAML = """jtype: Flow
with:
  port: 0
  host: 127.0.0.1
  protocol: [grpc, http]
  timeout_send: 2000
  monitoring: true
executors:
  - name: first
    uses: echo
    replicas: 2
  - name: second
    uses: jinahub://Clip
    needs: first
    shards: 0
"""


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flowctl-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.yaml = self.folder / "flow.yml"
        self.toml = self.folder / "flow.toml"

    def check(self):
        done = subprocess.run([FLOW_HOST, "--config", self.toml, "--check"], capture_output=True,
                              text=True, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def test_a_converted_flow_passes_the_check_of_flow_host(self):
        self.yaml.write_text(YAML.replace("jinahub://Clip", "echo").replace("    shards: 0\n", "")
                             .replace("  monitoring: true\n", ""))
        status, out, errors = flowctl("convert", self.yaml)
        self.assertEqual((status, errors), (0, ""))
        self.toml.write_text(f'plugins = ["{PLUGINS}"]\n' + out)
        self.assertEqual(self.check(), (0, f"{self.toml}: ok (2 executors)\n"))

    def test_what_has_no_counterpart_is_said_line_by_line(self):
        self.yaml.write_text(YAML)
        status, out, errors = flowctl("convert", self.yaml, "-o", self.toml)
        self.assertEqual((status, out), (1, ""))
        self.assertIn(f"{self.yaml}:7: monitoring: true has no counterpart\n", errors)
        self.assertIn(f"{self.yaml}:13: uses: jinahub://Clip has no counterpart: a plugin \"Clip\" "
                      "is expected in its place\n", errors)
        self.assertIn(f"{self.yaml}:15: shards: ", errors)
        self.assertEqual(len(errors.splitlines()), 3)
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn('no plugin "Clip"', said)
        self.assertEqual(len(said.splitlines()), 2, "no other complaint, of two executors")

    def test_reads_standard_input_and_refuses_what_is_no_flow(self):
        status, out, _ = flowctl("convert", "-", stdin="executors: [{}]")
        self.assertEqual(status, 0)
        self.assertIn('uses = "echo"', out)
        for text in ("a: [", "- x", "jtype: Deployment", "a: &a [*a]", "[" * 100000):
            with self.subTest(text=text[:20]):
                status, out, errors = flowctl("convert", "-", stdin=text)
                self.assertEqual((status, out), (1, ""))
                self.assertTrue(errors.startswith("error: standard input:"), errors)
        status, _, errors = flowctl("convert", "/nowhere")
        self.assertEqual(status, 1)
        self.assertIn("/nowhere: cannot be opened", errors)

    def test_plot_draws_the_graph(self):
        self.toml.write_text(ECHO)
        status, out, _ = flowctl("plot", "--config", self.toml)
        self.assertEqual(status, 0)
        self.assertIn("flowchart", out)
        self.assertIn("executor0", out)
        self.assertEqual(flowctl("plot", "--config", "/nowhere")[0], 1)


if __name__ == "__main__":
    unittest.main()
