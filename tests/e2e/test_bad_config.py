# SPDX-License-Identifier: Apache-2.0
"""Bad input before anything serves: a message that names file, line or executor, says what was found
and expected, exit status 1, and nothing left running."""

import pathlib
import socket
import subprocess
import tempfile
import unittest

from flow_process import FLOW_HOST, PATIENCE, PLUGINS, TEST_PLUGINS, alive, children, wait_for

HEAD = f'plugins = ["{PLUGINS}", "{TEST_PLUGINS}"]\n[gateway]\nhost = "127.0.0.1"\nport = 0\n'


class Refused(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flow-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def refused(self, text, *arguments, head=HEAD):
        """Runs flow-host on a file until it ends by itself; gives what it printed."""
        file = self.folder / "flow.toml"
        file.write_text(head + text)
        return self.run_refused("--config", file, *arguments)

    def run_refused(self, *arguments):
        process = subprocess.Popen([FLOW_HOST, *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        seen = set()

        def ended():
            seen.update(children(process.pid))
            return process.poll() is not None

        wait_for("flow-host to end by itself", ended)
        output = process.stdout.read().decode(errors="replace")
        process.stdout.close()
        self.assertEqual(process.returncode, 1, output)
        self.assertFalse(any(map(alive, seen)), "something is left running")
        return output

    def assertSays(self, output, *parts):
        for part in parts:
            self.assertIn(part, output)

    # ---- the file -------------------------------------------------------------------------------

    def test_missing_file(self):
        self.assertSays(self.run_refused("--config", self.folder / "none.toml"), "none.toml",
                        "No such file")

    def test_folder_instead_of_a_file(self):
        self.assertSays(self.run_refused("--config", self.folder), str(self.folder), "directory")

    def test_syntax_error(self):
        self.assertSays(self.refused("[[executors]\nuses = \"echo\"\n"), "flow.toml:5:")

    def test_unknown_key_with_a_suggestion(self):
        self.assertSays(self.refused('[[executors]]\nuses = "echo"\nreplica = 2\n'),
                        "flow.toml:7:1:", "replica", 'did you mean "replicas"?')

    def test_key_of_a_later_version(self):
        self.assertSays(self.refused('[[executors]]\nuses = "echo"\nshards = 2\n'),
                        "flow.toml:7:1:", "not supported by this version")

    def test_wrong_type(self):
        self.assertSays(self.refused('[[executors]]\nuses = 7\n'), "flow.toml:6:", "string")

    def test_all_errors_at_once(self):
        output = self.refused('[[executors]]\nuses = 7\nreplicas = "x"\nwhat = 1\n')
        self.assertSays(output, "flow.toml:6:", "flow.toml:7:", "flow.toml:8:")

    def test_duplicate_name(self):
        self.assertSays(self.refused('[[executors]]\nname="a"\nuses="echo"\n'
                                     '[[executors]]\nname="a"\nuses="echo"\n'),
                        "flow.toml:9:", '"a"')

    def test_duplicate_port(self):
        self.assertSays(self.refused('[[executors]]\nuses="echo"\nport=23456\nreplicas=2\n'
                                     '[[executors]]\nuses="echo"\nport=23457\n'),
                        "flow.toml:11:", "23457")

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            output = self.refused(f'[[executors]]\nuses="echo"\nhost="127.0.0.1"\nport={port}\n')
        self.assertSays(output, "flow.toml:8:", "executor0", str(port), "in use")

    def test_gateway_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            output = self.refused('[[executors]]\nuses="echo"\n',
                                  head=f'plugins=["{PLUGINS}"]\n[gateway]\nhost="127.0.0.1"\n'
                                       f'port={port}\n')
        self.assertSays(output, "flow.toml:4:", "gateway", str(port), "in use")

    # ---- the plugin -----------------------------------------------------------------------------

    def plugin(self, name):
        return self.refused(f'[[executors]]\nname = "x"\nuses = "{name}"\n')

    def test_unknown_plugin_with_a_suggestion(self):
        self.assertSays(self.plugin("ecko"), "flow.toml:7:", "ecko", 'did you mean "echo"?')

    def test_library_that_is_no_plugin(self):
        self.assertSays(self.plugin("not-a-plugin"), "flow.toml:7:", "not-a-plugin.so", "note")

    def test_plugin_without_a_note(self):
        self.assertSays(self.plugin("no-note"), "flow.toml:7:", "no-note.so", "note")

    def test_plugin_whose_note_is_no_metadata(self):
        self.assertSays(self.plugin("bad-note"), "flow.toml:7:", "bad-note.so")

    def test_file_that_is_no_library(self):
        (self.folder / "fake.so").write_text("hello")
        output = self.refused('[[executors]]\nuses = "./fake.so"\n')
        self.assertSays(output, "flow.toml:6:", "fake.so", "ELF")

    def test_wrong_abi_major(self):
        self.assertSays(self.plugin("wrong-major"), "flow.toml:7:", "ABI 2", "1.0")

    def test_newer_abi_minor(self):
        self.assertSays(self.plugin("newer-minor"), "flow.toml:7:", "1.99", "1.0")

    def test_plugin_that_links_protobuf(self):
        self.assertSays(self.plugin("links-protobuf"), "flow.toml:7:", "libprotobuf")

    def test_plugin_config_against_its_schema(self):
        output = self.refused('[[executors]]\nuses = "text-encoder"\n'
                              'uses_with = { dimensions = 0, dimension = 5 }\n')
        self.assertSays(output, "flow.toml:7:", "dimensions", 'did you mean "dimensions"?')

    def test_check_says_the_same_without_starting_anything(self):
        output = self.refused('[[executors]]\nuses = "ecko"\n', "--check")
        self.assertSays(output, 'did you mean "echo"?')

    # ---- create() -------------------------------------------------------------------------------

    def test_create_that_fails(self):
        self.assertSays(self.plugin("create-fails"), '"x"', "FAILED_PRECONDITION")

    def test_create_that_throws(self):
        self.assertSays(self.plugin("create-throws"), '"x"', "std::")

    def test_create_that_crashes(self):
        self.assertSays(self.plugin("create-crashes"), '"x"', "SIGSEGV", "in create()")

    def test_create_that_never_returns(self):
        output = self.refused('[[executors]]\nname = "x"\nuses = "create-hangs"\n'
                              'timeout_ready = "1s"\n')
        self.assertSays(output, '"x"', "create()", "1 s")


class Accepted(unittest.TestCase):
    def test_check_of_a_good_file_exits_0_and_starts_nothing(self):
        with tempfile.TemporaryDirectory(prefix="flow-e2e-") as folder:
            file = pathlib.Path(folder) / "flow.toml"
            file.write_text(HEAD + '[[executors]]\nuses = "echo"\n')
            done = subprocess.run([FLOW_HOST, "--config", file, "--check"], timeout=PATIENCE,
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ok (1 executor", done.stdout)


if __name__ == "__main__":
    unittest.main()
