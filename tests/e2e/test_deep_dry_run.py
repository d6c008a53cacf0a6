# SPDX-License-Identifier: Apache-2.0
"""A dry run that really goes through the executors, and what it finds that the shallow one cannot."""

import json
import threading
import time
import unittest

from google.protobuf import empty_pb2

import jina_pb2
from flow_process import PATIENCE, SharedFlow, data_request

DRY_RUN = "_jina_dry_run_"


class DeepDryRun(SharedFlow):
    executors = ('[[executors]]\nuses = "echo"\n'
                 '[[executors]]\nname = "second"\nuses = "dry-runs"\n')

    def deep(self, said="deep"):
        return self.flow.call("/jina.JinaGatewayDryRunRPC/dry_run", empty_pb2.Empty(),
                              jina_pb2.StatusProto, metadata=[("flow-dry-run", said)])

    def deep_http(self):
        status, body = self.flow.http("/dry_run?deep=1")
        return status, json.loads(body)


class Works(DeepDryRun):
    def test_is_the_empty_message_and_the_references_json(self):
        self.assertEqual(self.deep().SerializeToString(), b"")
        self.assertEqual(self.flow.http("/dry_run?deep=1"),
                         (200, '{"code":0,"description":"","exception":null}'))

    def test_many_at_once_are_all_answered(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.deep().code))
                   for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [0] * 20)

    def test_the_request_of_another_gateway_is_answered_and_is_no_data(self):
        answer = self.flow.post(data_request("as it was", endpoint=DRY_RUN))
        self.assertFalse(answer.header.HasField("status"))
        self.assertEqual(answer.data.docs.docs[0].text, "as it was")
        self.assertEqual([route.executor for route in answer.routes],
                         ["gateway", "executor0", "second"])
        self.assertTrue(all(route.HasField("end_time") for route in answer.routes))


class Fails(DeepDryRun):
    executors = ('[[executors]]\nuses = "echo"\n[[executors]]\nname = "second"\nuses = "dry-runs"\n'
                 'uses_with = { outcome = "fails" }\n')

    def test_an_executor_that_finds_itself_wanting_is_named_with_its_reason(self):
        status = self.deep()
        self.assertEqual(status.code, jina_pb2.StatusProto.ERROR)
        self.assertEqual(status.description, "the index is not loaded")
        self.assertEqual(status.exception.executor, "second")
        code, body = self.deep_http()
        self.assertEqual(code, 503)
        self.assertEqual(body["code"], 1)
        self.assertEqual(body["description"], "the index is not loaded")
        self.assertEqual(body["exception"]["executor"], "second")

    def test_the_shallow_one_knows_nothing_of_it(self):
        for said in ("", "shallow"):
            self.assertEqual(self.deep(said).SerializeToString(), b"")
        self.assertEqual(self.flow.http("/dry_run")[0], 200)


class Hangs(DeepDryRun):
    executors = ('[[executors]]\nuses = "echo"\n[[executors]]\nname = "second"\nuses = "dry-runs"\n'
                 'uses_with = { outcome = "hangs" }\n')

    def test_an_executor_that_does_not_come_back_is_named_in_time(self):
        begin = time.monotonic()
        status = self.deep()
        self.assertLess(time.monotonic() - begin, PATIENCE / 2)
        self.assertEqual(status.code, jina_pb2.StatusProto.ERROR)
        self.assertRegex(status.description, r"Connection with deployment second .*timed out")
        self.assertEqual(status.exception.name, "InternalNetworkError")
        self.assertEqual(self.deep_http()[0], 503)
        self.assertEqual(self.flow.post(data_request("x")).data.docs.docs[0].text, "data",
                         "who hangs in a dry run may serve all the same")


if __name__ == "__main__":
    unittest.main()
