# SPDX-License-Identifier: Apache-2.0
"""A Flow that is ready says so on every protocol and surface, in the reference's words."""

import os
import signal
import unittest

import grpc
from google.protobuf import empty_pb2

import health_pb2
import jina_pb2
from flow_process import SharedFlow

SERVING = health_pb2.HealthCheckResponse.SERVING


class ReadyFlow(SharedFlow):
    executors = ('[[executors]]\nuses = "echo"\nreplicas = 2\n'
                 '[[executors]]\nname = "upper"\nuses = "upper"\n')

    def test_dry_run_over_grpc_is_the_empty_message(self):
        self.assertEqual(self.flow.dry_run().SerializeToString(), b"")

    def test_dry_run_over_http_is_exactly_the_references_answer(self):
        self.assertEqual(self.flow.http("/dry_run"),
                         (200, '{"code":0,"description":"","exception":null}'))

    def test_root_answers_that_the_gateway_lives(self):
        self.assertEqual(self.flow.http("/"), (200, "{}"))

    def test_kubernetes_probes_answer(self):
        self.assertEqual(self.flow.http("/livez")[0], 200)
        self.assertEqual(self.flow.http("/readyz"), (200, '{"ready":true,"reason":""}'))

    def test_verbose_readiness_lists_every_replica(self):
        status, answer = self.flow.http_json("/readyz?verbose")
        self.assertEqual(status, 200)
        names = [replica["name"] for executor in answer["executors"]
                 for replica in executor["replicas"]]
        self.assertEqual(names, ["executor0/rep-0", "executor0/rep-1", "upper/rep-0"])
        for executor in answer["executors"]:
            for index, replica in enumerate(executor["replicas"]):
                self.assertEqual(replica["state"], "READY")
                self.assertEqual(replica["pid"], self.flow.pid_of(executor["name"], index))

    def test_health_knows_the_flow_its_executors_and_liveness(self):
        for service in ("", "liveness", "executor0", "upper", "jina.JinaGatewayDryRunRPC"):
            self.assertEqual(self.flow.health(service), SERVING, service)

    def test_health_of_an_unknown_service_is_not_found(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.flow.health("nope")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_status_tells_versions_on_both_protocols(self):
        answer = self.flow.call("/jina.JinaInfoRPC/_status", empty_pb2.Empty(),
                                jina_pb2.JinaInfoProto)
        status, body = self.flow.http_json("/status")
        self.assertEqual(status, 200)
        self.assertEqual(body, {"jina": dict(answer.jina), "envs": dict(answer.envs)})
        self.assertIn("flow-host", body["jina"])

    def test_endpoints_of_all_executors_are_discovered(self):
        answer = self.flow.call("/jina.JinaDiscoverEndpointsRPC/endpoint_discovery",
                                empty_pb2.Empty(), jina_pb2.EndpointsProto)
        self.assertEqual(list(answer.endpoints), ["/default", "/upper", "_jina_dry_run_"])
        self.assertEqual(answer.schemas["/upper"]["input"]["name"], "upper_input")
        self.assertFalse(answer.schemas["/upper"]["is_generator"])

    def test_unknown_paths_and_methods_are_refused_in_the_references_words(self):
        self.assertEqual(self.flow.http("/nope"), (404, '{"detail":"Not Found"}'))
        self.assertEqual(self.flow.http("/dry_run", "POST"),
                         (405, '{"detail":"Method Not Allowed"}'))

    def test_unknown_grpc_methods_are_unimplemented(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.flow.call("/jina.JinaNothing/at_all", empty_pb2.Empty(), jina_pb2.StatusProto)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        self.assertEqual(caught.exception.details(), "Method not found!")


class Panel(SharedFlow):
    def test_the_panel_is_straight_and_tells_where_to_call(self):
        lines = self.flow.panel.strip("\n").split("\n")
        self.assertIn("Flow is ready to serve!", lines[0])
        self.assertTrue(any("Protocol" in line and "GRPC" in line for line in lines))
        self.assertTrue(any(f"127.0.0.1:{self.flow.port}" in line for line in lines))


class Watch(SharedFlow):
    def test_a_watcher_is_told_at_once_and_of_each_change(self):
        with self.flow.channel() as channel:
            watch = channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )(health_pb2.HealthCheckRequest(), timeout=60)
            told = iter(watch)
            self.assertEqual(next(told).status, SERVING)

            os.kill(self.flow.pid_of("executor0"), signal.SIGKILL)

            self.assertEqual(next(told).status, health_pb2.HealthCheckResponse.NOT_SERVING)
            self.assertEqual(next(told).status, SERVING, "it was restarted")
            watch.cancel()

    def test_a_watcher_of_an_unknown_service_is_told_so(self):
        with self.flow.channel() as channel:
            watch = channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )(health_pb2.HealthCheckRequest(service="nope"), timeout=60)
            self.assertEqual(next(iter(watch)).status,
                             health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
            watch.cancel()


if __name__ == "__main__":
    unittest.main()
