# SPDX-License-Identifier: Apache-2.0
"""How the gateway compares with the reference, Jina 3: each fact with the test that shows ours.

docs/conformance.md is made of it: `python3 tests/e2e/conformance.py > docs/conformance.md`.
test_conformance.py checks that every test exists and that the page is up to date.
"""

import dataclasses

SAME = "same"
DIFFERENT = "different"
NOT_APPLICABLE = "not applicable"


@dataclasses.dataclass(frozen=True)
class Row:
    what: str
    reference: str
    verdict: str
    ours: str = ""  # what is different, and why; or why it does not apply
    tests: tuple[str, ...] = ()  # module.Class.method


def same(what, reference, *tests):
    return Row(what, reference, SAME, tests=tests)


def different(what, reference, ours, *tests):
    return Row(what, reference, DIFFERENT, ours, tests)


def not_applicable(what, reference, why, *tests):
    return Row(what, reference, NOT_APPLICABLE, why, tests)


SECTIONS = {}

SECTIONS["1. Readiness, everything up"] = [
    same("gRPC `dry_run`", "status 0 and a `StatusProto` of no bytes; JSON `{}`",
         "test_ready.ReadyFlow.test_dry_run_over_grpc_is_the_empty_message",
         "test_interop.BufCurl.test_dry_run_by_reflection_gives_the_empty_object"),
    same("HTTP `GET /dry_run`", '`200`, `{"code":0,"description":"","exception":null}`',
         "test_ready.ReadyFlow.test_dry_run_over_http_is_exactly_the_references_answer",
         "test_interop.Curl.test_dry_run_over_http1_and_http2"),
    same("the same on a WebSocket gateway", "the same answer",
         "test_conformance.OnePort.test_http_and_websocket_are_served_side_by_side"),
    same("WebSocket `/dry_run`",
         "one message on connect, `{}` or an empty binary one with `bytes`, then close 1000",
         "test_websocket.DryRun.test_it_is_told_at_once_and_closed"),
    same("HEAD, POST, OPTIONS `/dry_run`", '405 `{"detail":"Method Not Allowed"}`, `allow: GET`',
         "test_conformance.OnePort.test_other_methods_of_dry_run_are_not_allowed"),
    same("`GET /`", "200 `{}`, whatever the executors do",
         "test_ready.ReadyFlow.test_root_answers_that_the_gateway_lives",
         "test_death.KilledExecutor.test_it_stays_down_when_nothing_is_restarted_and_the_gateway_lives"),
    different("`GET /status`", "versions, and the environment's `JINA_*` with the whole topology",
              "versions of what is here, and the two variables that mean something: an environment "
              "may hold secrets",
              "test_ready.ReadyFlow.test_status_tells_versions_on_both_protocols"),
    same("an unknown path", '404 `{"detail":"Not Found"}`',
         "test_ready.ReadyFlow.test_unknown_paths_and_methods_are_refused_in_the_references_words"),
    different("`/docs`, `/redoc`, `/openapi.json`", "pages whose parts come from a CDN",
              "parts come from the gateway, so the page works without a network; `/redoc` leads to "
              "`/docs`",
              "test_http.Documentation.test_the_page_needs_nothing_from_elsewhere",
              "test_browser.DocsPage.test_asks_nobody_but_the_gateway",
              "test_browser.DocsPage.test_shows_the_answer_of_an_executor_to_a_request_that_is_sent_from_it",
              "test_http.Documentation.test_the_description_is_valid",
              "test_http.Documentation.test_redoc"),
    different("`grpc.health.v1.Health/Check`", "SERVING whatever the executors do",
              '`""` and the services stand for the whole Flow; each executor has its name, the '
              "gateway's loop `liveness`",
              "test_ready.ReadyFlow.test_health_knows_the_flow_its_executors_and_liveness"),
    same("health of an unknown service", "NOT_FOUND",
         "test_ready.ReadyFlow.test_health_of_an_unknown_service_is_not_found"),
    different("reflection v1alpha", "lists one constant set on gateway and executors",
              "lists what is served, with descriptors; v1 as well",
              "test_interop.BufCurl.test_lists_services_by_both_versions_of_reflection",
              "test_interop.BufCurl.test_describes_every_method_that_it_lists",
              "test_interop.BufCurl.test_an_executor_is_a_grpc_server_of_its_own"),
    same("`process_single_data` on the gateway", "served (3.20)",
         "test_data.NormalizeAndEncode.test_the_header_is_the_references"),
    different("`endpoint_discovery` on the gateway", "UNKNOWN: fails with an AttributeError",
              "the endpoints of all executors, with their schemas",
              "test_ready.ReadyFlow.test_endpoints_of_all_executors_are_discovered"),
    same("a dry run as HTTP/2 frames",
         "HEADERS with `grpc-accept-encoding: identity, deflate, gzip`, 5 bytes of DATA, "
         "`grpc-status: 0` as trailer, no `grpc-message`",
         "test_conformance.OnePort.test_a_dry_run_as_frames"),
    different("what a dry run does", "sends a request through every executor",
              "reads a snapshot that is kept up to date; asked to be `deep`, it sends a request",
              "test_data.Slow.test_more_than_max_in_flight_is_refused_and_the_flow_stays_ready",
              "test_deep_dry_run.Works.test_is_the_empty_message_and_the_references_json"),
    different("an executor's own dry run fails", "the answer is still success",
              "a deep dry run fails, and names the executor",
              "test_deep_dry_run.Fails.test_an_executor_that_finds_itself_wanting_is_named_with_its_reason"),
    different("an executor is busy", "the dry run waits for it", "the answer does not wait",
              "test_data.Slow.test_more_than_max_in_flight_is_refused_and_the_flow_stays_ready"),
    not_applicable("floating executors, shards, external executors", "have rules of their own",
                   "not in this version; a file that has them is refused",
                   "test_bad_config.Refused.test_key_of_a_later_version"),
    same("one of two replicas is dead", "success, after up to 10 s",
         "test_death.KilledExecutor.test_one_replica_of_two_leaves_the_flow_ready"),
]

SECTIONS["2. An executor is dead, stopped or too slow"] = [
    same("`exception` of `dry_run`",
         "name `InternalNetworkError`, args the description, executor empty",
         "test_death.KilledExecutor.test_the_next_probe_says_so_in_the_references_words_with_the_reason"),
    different("`exception.stacks`", "a Python traceback of 2 to 4 kB",
              "a line per replica: state, since when, why, what happens next; behind it those of its "
              "[crash](crashes.md)",
              "test_death.KilledExecutor.test_the_next_probe_says_so_in_the_references_words_with_the_reason"),
    same("`description` when unreachable",
         "`... |Gateway: Communication error with deployment {name} at address(es) {'host:port'}. "
         "Head or worker(s) may be down.`",
         "test_death.KilledExecutor.test_the_next_probe_says_so_in_the_references_words_with_the_reason"),
    same("`description` after a time-out",
         "`Deadline Exceeded|Gateway: Connection with deployment ... could be established, but timed "
         "out. ...`",
         "test_data.Slow.test_timeout_send_ends_a_call_in_the_references_words"),
    not_applicable("wordings for heads of shards, and without a deployment's name", "",
                   "there are no heads; the name is always known"),
    same("gRPC `dry_run`", "status 0 and the `StatusProto`",
         "test_interop.DeadExecutorByBuf.test_the_error_of_the_walk_through"),
    different("HTTP `GET /dry_run`", "200 with the error as JSON",
              "503 with the same JSON, so that probes by status work; `http_dry_run_status = 200` "
              "is the old answer",
              "test_death.KilledExecutor.test_the_next_probe_says_so_in_the_references_words_with_the_reason",
              "test_conformance.OldStatus.test_the_references_status_can_be_had"),
    same("WebSocket `/dry_run`", "close 1011 with a reason of at most 123 bytes",
         "test_websocket.KilledExecutor."
         "test_a_dry_run_closes_with_the_reason_and_a_request_is_answered_with_it"),
    different("`process_single_data`", "an empty message, then status 14 with the description",
              "status 14 with the description, and no message before it",
              "test_death.KilledExecutor.test_data_requests_meanwhile_are_unavailable_with_the_same_words"),
    different("`Call`", "a message with the request's id, then status 14 ends the stream",
              "a message with the request's id and the error in its header; the stream goes on. "
              "Existing clients make an exception of it",
              "test_call.Death.test_an_executor_that_dies_fails_its_requests_and_not_the_stream"),
    same("HTTP `POST /post`", "503, 504 or 500 with the request's documents and the error",
         "test_http.Dead.test_an_executor_that_is_dead", "test_http.SlowAndFew.test_too_late"),
    different("WebSocket `/`", "close 1011, and every request on the socket is lost",
              "an answer with the error in its header; the socket stays",
              "test_websocket.KilledExecutor.test_the_requests_in_flight_are_answered_with_it"),
    different("health of the gateway", "SERVING", "NOT_SERVING",
              "test_ready.Watch.test_a_watcher_is_told_at_once_and_of_each_change"),
    same("an executor raises",
         "gRPC status 0, HTTP 200; the error in the header and in that executor's route; the rest "
         "of the path is skipped",
         "test_data.Failing.test_an_exception_of_a_plugin_is_told_in_the_header_and_in_its_route",
         "test_http.Failing.test_an_executor_that_fails_is_an_answer"),
    different("how soon a death is known", "10 ms to never, by version",
              "milliseconds; bench/detection measures it",
              "test_death.KilledExecutor.test_the_next_probe_says_so_in_the_references_words_with_the_reason"),
    different("an executor is stopped", "56 s, or no answer", "heartbeat: 250 ms to 500 ms",
              "test_death.StoppedExecutor.test_a_stopped_process_is_hung_and_ready_again_when_it_continues"),
    same("it comes back on its port", "ready again",
         "test_death.KilledExecutor.test_it_heals_by_itself_on_the_same_port_and_serves_again"),
    different("retries", "up to 4 tries, whatever the request did",
              "of what did not run, or may run twice; never in a third process",
              "test_retry.KilledUnderLoad.test_no_request_to_an_idempotent_endpoint_fails",
              "test_retry.KilledUnderLoad.test_others_say_of_what_their_process_died_and_are_answered_once",
              "test_retry.Poison.test_kills_no_third_process"),
    different("message sizes", "unlimited", "`max_message`, 256 MiB by default",
              "test_bad_wire.BadWire.test_a_length_prefix_of_1_gib_is_refused_at_once"),
    same("keepalive pings without calls", "every 9.999 s, tolerated",
         "test_bad_wire.BadWire.test_keepalive_pings_of_the_references_clients_are_tolerated"),
    same("executors behind another gateway", "it asks for reflection v1alpha first",
         "test_interop.BufCurl.test_an_executor_is_a_grpc_server_of_its_own"),
]

SECTIONS["3. Client and command line"] = [
    same("`is_flow_ready(timeout)`", "true or false, never an exception; the reason is logged",
         "test_flow_library.Readiness.test_a_flow_is_ready_in_its_scope_and_not_after_it",
         "test_flow_library.Readiness.test_a_client_sees_a_flow_of_another_program",
         "test_flow_library.Clients.test_a_client_says_why_a_flow_is_not_ready"),
    different("`timeout` over WebSocket", "is not applied: 3 s took 36 s", "holds on every protocol",
              "test_flowctl.PingOfWhatIsDown.test_respects_the_timeout_when_a_server_says_nothing"),
    same("lines of `ping`", "those of the documentation: rounds, retries, loss, latency",
         "test_flowctl.PingOfAFlowThatIsUp.test_has_the_documented_lines",
         "test_flowctl.PingOfWhatIsDown.test_says_that_nobody_answers_and_why"),
    same("`ping flow`, `executor`, `gateway`",
         "exit 0 if enough attempts succeed, else 1, wrong use 2",
         "test_flowctl.PingOfAFlowThatIsUp.test_succeeds_for_every_target_and_scheme",
         "test_flowctl.PingOfWhatIsDown.test_fails_for_every_target",
         "test_flowctl.CommandLine.test_wrong_use_is_status_2_and_says_what_is_wrong"),
    same("`--attempts`, `--timeout`, `--min-successful-attempts`, `--retries`",
         "flags of 3.20 and of 3.9",
         "test_flowctl.PingOfAFlowThatIsUp.test_takes_the_flags_of_both_of_the_references_releases"),
    same("an executor is dead", "`ping flow` and `ping executor` 1, `ping gateway` 0",
         "test_flowctl.PingOfAFlowWithADeadExecutor.test_says_which_and_why_and_the_gateway_is_up"),
    different("the reason of a failed ping", "a traceback, or `Deadline Exceeded` after 3 s",
              "which replica, in which state, since when and why",
              "test_flowctl.PingOfAFlowWithADeadExecutor.test_says_which_and_why_and_the_gateway_is_up"),
    different("`--timeout` of `ping executor` and `gateway`", "always 1 s", "what is said",
              "test_flowctl.PingOfWhatIsDown.test_respects_the_timeout_when_a_server_says_nothing"),
    different("TLS for `ping executor` and `gateway`", "is dropped, so they fail", "works",
              "test_flowctl.WithTls.test_an_authority_that_is_trusted_or_none_at_all"),
    different("unknown options", "a warning", "wrong use: exit 2",
              "test_flowctl.CommandLine.test_wrong_use_is_status_2_and_says_what_is_wrong"),
    same("posting", "`Call` over gRPC, `/post` over HTTP, messages over WebSocket",
         "test_flow_library.Clients.test_a_client_posts_documents",
         "test_flow_library.Clients.test_a_client_streams_documents",
         "test_flowctl.WithTls.test_documents_are_posted"),
    not_applicable("`hub`, `cloud`, `auth`, `export` and the like", "", "there is nothing behind them"),
]

SECTIONS["4. Data requests"] = [
    same("HTTP body and answer", "camelCase around documents in snake_case, every member present",
         "test_http.TwoEchoes.test_answers_are_the_references_byte_for_byte"),
    same("numbers in parameters", "come back as floats",
         "test_http.TwoEchoes.test_parameters_come_back_as_floats"),
    different("the tag value 1", "comes back as `true`", "comes back as `1.0`",
              "test_http.TwoEchoes.test_answers_are_the_references_byte_for_byte"),
    same("bad JSON", "422 with FastAPI's `detail`", "test_http.TwoEchoes.test_json_that_is_wrong"),
    same("`/index`, `/search`, `/delete`, `/update`", "POST, POST, DELETE, PUT",
         "test_http.TwoEchoes.test_answers_are_the_references_byte_for_byte",
         "test_http.TwoEchoes.test_wrong_paths_and_methods"),
    different("endpoints of executors", "404 unless they are exposed one by one",
              "each has a path by itself",
              "test_http.Documentation.test_the_description_has_what_is_served"),
    same("WebSocket, JSON", "a message per request, `{}` ends",
         "test_websocket.Json.test_a_request_is_answered_in_the_references_form",
         "test_websocket.Json.test_an_empty_object_ends_the_stream_once_all_is_answered"),
    same("WebSocket, `bytes`", "serialised `DataRequestProto`, one byte of zero ends",
         "test_websocket.Binary.test_a_request_is_answered_with_its_id_documents_and_routes",
         "test_websocket.Binary.test_a_zero_byte_ends_the_stream_once_all_is_answered"),
    different("bad JSON over WebSocket", "the connection is gone (1006)",
              "an answer that says what is wrong",
              "test_websocket.Json.test_bad_messages_are_answered_and_good_ones_after_them_too"),
    same("routes", "the gateway's first, then each executor's, with times",
         "test_data.NormalizeAndEncode.test_routes_name_the_gateway_and_each_executor_with_times"),
    same("`target_executor`", 'comes back as `""`',
         "test_data.NormalizeAndEncode.test_the_header_is_the_references"),
    same("`target_executor` as a pattern",
         "matched at the start of the name; who is skipped leaves a route without an end",
         "test_data.NormalizeAndEncode.test_a_target_leaves_the_others_out_with_a_route_that_does_not_end"),
    same("parameters for one executor", "`name__key` and `{name: {...}}` go to it alone",
         "test_conformance.Scoped.test_parameters_of_one_executor_reach_it_alone"),
    not_applicable("a dictionary that an executor returns", "`parameters.__results__`",
                   "plugins return documents"),
]

SECTIONS["5. Execution"] = [
    not_applicable("branches, joins and reduction, floating, `when`, shards", "",
                   "a chain in this version; a file that asks for more is refused",
                   "test_bad_config.Refused.test_key_of_a_later_version"),
    same("an executor without the endpoint and without `/default`", "is passed over",
         "test_data.Endpoints.test_an_executor_without_the_endpoint_is_passed_over"),
    different("replicas", "round robin", "the ready one with the fewest calls",
              "test_data.Replicas.test_every_replica_gets_its_share"),
    not_applicable("dynamic batching, `exit_on_exceptions`, `reload`", "", "not in this version"),
    same("`prefetch`", "1000 for each stream, or `__prefetch__`",
         "test_call.Slow.test_prefetch_bounds_what_is_underway"),
    same("`stream_doc`", "one document in, the executor's parts out, each with the request's id",
         "test_call.Documents.test_each_part_is_a_message_with_the_requests_id",
         "test_call.Documents.test_a_caller_who_has_enough_ends_what_would_go_on_for_ever"),
    same("`__results_in_order__`", "answers in the order of the requests",
         "test_call.Slow.test_answers_come_in_order_if_the_caller_wants_that",
         "test_call.Slow.test_answers_come_as_they_are_ready"),
    same("compression of messages", "gzip and deflate",
         "test_call.Compression.test_both_ways_with_both_encodings_for_a_call_and_for_a_stream"),
    same("CORS", "`*`, preflight 200 `OK`, 600 s",
         "test_http.FromPages.test_a_browsers_question",
         "test_http.FromPages.test_a_pages_request"),
    same("TLS at the gateway", "for gRPC by ALPN h2, and for HTTP",
         "test_tls.Encrypted.test_dry_run_over_grpc",
         "test_tls.Encrypted.test_curl_over_both_http_versions"),
    different("variables in the configuration", "`${{ ENV.VAR }}`", "`${VAR}` and `${VAR:-default}`"),
    not_applicable("Prometheus, OpenTelemetry, telemetry", "",
                   "not in this version; nothing calls home"),
]


def page():
    lines = ["# Conformance", "",
             "How the gateway compares with Jina 3.20 and 3.8, fact by fact. Made by "
             "`tests/e2e/conformance.py`; a test checks it.", ""]
    for section, rows in SECTIONS.items():
        lines += [f"## {section}", "", "| what | Jina 3 | ours | shown by |", "|---|---|---|---|"]
        for row in rows:
            ours = row.verdict if not row.ours else f"{row.verdict}: {row.ours}"
            tests = "<br>".join(f"`{test}`" for test in row.tests)
            lines.append(f"| {row.what} | {row.reference} | {ours} | {tests} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
