# SPDX-License-Identifier: Apache-2.0
"""The checks of this folder find what they are for, and nothing else."""

import pathlib
import tempfile
import unittest

import include_edges
import links
import words

SPDX = f"// {words.SPDX}\n"


class ChecksTest(unittest.TestCase):
    def found(self, check, files):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            for name, text in files.items():
                (top / name).parent.mkdir(parents=True, exist_ok=True)
                (top / name).write_text(text)
            return [complaint.split(": ")[0] for complaint in check(top)]

    def test_edges_that_are_allowed(self):
        self.assertEqual([], self.found(include_edges.check, {
            "core/a.hpp": '#include <vector>\n#include "core/b.hpp"\n#include "fmt/format.h"\n',
            "host/a.cpp": '#include "core/a.hpp"\n#include "jina.grpc.pb.h"\n#include "flow/plugin.h"\n'
                          '#include <grpcpp/grpcpp.h>\n',
            "gateway/a.cpp": '#include "jina.pb.h"\n#include "grpc/health/v1/health.pb.h"\n',
            "plugins/echo/echo.cpp": '#include <flow/plugin.hpp>\n#include "echo.hpp"\n',
            "plugins/echo/echo.hpp": "",
            "plugin-api/include/flow/plugin.hpp": '#include "flow/plugin.h"\n',
            "tests/unit/a.cpp": '#include "host/a.hpp"\n#include "gateway/a.hpp"\n',
        }))

    def test_edges_that_are_not(self):
        cases = {
            "core/a.hpp": ["host/a.hpp", "jina.pb.h", "flow/plugin.h", "google/protobuf/arena.h"],
            "host/a.cpp": ["gateway/a.hpp", "../gateway/b.hpp", "plugins/echo/echo.hpp"],
            "gateway/a.cpp": ["host/a.hpp", "jina.grpc.pb.h", "grpcpp/grpcpp.h", "grpc/grpc.h",
                              "grpc/health/v1/health.grpc.pb.h", "flow/plugin.h"],
            "plugins/echo/echo.c": ["core/a.hpp", "jina.pb.h", "google/protobuf/arena.h"],
            "plugin-api/a.h": ["core/a.hpp", "flow/v1/control.pb.h"],
            "proto/a.hpp": ["core/a.hpp", "grpcpp/grpcpp.h"],
            "elsewhere/a.cpp": ["vector"],
        }
        for file, names in cases.items():
            for name in names:
                with self.subTest(file=file, name=name):
                    self.assertEqual(1, len(self.found(include_edges.check, {
                        file: f'  # include "{name}"\n', "gateway/b.hpp": ""})))

    def test_links(self):
        self.assertEqual(["docs/a.md:1", "docs/a.md:2", "docs/a.md:8"], self.found(links.check, {
            "docs/a.md": "[x](none.md) [y](b.md#part) [z](https://example.org/none.md)\n"
                         "![i](../none.png) [here](#there) [top](/docs/b.md)\n"
                         "```\n[x](in-code.md)\n```\n"
                         "`[x](in-code.md)`\n\n"
                         "[ref]: none.md\n",
            "docs/b.md": "[a](a.md \"title\") [up](../docs)\n",
        }))

    def test_words(self):
        self.assertEqual(
            ["a.cpp:2", "b.md:1", "c.hpp:1", "d:1", "e.py:2"], self.found(words.check, {
                "a.cpp": SPDX + "// FIX" + "ME later\n",
                "b.md": "see /home/" + "somebody/notes\n",
                "c.hpp": "#pragma once\n",
                "d": "#!/bin/sh\n",
                "e.py": f"# {words.SPDX}\nopen('/wor" + "k/x')\n",
                "f.md": "/home/" + "joan/jina and ${x}/work/ and path/to/work/x\n",
                "g": f"#!/bin/sh\n# {words.SPDX}\n",
            }))


if __name__ == "__main__":
    unittest.main()
