# SPDX-License-Identifier: Apache-2.0
"""What the measurements share: processes that end with them, a fast prober, clocks, tables."""

import argparse
import contextlib
import ctypes
import datetime
import math
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# How long anything may take that is expected to happen at once.
PATIENCE_S = 30.0


# ---- the command line and the heading -----------------------------------------------------------


def parse_arguments(description, rounds, *more):
    """`more`: pairs of an option and its add_argument() settings."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release",
                        help="the build to measure (default: build/release)")
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N",
                        help=f"how often everything is measured (default: {rounds})")
    for option, settings in more:
        parser.add_argument(option, **settings)
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    if arguments.rounds < 1:
        parser.error("--rounds: expected 1 or more")
    if not (arguments.build / "bin" / "flow-host").exists():
        parser.error(f"{arguments.build} holds no flow-host; build it with\n"
                     "  cmake --preset release && cmake --build --preset release")
    return arguments


def require_test_plugins(build):
    """Those that misbehave on purpose."""
    folder = build / "test-plugins"
    if not (folder / "gets-stuck.so").exists():
        sys.exit(f"error: {folder} holds no plugins; this measurement needs a build with\n"
                 "  cmake --preset release -DFLOW_BUILD_TESTS=ON")
    return folder


def require_tools(packages):
    """`packages`: a dictionary of programs and the Debian packages that they come in."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = sorted({package for tool, package in packages.items() if shutil.which(tool) is None})
    if missing:
        sys.exit(f"error: this measurement needs: apt-get install {' '.join(missing)}")


def bound_run_time(seconds):
    """Ends the script, and all it has started, after that long or when it is told to stop."""

    def stop(number, _):
        sys.exit(f"error: stopped after {seconds} s" if number == signal.SIGALRM
                 else f"error: stopped by {signal.Signals(number).name}")

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.alarm(math.ceil(seconds))


def print_heading(title):
    cpus = re.findall(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                            capture_output=True, text=True, check=False).stdout.strip()
    command = [os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]]
    date = datetime.datetime.now(datetime.timezone.utc)
    print(f"# {title}\n")
    print(f"- Machine: {cpus[0] if cpus else os.uname().machine}, {os.cpu_count()} cores, "
          f"Linux {os.uname().release}; load average {os.getloadavg()[0]:.1f} at the start")
    print(f"- Command: `{' '.join(command)}`")
    print(f"- Date: {date:%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}\n", flush=True)


def print_table(columns, rows):
    print("| " + " | ".join(columns) + " |")
    print("|---" + "|--:" * (len(columns) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def quantile(values, share):
    """The smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


DISTRIBUTION = ["median", "p90", "p99", "min", "max"]


def distribution_of(values, places):
    """The cells of DISTRIBUTION."""
    figures = (statistics.median(values), quantile(values, 0.9), quantile(values, 0.99),
               min(values), max(values))
    return [f"{figure:.{places}f}" for figure in figures]


# ---- waiting ------------------------------------------------------------------------------------


def sleep_exactly():
    """Has this process's sleeps end when they should, not up to 50 us later."""
    pr_set_timerslack = 29
    ctypes.CDLL(None).prctl(pr_set_timerslack, 1, 0, 0, 0)


def wait_for(what, condition, interval_s=0.005):
    """Asks until condition() is true and gives its value."""
    end = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE_S} s for {what}")
        time.sleep(interval_s)


# ---- processes ----------------------------------------------------------------------------------


def children_of(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return []


def command_of(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return [""]


def cpu_ns(pid):
    """User and system time of a process and of all threads it ever had.

    What /proc/PID/stat says in ticks of 10 ms, in nanoseconds: the clock that
    clock_getcpuclockid(3) names.
    """
    cpuclock_sched = 2
    return time.clock_gettime_ns(~pid << 3 | cpuclock_sched)


def memory_kib(pid):
    """Its resident set, and its share of it."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return tuple(int(re.search(rf"^{field}:\s+(\d+) kB$", text, re.M)[1])
                 for field in ("Rss", "Pss"))


def threads_of(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


@contextlib.contextmanager
def scratch_folder():
    with tempfile.TemporaryDirectory(prefix="flow-bench-") as folder:
        yield pathlib.Path(folder)


@contextlib.contextmanager
def started(command, errors, **options):
    """A process for the time of a block; what it writes to stderr goes to the file `errors`."""
    with open(errors, "wb") as stderr:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, **options)
    try:
        yield process
    except Exception as error:
        said = pathlib.Path(errors).read_text(errors="replace").strip()
        if said:
            error.add_note(f"{pathlib.Path(command[0]).name} said:\n{said}")
        raise
    finally:
        own_children = children_of(process.pid)
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            for child in own_children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()


# ---- a Flow -------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_config(folder, build, executors=1, port=0, executor_port=0, more="", mib=0):
    """A chain of echoes; with `executor_port` the first one has it.

    With `mib` they are no echoes, but executors that have so much memory resident.
    """
    file = folder / "flow.toml"
    plugins = [build / "plugins", *([build / "test-plugins"] if mib else [])]
    uses = f'uses = "weighs"\nuses_with = {{ mib = {mib} }}' if mib else 'uses = "echo"'
    parts = [f"plugins = {[str(folder) for folder in plugins]}", more,
             f'[gateway]\nhost = "127.0.0.1"\nport = {port}']
    for index in range(executors):
        parts.append(f'[[executors]]\n{uses}\nhost = "127.0.0.1"\n'
                     f"port = {executor_port if index == 0 else 0}")
    file.write_text("\n".join(parts) + "\n")
    return file


class Flow:
    """What flow-host brings up from a file. Use running_flow()."""

    def __init__(self, process):
        self.process = process
        self.port = 0

    def wait_ready(self):
        """Reads the panel, which says that the Flow is ready and on which port."""
        panel = b""
        end = time.monotonic() + PATIENCE_S
        while "╰" not in panel.decode(errors="ignore"):
            output = self.process.stdout.fileno()
            ready, _, _ = select.select([output], [], [], max(0.0, end - time.monotonic()))
            part = os.read(output, 4096) if ready else b""
            if not part:
                raise TimeoutError("the Flow did not become ready")
            panel += part
        self.port = int(re.search(r"Local\s+127\.0\.0\.1:(\d+)", panel.decode())[1])

    def gateway(self):
        return next(pid for pid in children_of(self.process.pid)
                    if command_of(pid)[0].endswith("/flow-gateway"))

    def executors(self):
        return [pid for pid in children_of(self.process.pid) if "--executor" in command_of(pid)]


@contextlib.contextmanager
def running_flow(build, config):
    """Starts flow-host; the block decides when to wait_ready()."""
    command = [build / "bin" / "flow-host", "--config", config]
    # Crash reports are for the rehearsal alone.
    environment = {**os.environ, "XDG_STATE_HOME": str(config.parent / "state")}
    with started(command, config.parent / "flow-host.log", stdout=subprocess.PIPE,
                 env=environment) as process:
        yield Flow(process)


# ---- asking -------------------------------------------------------------------------------------


class Prober:
    """GET of one path again and again over one connection, at some tens of microseconds each."""

    def __init__(self, port, path="/dry_run"):
        self.request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def status(self):
        return self.ask()[0]

    def ask(self):
        """Status and body."""
        self.socket.sendall(self.request)
        answer = self.receive()
        header_end = answer.find(b"\r\n\r\n")
        while header_end < 0:
            answer += self.receive()
            header_end = answer.find(b"\r\n\r\n")
        length_at = answer.find(b"content-length: ") + len(b"content-length: ")
        length = int(answer[length_at:answer.find(b"\r\n", length_at)])
        while len(answer) < header_end + 4 + length:
            answer += self.receive()
        return int(answer[9:12]), answer[header_end + 4:]

    def receive(self):
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the gateway closed the connection")
        return part

    def wait_for_status(self, wanted, pause_s=0.0):
        """When it was first answered, by time.monotonic_ns()."""
        end = time.monotonic_ns() + int(PATIENCE_S * 1e9)
        while self.status() != wanted:
            if time.monotonic_ns() > end:
                raise TimeoutError(f"waited {PATIENCE_S} s for {wanted} from /dry_run")
            if pause_s:
                time.sleep(pause_s)
        return time.monotonic_ns()


def connect_prober(port, pause_s=0.005):
    """To a gateway that may not listen yet."""
    def attempt():
        with contextlib.suppress(ConnectionError):
            return Prober(port)
        return None

    return wait_for(f"a listener at port {port}", attempt, pause_s)


# ---- requests and load --------------------------------------------------------------------------

PROCESS_PATH = "/jina.JinaSingleDataRequestRPC/process_single_data"
DRY_RUN_PATH = "/jina.JinaGatewayDryRunRPC/dry_run"


def bytes_field(number, content):
    """A field of a protobuf message; both sizes fit into one byte or two."""
    size = len(content)
    return bytes([number << 3 | 2, *([size] if size < 128 else [size & 127 | 128, size >> 7])]) \
        + content


# jina.DataRequestProto.data with one document of 100 bytes of text.
SMALL_DATA = bytes_field(4, bytes_field(1, bytes_field(
    1, bytes_field(1, b"0123456789abcdef0123456789abcdef") + bytes_field(4, b"x" * 100))))

# jina.DataRequestProto: header.request_id, header.exec_endpoint and the data.
SMALL_REQUEST = bytes_field(1, bytes_field(1, b"fedcba9876543210fedcba9876543210")
                            + bytes_field(3, b"/")) + SMALL_DATA


def grpc_frame(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def grpc_call(port, path, message):
    """One call of gRPC's own client: the message that was answered."""
    # Here, because few scripts need it and its threads would be in the others' way.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return channel.unary_unary(path)(message, timeout=PATIENCE_S)


def checked_answer(port, path, message):
    """The answer to one call, which must hold the documents that were sent."""
    answer = grpc_call(port, path, message)
    expected = SMALL_DATA if message == SMALL_REQUEST else b""
    if not answer.endswith(expected) or bool(answer) != bool(expected):
        raise RuntimeError(f"{path} at port {port} answered {answer!r}, expected {expected!r}")
    return answer


def h2load(port, path, body, connections, streams, requests, answer):
    """Requests per second, all of which must succeed.

    `body`: the file with the framed request. `streams`: in all, not per connection. `answer`: a
    message as it should come back. h2load knows HTTP statuses only; but a call that fails by gRPC's
    status brings no message, and that shows in the sum of the bytes.
    """
    command = ["h2load", "-n", requests, "-c", connections, "-m", streams // connections,
               "-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers",
               f"http://127.0.0.1:{port}{path}"]
    report = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                            timeout=10 * PATIENCE_S, check=True).stdout
    if f"{requests} succeeded, 0 failed, 0 errored, 0 timeout" not in report \
            or f"status codes: {requests} 2xx" not in report:
        raise RuntimeError(f"not every request to port {port} succeeded:\n{report}")
    size = int(re.search(r"\((\d+)\) data", report)[1]) / requests
    expected = len(grpc_frame(answer))
    if abs(size - expected) > 0.02 * expected:  # time stamps differ by a byte or two
        raise RuntimeError(f"port {port} answered {size:.1f} bytes on average where {expected} "
                           "were expected: calls failed")
    return float(re.search(r"([\d.]+) req/s", report)[1])
