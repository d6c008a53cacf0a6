# SPDX-License-Identifier: Apache-2.0
"""Other people's clients: curl over both HTTP versions, buf curl by reflection, gRPC C++."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

from flow_process import BUILD, PATIENCE, Flow, SharedFlow, wait_for

BUF = pathlib.Path(__file__).parent / "node_modules" / ".bin" / "buf"


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=PATIENCE, **options)


class Curl(SharedFlow):
    def curl(self, *arguments):
        done = run("curl", "--silent", "--show-error", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_dry_run_over_http1_and_http2(self):
        for version in ("--http1.1", "--http2-prior-knowledge"):
            self.assertEqual(self.curl(version, f"http://localhost:{self.flow.port}/dry_run"),
                             '{"code":0,"description":"","exception":null}')

    def test_several_requests_over_one_connection(self):
        # HTTP/1.1 alone: curl 7.88 breaks its own connection when it uses one for a second request
        # with prior knowledge of HTTP/2 (curl/curl#10634).
        url = f"http://localhost:{self.flow.port}/readyz"
        out = self.curl("--http1.1", "--write-out", "%{num_connects}\n", url, url, url)
        self.assertEqual(out, '{"ready":true,"reason":""}1\n' + '{"ready":true,"reason":""}0\n' * 2)

    def test_head_of_a_probe(self):
        for version in ("--http1.1", "--http2-prior-knowledge"):
            out = self.curl(version, "--head", f"http://localhost:{self.flow.port}/readyz")
            self.assertIn(" 200", out.splitlines()[0])


class BufCurl(SharedFlow):
    executors = '[[executors]]\nname = "executor0"\nuses = "echo"\n'
    more = '[supervise]\nrestart = "never"\n'

    def buf(self, path, *arguments, port=None):
        return run(BUF, "curl", "--http2-prior-knowledge", "--protocol", "grpc", *arguments,
                   f"http://127.0.0.1:{port or self.flow.port}{path}")

    def test_lists_services_by_both_versions_of_reflection(self):
        for version in ("grpc-v1", "grpc-v1alpha"):
            done = self.buf("", "--list-services", "--reflect-protocol", version)
            self.assertEqual(done.returncode, 0, done.stderr)
            for service in ("grpc.health.v1.Health", "jina.JinaGatewayDryRunRPC", "jina.JinaRPC",
                            "jina.JinaSingleDataRequestRPC", "jina.JinaInfoRPC"):
                self.assertIn(service, done.stdout)

    def test_describes_every_method_that_it_lists(self):
        done = self.buf("", "--list-methods")
        self.assertEqual(done.returncode, 0, done.stderr)
        for method in ("jina.JinaGatewayDryRunRPC/dry_run", "grpc.health.v1.Health/Check",
                       "jina.JinaSingleDataRequestRPC/process_single_data", "jina.JinaRPC/Call",
                       "jina.JinaSingleDocumentRequestRPC/stream_doc"):
            self.assertIn(method, done.stdout)

    def test_dry_run_by_reflection_gives_the_empty_object(self):
        done = self.buf("/jina.JinaGatewayDryRunRPC/dry_run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), {})

    def test_health_by_reflection(self):
        done = self.buf("/grpc.health.v1.Health/Check")
        self.assertEqual(json.loads(done.stdout), {"status": "SERVING"})

    def test_data_by_reflection(self):
        done = self.buf("/jina.JinaSingleDataRequestRPC/process_single_data", "--data",
                        '{"data":{"docs":{"docs":[{"text":"hello"}]}}}')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["data"]["docs"]["docs"][0]["text"], "hello")

    def test_an_executor_is_a_grpc_server_of_its_own(self):
        _, verbose = self.flow.http_json("/readyz?verbose")
        address = verbose["executors"][0]["replicas"][0]["address"]
        port = address.rpartition(":")[2]
        for version in ("grpc-v1", "grpc-v1alpha"):
            listed = self.buf("", "--list-services", "--reflect-protocol", version, port=port)
            self.assertIn("jina.JinaDataRequestRPC", listed.stdout, listed.stderr)
        done = self.buf("/jina.JinaDiscoverEndpointsRPC/endpoint_discovery", port=port)
        self.assertIn("/default", json.loads(done.stdout)["endpoints"])


class DeadExecutorByBuf(unittest.TestCase):
    def test_the_error_of_the_walk_through(self):
        with Flow('[[executors]]\nuses = "echo"\n',
                  more='[supervise]\nrestart = "never"\n').wait_ready() as flow:
            os.kill(flow.pid_of("executor0"), signal.SIGKILL)
            wait_for("not ready", lambda: flow.http("/readyz")[0] == 503)
            done = run(BUF, "curl", "--http2-prior-knowledge", "--protocol", "grpc",
                       f"http://127.0.0.1:{flow.port}/jina.JinaGatewayDryRunRPC/dry_run")
            answer = json.loads(done.stdout)
            self.assertEqual(answer["code"], "ERROR")
            self.assertTrue(answer["description"].startswith(
                "failed to connect to all addresses |Gateway: Communication error with deployment"))
            self.assertEqual(answer["exception"]["name"], "InternalNetworkError")
            self.assertEqual(answer["exception"]["args"], [answer["description"]])
            self.assertTrue(answer["exception"]["stacks"])


class GrpcCpp(SharedFlow):
    def test_every_method_works_from_the_grpc_cpp_library(self):
        done = run(BUILD / "tests" / "grpc_cpp_client", f"127.0.0.1:{self.flow.port}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
