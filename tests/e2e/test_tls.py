# SPDX-License-Identifier: Apache-2.0
"""TLS on the gateway's port, asked by other people's clients; and files that it cannot use."""

import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

import grpc
from google.protobuf import empty_pb2

import certificates
import jina_pb2
from flow_process import FLOW_HOST, PATIENCE, PLUGINS, Flow, data_request, wait_for

ECHO = '[[executors]]\nuses = "echo"\n'
DRY_RUN = "/jina.JinaGatewayDryRunRPC/dry_run"
POST = "/jina.JinaSingleDataRequestRPC/process_single_data"


def tls_of(identity, client_ca=None):
    ca = f', client_ca = "{client_ca}"' if client_ca else ""
    return f'tls = {{ certificate = "{identity.certificate}", key = "{identity.key}"{ca} }}\n'


class TlsFlow(unittest.TestCase):
    """One Flow for all tests of a class, with certificates of its own."""

    wants_clients_to_show_theirs = False

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="flow-e2e-tls-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.authority = certificates.Authority(cls.folder)
        cls.client = cls.authority.client()
        client_ca = cls.authority.certificate if cls.wants_clients_to_show_theirs else None
        cls.flow = Flow(ECHO, tls_of(cls.authority.server(), client_ca),
                        '[log]\nlevel = "debug"\n')
        cls.addClassCleanup(cls.flow.__exit__)
        cls.flow.wait_ready()

    def grpc(self, method, request, answer_type, identity=None, trusted=None):
        key, chain = identity.read() if identity else (None, None)
        credentials = grpc.ssl_channel_credentials(
            (trusted or self.authority.certificate).read_bytes(), key, chain)
        with grpc.secure_channel(f"localhost:{self.flow.port}", credentials,
                                 [("grpc.use_local_subchannel_pool", 1),
                                  ("grpc.max_receive_message_length", -1)]) as channel:
            return channel.unary_unary(
                method, request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer_type.FromString)(request, timeout=PATIENCE)

    def dry_run(self, **options):
        return self.grpc(DRY_RUN, empty_pb2.Empty(), jina_pb2.StatusProto, **options)

    def curl(self, path, *arguments):
        return subprocess.run(
            ["curl", "--silent", "--show-error", "--cacert", self.authority.certificate,
             *map(str, arguments), f"https://localhost:{self.flow.port}{path}"],
            capture_output=True, text=True, timeout=PATIENCE)

    def s_client(self, *arguments):
        """Exit status and all output of a TLS client that says nothing after its handshake."""
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.flow.port}",
             "-CAfile", self.authority.certificate, "-verify_return_error", *map(str, arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def wait_logged(self, text):
        wait_for(f'"{text}" in the log', lambda: text in self.flow.log())


class Encrypted(TlsFlow):
    def test_dry_run_over_grpc(self):
        self.assertEqual(self.dry_run().SerializeToString(), b"")

    def test_data_over_grpc_small_and_large(self):
        for text in ("hello", "x" * (8 << 20)):
            answer = self.grpc(POST, data_request(text), jina_pb2.DataRequestProto)
            self.assertEqual(answer.data.docs.docs[0].text, text)

    def test_a_client_that_does_not_trust_the_authority_is_not_served(self):
        stranger = certificates.Authority(self.folder, "stranger")
        with self.assertRaises(grpc.RpcError) as caught:
            self.dry_run(trusted=stranger.certificate)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_curl_over_both_http_versions(self):
        for option, version in (("--http1.1", "1.1"), ("--http2", "2")):
            done = self.curl("/readyz", option, "--write-out", " %{http_version}")
            self.assertEqual(done.stdout, '{"ready":true,"reason":""} ' + version, done.stderr)

    def test_several_requests_over_one_connection(self):
        url = f"https://localhost:{self.flow.port}/readyz"
        done = self.curl("/readyz", "--write-out", "%{num_connects}\n", url, url)
        self.assertEqual(done.stdout.split('{"ready":true,"reason":""}')[1:],
                         ["1\n", "0\n", "0\n"], done.stderr)

    def test_versions_1_2_and_1_3_and_no_older_ones(self):
        for option, spoken in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            status, output = self.s_client(option)
            self.assertEqual(status, 0, output)
            self.assertIn(spoken, output)
        for option in ("-tls1_1", "-tls1"):
            status, output = self.s_client(option, "-cipher", "ALL:@SECLEVEL=0")
            self.assertEqual(status, 1, output)
            self.assertIn("alert protocol version", output)
        self.wait_logged("TLS: unsupported protocol")

    def test_alpn_prefers_http2_and_refuses_what_it_does_not_speak(self):
        self.assertIn("ALPN protocol: h2", self.s_client("-alpn", "http/1.1,h2")[1])
        self.assertIn("ALPN protocol: http/1.1", self.s_client("-alpn", "http/1.1")[1])
        self.assertIn("No ALPN negotiated", self.s_client()[1])
        status, output = self.s_client("-alpn", "imap")
        self.assertEqual(status, 1, output)
        self.assertIn("no application protocol", output)

    def test_a_session_is_resumed(self):
        saved = self.folder / "session"
        for option in ("-sess_out", "-sess_in"):
            # TLS 1.3 sends its tickets after the handshake, for which s_client does not wait.
            status, output = self.s_client("-tls1_2", option, saved)
            self.assertEqual(status, 0, output)
        self.assertIn("Reused, TLSv1.2", output)

    def test_a_client_of_plain_http_is_told(self):
        done = subprocess.run(["curl", "--silent", "--show-error", "--write-out", " %{http_code}",
                               f"http://localhost:{self.flow.port}/readyz"],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.stdout, '{"detail":"this port speaks TLS: use https"} 400')
        self.wait_logged("TLS: the client speaks plain text")

    def test_a_client_of_plain_grpc_is_not_served(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.flow.dry_run()
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_garbage_ends_its_connection_and_nothing_else(self):
        for garbage in (b"\x00" * 100, b"\x16" * 5000, b"\x16\x03\x01\x00\x05hello", os.urandom(1000)):
            with socket.create_connection(("127.0.0.1", self.flow.port), PATIENCE) as connection:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                try:
                    while connection.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        self.assertEqual(self.dry_run().SerializeToString(), b"")

    def test_the_panel_says_so(self):
        self.assertIn("GRPC · HTTP · WEBSOCKET (TLS)", self.flow.panel)


class Mutual(TlsFlow):
    wants_clients_to_show_theirs = True

    def test_a_client_with_a_certificate_is_served(self):
        self.assertEqual(self.dry_run(identity=self.client).SerializeToString(), b"")
        done = self.curl("/readyz", "--cert", self.client.certificate, "--key", self.client.key)
        self.assertEqual(done.stdout, '{"ready":true,"reason":""}', done.stderr)

    def test_a_client_without_one_is_not_served(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.dry_run()
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(self.curl("/readyz").stdout, "")
        self.wait_logged("peer did not return a certificate")

    def test_a_client_with_somebody_elses_is_not_served(self):
        stranger = certificates.Authority(self.folder, "stranger").client("mallory")
        done = self.curl("/readyz", "--cert", stranger.certificate, "--key", stranger.key)
        self.assertEqual(done.stdout, "")
        self.wait_logged("unable to get local issuer certificate")

    def test_a_servers_certificate_does_not_do_for_a_client(self):
        server = self.authority.server("another-server")
        done = self.curl("/readyz", "--cert", server.certificate, "--key", server.key)
        self.assertEqual(done.stdout, "")


class OwnFiles(unittest.TestCase):
    """Tests that change their files, so that each needs its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flow-e2e-tls-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.authority = certificates.Authority(self.folder)


class Life(OwnFiles):
    def serial(self, flow):
        """Of the certificate that a new connection is shown."""
        with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{flow.port}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as shown:
            return subprocess.run(["openssl", "x509", "-noout", "-serial"], stdin=shown.stdout,
                                  capture_output=True, text=True, timeout=PATIENCE).stdout

    def test_renewed_files_are_used_without_a_restart(self):
        identity = self.authority.server()
        with Flow(ECHO, tls_of(identity)).wait_ready() as flow:
            gateway = flow.pid_of("gateway")
            before = self.serial(flow)
            self.assertTrue(before)
            renewed = self.authority.server("renewed")
            renewed.certificate.replace(identity.certificate)
            renewed.key.replace(identity.key)
            wait_for("the new certificate", lambda: self.serial(flow) != before)
            self.assertEqual(flow.pid_of("gateway"), gateway)

    def test_an_expired_certificate_is_served_with_a_warning(self):
        identity = self.authority.server(days=0)
        with Flow(ECHO, tls_of(identity)).wait_ready() as flow:
            self.assertRegex(flow.log(), r"WARN.* expired at 2\d{3}-")

    def test_a_client_of_tls_is_hung_up_on_by_a_plain_port(self):
        with Flow(ECHO).wait_ready() as flow:
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{flow.port}"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=PATIENCE)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(flow.http("/readyz")[0], 200)


class Refused(OwnFiles):
    """Exit status 1 and the place in the file, from --check and from a start alike."""

    def refused(self, tls, *parts):
        file = self.folder / "flow.toml"
        file.write_text(f'plugins = ["{PLUGINS}"]\n[gateway]\nport = 0\n{tls}\n{ECHO}')
        for arguments in ([], ["--check"]):
            done = subprocess.run([FLOW_HOST, "--config", file, *arguments], capture_output=True,
                                  text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertEqual(done.stdout, "")
            for part in parts:
                self.assertIn(part, done.stderr)

    def test_missing_key(self):
        identity = self.authority.server()
        self.refused(f'tls = {{ certificate = "{identity.certificate}" }}',
                     "flow.toml:4:7: tls has no `key`")

    def test_files_that_do_not_exist_relative_to_flow_toml(self):
        self.refused('tls = { certificate = "no.pem", key = "none.pem", client_ca = "ca" }',
                     f"flow.toml:4:23: certificate: cannot read {self.folder}/no.pem: No such file",
                     f"flow.toml:4:39: key: cannot read {self.folder}/none.pem: No such file",
                     f"flow.toml:4:63: client_ca: cannot read {self.folder}/ca: No such file")

    def test_key_of_another_certificate(self):
        identity = self.authority.server()
        identity.key = self.authority.server("another").key
        self.refused(tls_of(identity), "flow.toml:4:", f"key: {identity.key} is not the private key")

    def test_certificate_and_key_the_wrong_way_round(self):
        identity = self.authority.server()
        self.refused(tls_of(certificates.Identity(identity.key, identity.certificate)),
                     f"certificate: {identity.key} has no certificate in PEM form",
                     f"key: {identity.certificate} has no private key in PEM form")

    def test_not_pem(self):
        identity = self.authority.server()
        identity.certificate.write_bytes(os.urandom(1000))
        self.refused(tls_of(identity), "flow.toml:4:23: certificate: ", "no certificate in PEM form")

    def test_folder_instead_of_a_file(self):
        self.refused(tls_of(self.authority.server(), self.folder),
                     f"client_ca: {self.folder} is no file")

    def test_link_that_leads_nowhere(self):
        identity = self.authority.server()
        identity.key.unlink()
        identity.key.symlink_to(identity.key)
        self.refused(tls_of(identity), "flow.toml:4:", f"key: cannot read {identity.key}: Too many")

    @unittest.skipIf(os.geteuid() == 0, "root reads everything")
    def test_unreadable(self):
        identity = self.authority.server()
        identity.key.chmod(0)
        self.refused(tls_of(identity), f"key: cannot read {identity.key}: Permission denied")

    def test_everything_that_is_wrong_at_once(self):
        file = self.folder / "flow.toml"
        file.write_text('[gateway]\ntls = { certificate = "a", key = "b" }\n'
                        '[[executors]]\nuses = "nothing-like-it"\n')
        done = subprocess.run([FLOW_HOST, "--config", file, "--check"], capture_output=True,
                              text=True, timeout=PATIENCE)
        for part in ("flow.toml:2:23:", "flow.toml:2:34:", "flow.toml:4:8:"):
            self.assertIn(part, done.stderr)


if __name__ == "__main__":
    unittest.main()
