# SPDX-License-Identifier: Apache-2.0
"""Requests go through the executors in order and come back with documents, routes and errors."""

import struct
import threading
import unittest

import grpc

import jina_pb2
from flow_process import Flow, SharedFlow, data_request, wait_for


def embedding(document):
    dense = document.embedding.dense
    return struct.unpack(f"<{len(dense.buffer) // 4}f", dense.buffer)


class NormalizeAndEncode(SharedFlow):
    executors = """
[[executors]]
name = "normalize"
uses = "text-normalize"
[[executors]]
name = "encode"
uses = "text-encoder"
uses_with = { dimensions = 32 }
"""

    def test_text_comes_back_normalised_and_with_an_embedding(self):
        answer = self.flow.post(data_request("  Cafe\u0301   AU lait "))
        document = answer.data.docs.docs[0]
        self.assertEqual(document.text, "caf\u00e9 au lait")
        self.assertEqual(document.id, "doc0")
        self.assertEqual(list(document.embedding.dense.shape), [32])
        self.assertEqual(document.embedding.dense.dtype, "<f4")
        self.assertAlmostEqual(sum(x * x for x in embedding(document)), 1.0, places=5)

    def test_the_same_text_has_the_same_vector_and_another_text_another(self):
        first = self.flow.post(data_request("one", "two", " ONE "))
        second = self.flow.post(data_request("one"))
        vectors = [embedding(document) for document in first.data.docs.docs]
        self.assertEqual(vectors[0], vectors[2])
        self.assertEqual(vectors[0], embedding(second.data.docs.docs[0]))
        self.assertNotEqual(vectors[0], vectors[1])

    def test_routes_name_the_gateway_and_each_executor_with_times(self):
        answer = self.flow.post(data_request("x"))
        self.assertEqual([route.executor for route in answer.routes],
                         ["gateway", "normalize", "encode"])
        gateway, normalize, encode = answer.routes
        for route in answer.routes:
            self.assertLessEqual(route.start_time.ToNanoseconds(), route.end_time.ToNanoseconds())
        self.assertLessEqual(gateway.start_time.ToNanoseconds(),
                             normalize.start_time.ToNanoseconds())
        self.assertLessEqual(normalize.end_time.ToNanoseconds(), encode.start_time.ToNanoseconds())
        self.assertLessEqual(encode.end_time.ToNanoseconds(), gateway.end_time.ToNanoseconds())

    def test_the_header_is_the_references(self):
        answer = self.flow.post(data_request("x", endpoint="/foo"))
        self.assertEqual(answer.header.request_id, "0123456789abcdef0123456789abcdef")
        self.assertEqual(answer.header.exec_endpoint, "/foo")
        self.assertTrue(answer.header.HasField("target_executor"))
        self.assertEqual(answer.header.target_executor, "")
        self.assertFalse(answer.header.HasField("status"))

    def test_a_request_without_an_id_is_given_one(self):
        answer = self.flow.post(jina_pb2.DataRequestProto())
        self.assertRegex(answer.header.request_id, "^[0-9a-f]{32}$")

    def test_a_target_leaves_the_others_out_with_a_route_that_does_not_end(self):
        answer = self.flow.post(data_request("Ab", target="norm"))
        self.assertEqual(answer.data.docs.docs[0].text, "ab")
        self.assertFalse(answer.data.docs.docs[0].HasField("embedding"))
        self.assertFalse(answer.routes[2].HasField("end_time"))

    def test_a_target_that_is_no_pattern_is_refused(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.flow.post(data_request("x", target="("))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_parameters_come_back_as_they_were(self):
        request = data_request("x")
        request.parameters["k"] = 1
        request.parameters["normalize__only"] = "for it"
        answer = self.flow.post(request)
        self.assertEqual(dict(answer.parameters), {"k": 1.0, "normalize__only": "for it"})

    def test_a_large_message_passes_both_ways(self):
        request = data_request("small")
        request.data.docs.docs[0].tags["large"] = "x" * (20 << 20)
        answer = self.flow.post(request)
        self.assertEqual(len(answer.data.docs.docs[0].tags["large"]), 20 << 20)

    def test_a_thousand_documents_keep_their_order(self):
        answer = self.flow.post(data_request(*(f"text {i}" for i in range(1000))))
        self.assertEqual([document.id for document in answer.data.docs.docs],
                         [f"doc{i}" for i in range(1000)])

    def test_many_callers_at_once_each_get_their_own_answer(self):
        failures = []

        def caller(name):
            for i in range(25):
                text = f"caller {name} call {i}"
                answer = self.flow.post(data_request(text))
                if answer.data.docs.docs[0].text != text:
                    failures.append((text, answer))

        threads = [threading.Thread(target=caller, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class Replicas(SharedFlow):
    executors = '[[executors]]\nuses = "identifies"\nreplicas = 3\n'

    def test_every_replica_gets_its_share(self):
        pids = {self.flow.post(data_request("x")).data.docs.docs[0].tags["pid"]
                for _ in range(12)}
        self.assertEqual(pids, {float(self.flow.pid_of("executor0", i)) for i in range(3)})


class ReplicasInAChain(SharedFlow):
    executors = ('[[executors]]\nname = "first"\nuses = "echo"\nreplicas = 2\n'
                 '[[executors]]\nname = "second"\nuses = "identifies"\nreplicas = 2\n')

    def test_every_replica_of_a_later_executor_gets_its_share_as_well(self):
        pids = {self.flow.post(data_request("x")).data.docs.docs[0].tags["pid"]
                for _ in range(8)}
        self.assertEqual(pids, {float(self.flow.pid_of("second", i)) for i in range(2)})


class SharedProcess(SharedFlow):
    executors = """
[[executors]]
name = "a"
uses = "identifies"
process = "both"
[[executors]]
name = "b"
uses = "echo"
process = "both"
"""

    def test_two_executors_live_in_one_process_each_on_its_own_port(self):
        self.assertEqual(self.flow.pid_of("a"), self.flow.pid_of("b"))
        _, answer = self.flow.http_json("/readyz?verbose")
        addresses = {executor["replicas"][0]["address"] for executor in answer["executors"]}
        self.assertEqual(len(addresses), 2)
        self.assertEqual([route.executor for route in self.flow.post(data_request("x")).routes],
                         ["gateway", "a", "b"])


class Failing(SharedFlow):
    executors = """
[[executors]]
name = "before"
uses = "echo"
[[executors]]
name = "throws"
uses = "throws"
[[executors]]
name = "after"
uses = "echo"
"""

    def test_an_exception_of_a_plugin_is_told_in_the_header_and_in_its_route(self):
        answer = self.flow.post(data_request("x"))
        status = answer.header.status
        self.assertEqual(status.code, jina_pb2.StatusProto.ERROR)
        self.assertIn("std::runtime_error", status.description)
        self.assertEqual(status.exception.executor, "throws")
        self.assertTrue(status.exception.stacks)
        self.assertEqual([route.executor for route in answer.routes],
                         ["gateway", "before", "throws"])
        self.assertEqual(answer.routes[2].status.description, status.description)

    def test_a_failing_executor_leaves_the_flow_ready(self):
        self.flow.post(data_request("x"))
        self.assertEqual(self.flow.dry_run().SerializeToString(), b"")


class Endpoints(SharedFlow):
    executors = '[[executors]]\nuses = "upper"\n[[executors]]\nname = "echo"\nuses = "echo"\n'

    def test_an_executor_without_the_endpoint_is_passed_over(self):
        answer = self.flow.post(data_request("abc", endpoint="/other"))
        self.assertEqual(answer.data.docs.docs[0].text, "abc")
        self.assertFalse(answer.routes[1].HasField("end_time"))
        self.assertTrue(answer.routes[2].HasField("end_time"))

    def test_an_executor_with_the_endpoint_is_called(self):
        answer = self.flow.post(data_request("abc", endpoint="/upper"))
        self.assertEqual(answer.data.docs.docs[0].text, "ABC")


class Slow(SharedFlow):
    executors = '[[executors]]\nuses = "slow"\nuses_with = { delay_ms = 600000 }\n'
    gateway = 'timeout_send = "500ms"\nmax_in_flight = 2\n'

    def fail(self, request, timeout=60):
        with self.assertRaises(grpc.RpcError) as caught:
            self.flow.post(request, timeout)
        return caught.exception

    def test_timeout_send_ends_a_call_in_the_references_words(self):
        error = self.fail(data_request("x"))
        self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertRegex(error.details(), r"^Deadline Exceeded\|Gateway: Connection with deployment "
                         r"executor0 at address\(es\) \{'[^']+'\} could be established, but timed out")

    def test_the_callers_deadline_goes_before_a_longer_timeout(self):
        self.assertEqual(self.fail(data_request("x"), 0.05).code(),
                         grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_the_timeout_in_the_header_counts(self):
        request = data_request("x")
        request.header.timeout = 20
        self.assertEqual(self.fail(request).code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_more_than_max_in_flight_is_refused_and_the_flow_stays_ready(self):
        codes = []
        threads = [threading.Thread(
            target=lambda: codes.append(self.fail(data_request("x")).code())) for _ in range(6)]
        for thread in threads:
            thread.start()
        self.assertEqual(self.flow.dry_run().SerializeToString(), b"", "a probe waits for nobody")
        for thread in threads:
            thread.join()
        self.assertIn(grpc.StatusCode.RESOURCE_EXHAUSTED, codes)
        self.assertIn(grpc.StatusCode.DEADLINE_EXCEEDED, codes)

    def test_a_cancelled_call_makes_room_for_the_next(self):
        with self.flow.channel() as channel:
            method = channel.unary_unary(
                "/jina.JinaSingleDataRequestRPC/process_single_data",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=jina_pb2.DataRequestProto.FromString)
            for _ in range(20):
                method.future(data_request("x"), timeout=60).cancel()
            wait_for("a free place", lambda: self.fail(data_request("x")).code()
                     == grpc.StatusCode.DEADLINE_EXCEEDED)


class Unhealthy(unittest.TestCase):
    def test_a_plugin_that_says_it_cannot_serve_is_believed_until_it_takes_that_back(self):
        with Flow('[[executors]]\nuses = "unhealthy"\n').wait_ready() as flow:
            flow.post(data_request("x", endpoint="/sicken"))
            answer = wait_for("the Flow to be not ready",
                              lambda: [a for a in [flow.http_json("/readyz?verbose")] if a[0] == 503])
            self.assertEqual(answer[0][1]["executors"][0]["replicas"][0]["state"], "UNHEALTHY")


if __name__ == "__main__":
    unittest.main()
