# SPDX-License-Identifier: Apache-2.0
"""How a Flow comes up: progress, log lines, several executors side by side, files by themselves."""

import json
import re
import subprocess
import unittest

from flow_process import BUILD, Flow, FLOW_HOST, data_request, wait_for


class Logs(unittest.TestCase):
    executors = '[[executors]]\nname = "executor0"\nuses = "echo"\n'

    def test_debug_lines_are_the_references(self):
        with Flow(self.executors, env={"FLOW_LOG_LEVEL": "debug"}).wait_ready() as flow:
            log = wait_for("the last line",
                           lambda: flow.log() if "are running in this Flow" in flow.log() else "")
            executor, gateway = flow.pid_of("executor0"), flow.pid_of("gateway")
            _, answer = flow.http_json("/readyz?verbose")
            address = answer["executors"][0]["replicas"][0]["address"]
            for line in (
                f"DEBUG  gateway/rep-0@{gateway} adding connection for deployment "
                f"executor0/heads/0 to grpc://{address}",
                f"DEBUG  executor0/rep-0@{executor} start listening on {address}",
                f"DEBUG  gateway/rep-0@{gateway} start server bound to 127.0.0.1:{flow.port}",
                f"DEBUG  executor0/rep-0@{executor} ready and listening",
                f"DEBUG  gateway/rep-0@{gateway} ready and listening",
                f"DEBUG  Flow@{flow.process.pid} 2 Deployments (i.e. 2 Pods) are running in this Flow",
            ):
                self.assertIn(line, log)

    def test_the_references_variable_works_too(self):
        with Flow(self.executors, env={"JINA_LOG_LEVEL": "DEBUG"}).wait_ready() as flow:
            self.assertIn("DEBUG", flow.log())

    def test_there_is_no_debug_line_unless_asked_for(self):
        with Flow(self.executors).wait_ready() as flow:
            self.assertNotIn("DEBUG", flow.log())

    def test_json_is_one_object_a_line_from_every_process(self):
        more = '[log]\nlevel = "debug"\nformat = "json"\n'
        with Flow(self.executors, more=more).wait_ready() as flow:
            wait_for("the last line", lambda: "are running in this Flow" in flow.log())
            lines = [json.loads(line) for line in flow.log().splitlines()]
            self.assertLessEqual({"executor0/rep-0", "gateway/rep-0", "Flow"},
                                 {line["name"] for line in lines})

    def test_an_unknown_level_is_refused(self):
        with Flow(self.executors, env={"FLOW_LOG_LEVEL": "loud"}) as flow:
            self.assertEqual(flow.wait_end(), 1)
            self.assertIn("FLOW_LOG_LEVEL", flow.log())


class Start(unittest.TestCase):
    def test_executors_start_side_by_side(self):
        executors = "".join(f'[[executors]]\nname = "e{i}"\nuses = "slow-start"\n'
                            'uses_with = { delay_ms = 1000 }\n' for i in range(4))
        with Flow(executors).wait_ready() as flow:
            self.assertEqual(flow.post(data_request("x")).data.docs.docs[0].text, "x")

    def test_twenty_executors_are_all_heard(self):
        # Their notify messages come at once, many more than a datagram socket queues.
        executors = "".join(f'[[executors]]\nname = "e{i}"\nuses = "echo"\n' for i in range(20))
        with Flow(executors).wait_ready() as flow:
            answer = flow.post(data_request("x"))
            self.assertEqual(len(answer.routes), 21)

    def test_nothing_is_ready_before_everything_is(self):
        executors = '[[executors]]\nuses = "echo"\n[[executors]]\nname = "late"\n' \
                    'uses = "slow-start"\nuses_with = { delay_ms = 1500 }\n'
        with Flow(executors, env={"FLOW_LOG_LEVEL": "debug"}) as flow:
            bound = wait_for("the gateway to listen", lambda: re.search(
                r"start server bound to 127\.0\.0\.1:(\d+)", flow.log()))
            flow.port = int(bound[1])
            status, answer = flow.http_json("/readyz?verbose")
            self.assertEqual(status, 503)
            self.assertEqual(answer["executors"][1]["replicas"][0]["state"], "STARTING")
            self.assertEqual(flow.panel, "")
            flow.wait_ready()
            self.assertEqual(flow.http("/readyz")[0], 200)

    def test_one_executor_serves_in_the_foreground(self):
        with Flow('[[executors]]\nname = "alone"\nuses = "echo"\n[[executors]]\nuses = "echo"\n',
                  arguments=["--executor", "alone", "--listen", "alone=127.0.0.1:0"],
                  env={"FLOW_LOG_LEVEL": "debug"}) as flow:
            bound = wait_for("it to listen", lambda: re.search(
                r"start listening on 127\.0\.0\.1:(\d+)", flow.log()))
            wait_for("it to serve", lambda: "ready and listening" in flow.log())
            flow.port = int(bound[1])
            self.assertEqual(flow.post(data_request("x")).data.docs.docs[0].text, "x")
            flow.process.terminate()
            self.assertEqual(flow.wait_end(), 0)

    def test_the_gateway_does_not_link_libgrpc(self):
        linked = subprocess.run(["ldd", BUILD / "bin" / "flow-gateway"], capture_output=True,
                                text=True, check=True).stdout
        self.assertNotIn("libgrpc", linked)

    def test_versions_are_told(self):
        out = subprocess.run([FLOW_HOST, "--version"], capture_output=True, text=True, check=True)
        self.assertIn("flow-host 0.1.0", out.stdout)

    def test_an_unknown_flag_is_refused_with_2_or_more(self):
        done = subprocess.run([FLOW_HOST, "--nonsense"], capture_output=True, text=True)
        self.assertNotIn(done.returncode, (0, 1))


if __name__ == "__main__":
    unittest.main()
