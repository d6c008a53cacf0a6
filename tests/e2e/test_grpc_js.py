# SPDX-License-Identifier: Apache-2.0
"""@grpc/grpc-js: an implementation of gRPC that shares no code with grpcio."""

import json
import pathlib
import subprocess
import unittest

from flow_process import PATIENCE, SharedFlow

HERE = pathlib.Path(__file__).parent
PROTOS = HERE.parent.parent / "proto"


class GrpcJs(SharedFlow):
    def run_client(self, encoding):
        done = subprocess.run(
            ["node", HERE / "grpc_js_client.js", f"127.0.0.1:{self.flow.port}", PROTOS, encoding],
            capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_call_and_a_stream_with_every_encoding(self):
        for encoding in ("identity", "deflate", "gzip"):
            with self.subTest(encoding):
                result = self.run_client(encoding)
                self.assertEqual(result["text"], 12000)
                expected = [[str(number), "ERROR" if number == 50 else "none"]
                            for number in range(100)]
                self.assertEqual(result["answers"], expected)


if __name__ == "__main__":
    unittest.main()
