# SPDX-License-Identifier: Apache-2.0
"""A Flow of real processes for a test: started from a file, watched, stopped, and gone afterwards."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import grpc
from google.protobuf import empty_pb2

import health_pb2
import jina_pb2

BUILD = pathlib.Path(os.environ["FLOW_BUILD"])
FLOW_HOST = BUILD / "bin" / "flow-host"
PLUGINS = BUILD / "plugins"
TEST_PLUGINS = BUILD / "test-plugins"

# Under a sanitizer everything is several times slower; nothing waits this long otherwise.
PATIENCE = 60.0


def wait_for(what, condition, patience=PATIENCE):
    """Polls until condition() is true and gives its value; fails naming what was awaited."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s for {what}")
        time.sleep(0.005)


def alive(pid):
    """Does a process exist and is it no zombie?"""
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except FileNotFoundError:
        return []


class Flow:
    """flow-host with a configuration of its own, on a free port."""

    def __init__(self, executors, gateway="", more="", env=None, arguments=(),
                 plugins=(PLUGINS, TEST_PLUGINS)):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flow-e2e-"))
        self.file = self.folder / "flow.toml"
        self.file.write_text(
            f'plugins = {json.dumps(list(map(str, plugins)))}\n'
            f'{more}\n[gateway]\nhost = "127.0.0.1"\nport = 0\n{gateway}\n{executors}\n'
        )
        self.errors = open(self.folder / "stderr", "w+b")
        self.process = subprocess.Popen(
            [FLOW_HOST, "--config", self.file, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, "XDG_STATE_HOME": str(self.folder / "state"), **(env or {})},
        )
        self.panel = ""
        self.port = 0
        self.replicated = "replicas" in executors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        everyone = [self.process.pid, *children(self.process.pid)]
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        wait_for("all processes of the Flow to end", lambda: not any(map(alive, everyone)))
        self.errors.close()
        shutil.rmtree(self.folder)

    def log(self):
        return pathlib.Path(self.errors.name).read_text(errors="replace")

    def wait_ready(self):
        """Reads the panel, which says that the Flow is ready and on which port."""
        end = time.monotonic() + PATIENCE
        while "╰" not in self.panel:
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            part = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not part:
                raise AssertionError(f"the Flow did not become ready:\n{self.log()}")
            self.panel += part.decode(errors="replace")
        self.port = int(re.search(r"Local\s+127\.0\.0\.1:(\d+)", self.panel)[1])
        if self.replicated:
            # One replica makes its executor ready: the others may still be on their way.
            wait_for("all replicas", lambda: all(
                replica["state"] == "READY"
                for executor in self.http_json("/readyz?verbose")[1]["executors"]
                for replica in executor["replicas"]))
        return self

    def wait_end(self):
        return self.process.wait(PATIENCE)

    # ---- its processes --------------------------------------------------------------------------

    def pid_of(self, name, replica=0):
        """The process of an executor's replica, or of "gateway"; None while it has none."""
        for pid in children(self.process.pid):
            command = command_of(pid)
            if name == "gateway" and command[0].endswith("flow-gateway"):
                return pid
            if name in command and command[command.index("--replica") + 1] == str(replica):
                return pid
        return None

    def memory_mib(self, name="gateway"):
        """What a process of it has in memory."""
        for line in pathlib.Path(f"/proc/{self.pid_of(name)}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
        raise AssertionError(f"{name} has no process")

    # ---- asking it ------------------------------------------------------------------------------

    def http(self, path, method="GET"):
        """Status and body."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()

    def http_json(self, path):
        status, body = self.http(path)
        return status, json.loads(body)

    def channel(self):
        return grpc.insecure_channel(
            f"127.0.0.1:{self.port}",
            options=[("grpc.use_local_subchannel_pool", 1),
                     ("grpc.max_receive_message_length", -1),
                     ("grpc.max_send_message_length", -1)],
        )

    def call(self, method, request, answer_type, timeout=PATIENCE, metadata=None):
        with self.channel() as channel:
            return channel.unary_unary(
                method,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer_type.FromString,
            )(request, timeout=timeout, metadata=metadata)

    def dry_run(self):
        return self.call("/jina.JinaGatewayDryRunRPC/dry_run", empty_pb2.Empty(),
                         jina_pb2.StatusProto)

    def health(self, service=""):
        return self.call("/grpc.health.v1.Health/Check",
                         health_pb2.HealthCheckRequest(service=service),
                         health_pb2.HealthCheckResponse).status

    def post(self, request, timeout=PATIENCE):
        return self.call("/jina.JinaSingleDataRequestRPC/process_single_data", request,
                         jina_pb2.DataRequestProto, timeout=timeout)


def data_request(*texts, endpoint="/", target="", request_id="0123456789abcdef0123456789abcdef"):
    request = jina_pb2.DataRequestProto()
    request.header.request_id = request_id
    request.header.exec_endpoint = endpoint
    if target:
        request.header.target_executor = target
    for index, text in enumerate(texts):
        document = request.data.docs.docs.add()
        document.id = f"doc{index}"
        document.text = text
    return request


class SharedFlow(unittest.TestCase):
    """Tests that leave their Flow as they found it: one for all of a class."""

    executors = '[[executors]]\nuses = "echo"\n'
    gateway = ""
    more = ""

    @classmethod
    def setUpClass(cls):
        cls.flow = Flow(cls.executors, cls.gateway, cls.more).wait_ready()

    @classmethod
    def tearDownClass(cls):
        cls.flow.__exit__()
