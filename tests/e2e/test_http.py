# SPDX-License-Identifier: Apache-2.0
"""Data over HTTP: what Jina's clients send and expect, over HTTP/1.1 and HTTP/2, and everything that a
client can do wrong."""

import gzip
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

from flow_process import PATIENCE, Flow, SharedFlow, data_request, wait_for

VALIDATOR = (pathlib.Path(__file__).parent / "node_modules" / "@seriousme"
             / "openapi-schema-validator" / "bin" / "validate-api-cli.js")
HTTP1, HTTP2 = "--http1.1", "--http2-prior-knowledge"
JSON = {"content-type": "application/json"}

# A document with nothing in it.
NULLS = {name: None for name in (
    "id", "parent_id", "granularity", "adjacency", "blob", "tensor", "mime_type", "text", "weight",
    "uri", "tags", "offset", "location", "embedding", "modality", "evaluations", "scores", "chunks",
    "matches")}


def document(**members):
    return {**NULLS, **members}


def masked(body):
    """Ids of 32 digits and times are different each time."""
    body = re.sub(r'"[0-9a-f]{32}"', '"ID"', body)
    return re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"', '"TIME"', body)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


def curl(port, path, *arguments, version=HTTP1, method=None, body=None, headers=JSON):
    """One request by curl; fails if curl does."""
    with tempfile.TemporaryDirectory(prefix="flow-curl-") as folder:
        folder = pathlib.Path(folder)
        command = ["curl", "--silent", "--show-error", version, "--dump-header", folder / "head",
                   "--output", folder / "body", "--max-time", str(PATIENCE)]
        if method:
            command += ["--request", method]
        for name, value in headers.items():
            command += ["--header", f"{name}: {value}"]
        if body is not None:
            (folder / "data").write_bytes(body if isinstance(body, bytes) else body.encode())
            command += ["--data-binary", f"@{folder / 'data'}"]
        done = subprocess.run([*command, *arguments, f"http://127.0.0.1:{port}{path}"],
                              capture_output=True, timeout=2 * PATIENCE)
        if done.returncode != 0:
            raise AssertionError(f"curl: {done.stderr.decode()}")
        # What comes before the last head is "100 Continue".
        head = (folder / "head").read_text().strip().split("\n\n")[-1].splitlines()
        content = folder / "body"
        fields = dict(line.split(": ", 1) for line in head[1:])
        return Answer(int(head[0].split()[1]), {name.lower(): value for name, value in fields.items()},
                      content.read_bytes() if content.exists() else b"")


class HttpFlow(SharedFlow):
    def need_docs_page(self):
        """For tests that use the largest file there is, which not every build could download."""
        if self.ask("/docs/swagger-ui-bundle.js").status == 404:
            self.skipTest("built without Swagger UI")

    def ask(self, path, body=None, **options):
        return curl(self.flow.port, path, body=body, **options)

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.flow.port), timeout=PATIENCE)
        self.addCleanup(client.close)
        return client

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.flow.pid_of('gateway')}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024


def read_to_end(client):
    answer = b""
    try:
        while part := client.recv(1 << 20):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def read_answers(file, count):
    """Status and body of that many answers of known length."""
    answers = []
    for _ in range(count):
        status = int(file.readline().split()[1])
        length = 0
        while line := file.readline().strip():
            name, value = line.decode().lower().split(": ")
            if name == "content-length":
                length = int(value)
        answers.append((status, file.read(length)))
    return answers


def request_bytes(path, body, method="POST"):
    body = body.encode() if isinstance(body, str) else body
    return (f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n").encode() + body


def validate(test, description):
    """Is it OpenAPI? Somebody else's validator says so."""
    with tempfile.NamedTemporaryFile("wb", suffix=".json") as file:
        file.write(description)
        file.flush()
        done = subprocess.run(["node", VALIDATOR, file.name], capture_output=True, text=True,
                              timeout=PATIENCE)
    test.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class TwoEchoes(HttpFlow):
    """Two executors that change nothing; a request's way through them is what is looked at."""

    executors = """
[[executors]]
name = "exec0"
uses = "echo"
[[executors]]
name = "exec1"
uses = "echo"
"""

    def expected(self, endpoint, documents, parameters=None):
        route = '{"executor":"%s","startTime":"TIME","endTime":"TIME","status":null}'
        routes = ",".join(route % name for name in ("gateway", "exec0", "exec1"))
        return ('{"header":{"requestId":"ID","status":null,"execEndpoint":"%s","targetExecutor":""},'
                '"parameters":%s,"routes":[%s],"data":%s}'
                % (endpoint, parameters or "{}", routes,
                   json.dumps(documents, separators=(",", ":"))))

    def test_answers_are_the_references_byte_for_byte(self):
        cases = [
            ("/post", "POST", '{"data":[{"text":"hello"}],"execEndpoint":"/foo"}', "/foo",
             [document(id="ID", text="hello")]),
            ("/post", "POST", '{"data":[{"id":"d1","text":"hello","embedding":[1,2,3]}],'
                              '"exec_endpoint":"/foo"}', "/foo",
             [document(id="d1", text="hello", embedding=[1, 2, 3])]),
            ("/post", "POST", '{"data":{"docs":[{"id":"d1","text":"hello"}]},"execEndpoint":"/foo"}',
             "/foo", [document(id="d1", text="hello")]),
            ("/post", "POST", '{"execEndpoint":"/foo"}', "/foo", []),
            ("/post", "POST", '{"data":null}', "/", []),
            ("/post", "POST", '{"data":[],"execEndpoint":"/foo"}', "/foo", []),
            ("/post", "POST", '{"data":[{"id":"d1"}],"header":{"requestId":"abc"},"requestId":"xyz"}',
             "/", [document(id="d1")]),
            ("/post", "POST", '{"data":[{"id":"d1","blob":"aGVsbG8="}]}', "/",
             [document(id="d1", blob="aGVsbG8=")]),
            ("/post", "POST", '{"data":[{"id":"d1","nonsense":5}],"zzz":1}', "/",
             [document(id="d1")]),
            ("/post", "POST", '{"data":[{"id":"d1","uri":"u","mimeType":"text/plain","weight":0.5,'
                              '"chunks":[{"id":"c1","text":"c"}]}]}', "/",
             [document(id="d1", uri="u", weight=0.5,
                       chunks=[document(id="c1", parent_id="d1", granularity=1, text="c")])]),
            ("/index", "POST", '{"data":[{"id":"d1"}]}', "/index", [document(id="d1")]),
            ("/search", "POST", '{"data":[{"id":"d1"}]}', "/search", [document(id="d1")]),
            ("/update", "PUT", '{"data":[{"id":"d1"}]}', "/update", [document(id="d1")]),
            ("/delete", "DELETE", '{"data":[{"id":"d1"}]}', "/delete", [document(id="d1")]),
        ]
        for version in (HTTP1, HTTP2):
            for path, method, body, endpoint, documents in cases:
                with self.subTest(version=version, path=path, body=body):
                    answer = self.ask(path, body, method=method, version=version)
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(answer.headers["content-type"], "application/json")
                    self.assertEqual(masked(answer.text), self.expected(endpoint, documents))

    def test_parameters_come_back_as_floats(self):
        answer = self.ask("/post", '{"parameters":{"k":1}}')
        self.assertEqual(masked(answer.text), self.expected("/", [], '{"k":1.0}'))

    def test_an_executor_that_is_no_target_is_passed_over(self):
        answer = self.ask("/post", '{"target_executor":"exec0"}').json()
        self.assertEqual([route["endTime"] is None for route in answer["routes"]],
                         [False, False, True])

    def test_curl_without_a_content_type(self):
        for headers in ({}, {"content-type": ""}, {"content-type": "text/plain"}):
            self.assertEqual(self.ask("/post", "{}", headers=headers).status, 200)
        answer = self.ask("/post", "{}", headers={"content-type": "text/html"})
        self.assertEqual(answer.status, 415)

    def test_wrong_paths_and_methods(self):
        for version in (HTTP1, HTTP2):
            answer = self.ask("/nope", "{}", version=version)
            self.assertEqual((answer.status, answer.text), (404, '{"detail":"Not Found"}'))
            answer = self.ask("/post", version=version)
            self.assertEqual((answer.status, answer.text, answer.headers["allow"]),
                             (405, '{"detail":"Method Not Allowed"}', "POST"))
            self.assertEqual(self.ask("/update", "{}", version=version).headers["allow"], "PUT")

    def test_json_that_is_wrong(self):
        answer = self.ask("/post", '{"data":[')
        self.assertEqual(answer.status, 422)
        self.assertEqual(answer.text,
                         '{"detail":[{"loc":["body",9],"msg":"Expecting value: line 1 column 10 (char'
                         ' 9)","type":"value_error.jsondecode","ctx":{"msg":"Expecting value",'
                         '"doc":"{\\"data\\":[","pos":9,"lineno":1,"colno":10}}]}')
        cases = ["", "x", "[]", "1", "nul", '{"data":1}', '{"data":[1]}', '{"data":[{"text":1}]}',
                 '{"data":[{"id":{}}]}', '{"data":[{"tensor":[[1],[1,2]]}]}', '{"data":[{"blob":"*"}]}',
                 '{"parameters":1}', '{"execEndpoint":1}', '{"data":[]} x', '{"data":[],}',
                 b'{"data":[{"text":"\xff\xfe"}]}', b"\0", '"\\ud800"', '{"a":1e}',
                 "[" * 1_000_000, '{"data":' * 100_000,
                 '{"data":[{"chunks":' * 1000 + "[]" + "}]}" * 1000,
                 '{"parameters":' + '{"a":' * 5000 + "1" + "}" * 5000 + "}"]
        for version in (HTTP1, HTTP2):
            for body in cases:
                with self.subTest(version=version, body=body[:60]):
                    answer = self.ask("/post", body, version=version)
                    self.assertEqual(answer.status, 422)
                    problem = answer.json()["detail"][0]
                    self.assertEqual(problem["loc"][0], "body")
                    self.assertTrue(problem["msg"] and problem["type"])
        self.assertEqual(self.ask("/post", "{}").status, 200)

    def test_a_target_that_is_no_pattern(self):
        answer = self.ask("/post", '{"data":[{"id":"d"}],"targetExecutor":"("}')
        self.assertEqual(answer.status, 400)
        self.assertIn("regular expression", answer.json()["header"]["status"]["description"])
        self.assertEqual(answer.json()["data"], [document(id="d")])

    def test_a_thousand_requests_that_are_sent_ahead(self):
        client = self.connect()
        everything = b"".join(
            request_bytes("/post", '{"data":[{"id":"%d"}]}' % i) for i in range(1000))
        sender = threading.Thread(target=client.sendall, args=(everything,))
        sender.start()
        with client.makefile("rb") as file:
            answers = read_answers(file, 1000)
        sender.join()
        self.assertEqual([status for status, _ in answers], [200] * 1000)
        self.assertEqual([json.loads(body)["data"][0]["id"] for _, body in answers],
                         [str(i) for i in range(1000)])

    def test_twenty_megabytes(self):
        text = "0123456789" * (2 << 20)
        body = json.dumps({"data": [{"id": "d", "text": text}]})
        for version in (HTTP1, HTTP2):
            answer = self.ask("/post", body, version=version)
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.json()["data"][0]["text"] == text)

    def test_a_chunked_request(self):
        for version in (HTTP1, HTTP2):
            answer = self.ask("/post", '{"data":[{"id":"d"}]}', version=version,
                              headers={**JSON, "transfer-encoding": "chunked"}
                              if version == HTTP1 else JSON)
            self.assertEqual(answer.json()["data"][0]["id"], "d")

    def test_http_1_0_and_absolute_targets(self):
        answer = self.ask("/post", "{}", version="--http1.0")
        self.assertEqual(answer.status, 200)
        client = self.connect()
        client.sendall(b"POST http://x/post HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}")
        self.assertTrue(read_to_end(client).startswith(b"HTTP/1.1 200 "))

    def test_a_client_that_has_said_all_hears_what_is_answered_at_once(self):
        self.need_docs_page()
        client = self.connect()
        client.sendall(b"GET /livez HTTP/1.1\r\n\r\n" * 2 + b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as file:
            answers = read_answers(file, 3)
        self.assertEqual([status for status, _ in answers], [200, 200, 200])
        self.assertGreater(len(answers[2][1]), 1_000_000)

    def test_clients_that_vanish(self):
        whole = request_bytes("/post", json.dumps({"data": [{"text": "x" * 100_000}]}))
        for cut in (10, 60, 200, 50_000, len(whole) - 1, len(whole)):
            client = self.connect()
            client.sendall(whole[:cut])
            client.close()
        self.assertEqual(self.ask("/post", "{}").status, 200)

    def test_who_reads_no_answers_costs_no_memory(self):
        self.need_docs_page()
        before = self.memory_mib()
        clients = [self.connect() for _ in range(4)]
        for client in clients:
            client.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\n\r\n" * 500)
        self.assertEqual(self.ask("/post", "{}").status, 200)
        self.assertLess(self.memory_mib() - before, 200 if os.environ.get("FLOW_SANITIZE") else 40)

    def test_pages_of_other_origins_are_not_allowed_anything(self):
        answer = self.ask("/livez", headers={"origin": "http://page"})
        self.assertNotIn("access-control-allow-origin", answer.headers)
        answer = self.ask("/post", "{}", headers={"origin": "http://page", "content-type": "text/plain"})
        self.assertEqual(answer.status, 415)


class Documentation(HttpFlow):
    executors = """
[[executors]]
name = "normalize"
uses = "text-normalize"
[[executors]]
name = "encode"
uses = "text-encoder"
"""

    def test_the_description_is_valid(self):
        validate(self, self.ask("/openapi.json").body)

    def test_the_description_has_what_is_served(self):
        paths = self.ask("/openapi.json").json()["paths"]
        for path, method in (("/post", "post"), ("/index", "post"), ("/search", "post"),
                             ("/delete", "delete"), ("/update", "put"), ("/dry_run", "get")):
            self.assertIn(method, paths[path])
        for path, methods in paths.items():
            if "post" in methods:
                self.assertEqual(self.ask(path, "{}").status, 200, path)

    def test_the_description_is_sent_once(self):
        tag = self.ask("/openapi.json").headers["etag"]
        for version in (HTTP1, HTTP2):
            answer = self.ask("/openapi.json", version=version, headers={"if-none-match": tag})
            self.assertEqual((answer.status, answer.body), (304, b""))

    def test_the_page_needs_nothing_from_elsewhere(self):
        self.need_docs_page()
        page = self.ask("/docs")
        self.assertEqual(page.headers["content-type"], "text/html; charset=utf-8")
        parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        self.assertGreaterEqual(len(parts), 3)
        for part in parts:
            plain = self.ask(f"/{part}")
            self.assertEqual(plain.status, 200, part)
            for version in (HTTP1, HTTP2):
                packed = self.ask(f"/{part}", version=version, headers={"accept-encoding": "gzip"})
                self.assertEqual(packed.headers["content-encoding"], "gzip")
                self.assertTrue(gzip.decompress(packed.body) == plain.body, part)

    def test_redoc(self):
        answer = self.ask("/redoc")
        self.assertEqual((answer.status, answer.headers["location"]), (307, "docs"))


class FromPages(HttpFlow):
    gateway = "cors = true"

    def test_a_browsers_question(self):
        for version in (HTTP1, HTTP2):
            answer = self.ask("/post", method="OPTIONS", version=version, headers={
                "origin": "http://page", "access-control-request-method": "POST",
                "access-control-request-headers": "content-type"})
            self.assertEqual((answer.status, answer.text), (200, "OK"))
            self.assertEqual(answer.headers["access-control-allow-origin"], "http://page")
            self.assertEqual(answer.headers["access-control-allow-headers"], "content-type")
            self.assertEqual(answer.headers["access-control-max-age"], "600")

    def test_a_pages_request(self):
        for version in (HTTP1, HTTP2):
            answer = self.ask("/post", "{}", version=version, headers={**JSON, "origin": "http://page"})
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["access-control-allow-origin"], "*")
        self.assertNotIn("access-control-allow-origin", self.ask("/post", "{}").headers)


class SlowAndFew(HttpFlow):
    """One request at a time, and it takes long."""

    executors = '[[executors]]\nname = "slow"\nuses = "slow"\nuses_with = { delay_ms = 600000 }\n'
    gateway = 'max_in_flight = 1\ntimeout_send = "300s"\nmax_message = "1MiB"'

    def wait_for_in_flight(self, what, count):
        # Looked at from outside: a request that asks would take the one place there is.
        wait_for(what, lambda: self.flow.http_json("/executors")[1][
            "executors"][0]["replicas"][0]["in_flight"] == count)

    def hold(self):
        """A request that is being answered."""
        client = self.connect()
        client.sendall(request_bytes("/post", "{}"))
        self.wait_for_in_flight("the request to be in flight", 1)
        return client

    def wait_free(self):
        self.wait_for_in_flight("the request to be given up", 0)

    def test_overloaded(self):
        client = self.hold()
        for version in (HTTP1, HTTP2):
            answer = self.ask("/post", '{"data":[{"id":"d"}]}', version=version)
            self.assertEqual(answer.status, 429)
            self.assertEqual(answer.headers["retry-after"], "1")
            self.assertEqual(answer.json()["data"], [document(id="d")])
            self.assertIn("max_in_flight", answer.json()["header"]["status"]["description"])
        client.close()
        self.wait_free()

    def test_a_client_that_leaves_is_worked_for_no_more(self):
        self.hold().close()
        self.wait_free()

    def test_a_client_that_leaves_over_http2_is_worked_for_no_more(self):
        process = subprocess.Popen(
            ["curl", "--silent", HTTP2, "--data", "{}",
             f"http://127.0.0.1:{self.flow.port}/post"], stdout=subprocess.DEVNULL)
        self.wait_for_in_flight("the request to be in flight", 1)
        process.kill()
        process.wait()
        self.wait_free()

    def test_too_late(self):
        answer = self.ask("/post", '{"data":[{"id":"d"}]}', headers={**JSON, "grpc-timeout": "20m"})
        self.assertEqual(answer.status, 504)
        status = answer.json()["header"]["status"]
        self.assertEqual(status["code"], 1)
        self.assertIn("could be established, but timed out", status["description"])
        self.assertEqual(status["exception"]["name"], "InternalNetworkError")
        self.assertEqual((answer.json()["parameters"], answer.json()["routes"]), (None, None))

    def test_a_body_that_is_too_large(self):
        for version in (HTTP1, HTTP2):
            answer = self.ask("/post", b" " * (2 << 20), version=version)
            self.assertEqual((answer.status, answer.text),
                             (413, '{"detail":"Request Entity Too Large"}'))


class Failing(HttpFlow):
    executors = '[[executors]]\nname = "throws"\nuses = "throws"\n'

    def test_an_executor_that_fails_is_an_answer(self):
        for version in (HTTP1, HTTP2):
            answer = self.ask("/post", '{"data":[{"id":"d"}]}', version=version)
            self.assertEqual(answer.status, 200)
            status = answer.json()["header"]["status"]
            self.assertEqual(status["code"], 1)
            self.assertIn("thrown on purpose", status["description"])
            self.assertTrue(status["exception"]["stacks"])
            self.assertEqual(answer.json()["routes"][1]["status"], status)


def events(text):
    """Name and data of each server-sent event."""
    return [tuple(re.fullmatch(r"event: (\w+)\r\ndata: (.*)", event).groups())
            for event in text.split("\r\n\r\n")[:-1]]


class Streaming(HttpFlow):
    executors = '[[executors]]\nname = "counts"\nuses = "counts"\n'

    def count(self, parameters="{}", **options):
        return self.ask(f"/count?text=x&parameters={urllib.parse.quote(parameters)}", **options)

    def test_documents_as_events(self):
        for version in (HTTP1, HTTP2):
            answer = self.count('{"n":3}', version=version)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["content-type"], "text/event-stream; charset=utf-8")
            *updates, end = events(answer.text)
            self.assertEqual(end, ("end", ""))
            self.assertEqual([name for name, _ in updates], ["update"] * 3)
            self.assertEqual([json.loads(data)["text"] for _, data in updates], ["1", "2", "3"])
            self.assertEqual(set(json.loads(updates[0][1])), set(NULLS))

    def test_a_document_in_the_body(self):
        for method, headers in (("GET", JSON), ("POST", {**JSON, "accept": "text/event-stream"})):
            answer = self.ask("/count", '{"text":"x"}', method=method, headers=headers)
            self.assertEqual(events(answer.text)[-1], ("end", ""))

    def test_all_parts_in_one_answer(self):
        answer = self.ask("/count", '{"data":[{"text":"x"}],"parameters":{"n":2}}').json()
        self.assertEqual([doc["text"] for doc in answer["data"]], ["1", "2"])

    def test_a_failure_in_the_middle(self):
        *updates, error = events(self.count('{"n":5,"fail_at":3}').text)
        self.assertEqual([json.loads(data)["text"] for _, data in updates], ["1", "2"])
        self.assertEqual(error[0], "error")
        self.assertIn("lost count at 3", json.loads(error[1])["description"])

    def test_what_is_no_document(self):
        self.assertEqual(self.ask("/count", "[]", method="GET").status, 422)
        self.assertEqual(self.count("7").status, 422)

    def test_who_has_enough_ends_it_and_who_reads_slowly_holds_it_back(self):
        before = self.memory_mib()
        client = self.connect()
        client.sendall(b'GET /count?parameters={"forever":true} HTTP/1.1\r\n\r\n')
        self.assertIn(b"event: update", client.recv(1 << 16) + client.recv(1 << 16))
        for _ in range(20):  # what it does not read is not made
            self.assertEqual(self.ask("/livez").status, 200)
        self.assertLess(self.memory_mib() - before, 200 if os.environ.get("FLOW_SANITIZE") else 60)
        client.close()
        # The executor has as many workers as it needs for one request only.
        self.assertEqual(events(self.count('{"n":1}').text)[-1], ("end", ""))

    def test_it_is_described(self):
        path = self.ask("/openapi.json").json()["paths"]["/count"]
        self.assertEqual(path["post"]["summary"], "Counts")
        self.assertIn("text/event-stream", path["get"]["responses"]["200"]["content"])
        parameters = path["post"]["requestBody"]["content"]["application/json"]["schema"]
        self.assertEqual(parameters["properties"]["parameters"]["properties"]["n"]["default"], 3)
        validate(self, self.ask("/openapi.json").body)


class Dead(unittest.TestCase):
    def test_an_executor_that_is_dead(self):
        with Flow('[[executors]]\nname = "executor0"\nuses = "echo"\n',
                  more='[supervise]\nrestart = "never"\n') as flow:
            flow.wait_ready()
            os.kill(flow.pid_of("executor0"), signal.SIGKILL)
            wait_for("the death to be noticed", lambda: flow.http("/readyz")[0] == 503)
            for version in (HTTP1, HTTP2):
                answer = curl(flow.port, "/post", version=version,
                              body='{"data":[{"id":"d1","text":"hello"}],"parameters":{"a":1}}')
                self.assertEqual(answer.status, 503)
                body = answer.json()
                status = body["header"]["status"]
                self.assertIn("|Gateway: Communication error with deployment executor0 at address(es) {",
                              status["description"])
                self.assertEqual(status["exception"]["args"], [status["description"]])
                self.assertIn("SIGKILL", status["exception"]["stacks"][0])
                self.assertEqual(body["data"], [document(id="d1", text="hello")])
                self.assertEqual((body["parameters"], body["routes"]), (None, None))


class Protocols(unittest.TestCase):
    def test_without_http_there_are_probes(self):
        with Flow('[[executors]]\nuses = "echo"\n', 'protocols = ["grpc", "websocket"]') as flow:
            flow.wait_ready()
            self.assertEqual(curl(flow.port, "/dry_run").status, 200)
            for path in ("/post", "/docs", "/openapi.json"):
                self.assertEqual(curl(flow.port, path, body="{}").status, 404)
            self.assertEqual(flow.post(data_request("x")).data.docs.docs[0].text, "x")

    def test_without_grpc_there_is_http(self):
        with Flow('[[executors]]\nuses = "echo"\n', 'protocols = ["http"]') as flow:
            flow.wait_ready()
            self.assertEqual(curl(flow.port, "/post", body="{}").status, 200)
            with self.assertRaisesRegex(Exception, "UNIMPLEMENTED"):
                flow.post(data_request("x"))


class Stopping(unittest.TestCase):
    def test_a_request_that_is_underway_is_answered(self):
        with Flow('[[executors]]\nuses = "slow"\nuses_with = { delay_ms = 1000 }\n',
                  "max_in_flight = 1") as flow:
            flow.wait_ready()
            with socket.create_connection(("127.0.0.1", flow.port), timeout=PATIENCE) as client:
                client.sendall(request_bytes("/post", "{}"))
                wait_for("the request to be in flight", lambda: curl(
                    flow.port, "/post", body="{}", headers={"grpc-timeout": "1n"}).status == 429)
                flow.process.send_signal(signal.SIGTERM)
                answer = read_to_end(client)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:200])
            self.assertIn(b"connection: close\r\n", answer)
            self.assertEqual(flow.wait_end(), 0)


if __name__ == "__main__":
    unittest.main()
