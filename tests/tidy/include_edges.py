# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: checks every #include of a source tree (the only argument)."""

import os
import pathlib
import re

import tree

# What the folders on the left may include besides the system and libraries not named here. A folder
# that is not listed may not have C or C++ at all until somebody decides what it may see.
ANYTHING = None
ALLOWED = {
    "plugin-api": {"plugin-api"},
    "proto": {"proto", "protobuf"},
    "core": {"core"},
    "host": {"host", "client", "core", "proto", "plugin-api", "protobuf", "grpc"},
    "wire": {"wire", "core", "proto", "protobuf"},
    "gateway": {"gateway", "wire", "core", "proto", "protobuf", "openssl"},
    "client": {"client", "wire", "core", "proto", "protobuf", "grpc"},
    "flowctl": {"flowctl", "client", "host", "wire", "core", "proto", "protobuf"},
    "plugins": {"plugins", "plugin-api"},
    "examples": {"examples", "plugin-api", "client"},
    "tests": ANYTHING,
    "bench": ANYTHING,
}

# (file, what it includes): why that is right.
EXCEPTIONS = {
    ("plugins/testing/links-protobuf.cpp", "protobuf"): "shows that the host survives such a plugin",
}

SUFFIXES = {".c", ".h", ".cpp", ".hpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')

# Generated headers and libraries, by how their names start; the first that matches counts.
PATTERNS = [
    (re.compile(r".*\.grpc\.pb\.h$"), "grpc"),
    (re.compile(r"(jina|docarray|flow/v1/.*|grpc/(health|reflection)/.*)\.pb\.h$"), "proto"),
    (re.compile(r"grpc(pp)?/"), "grpc"),
    (re.compile(r"google/protobuf/"), "protobuf"),
    (re.compile(r"openssl/"), "openssl"),
    (re.compile(r"flow/(address|client|document|flow|json|nd_array)\.hpp$"), "client"),
    (re.compile(r"flow/"), "plugin-api"),
]


def included_part(top, file, name):
    """The part of the repository, or the library of PATTERNS, that `name` belongs to, if any."""
    beside = os.path.normpath(top / file.parent / name)
    if os.path.isfile(beside):
        return pathlib.Path(os.path.relpath(beside, top)).parts[0]
    first = name.split("/")[0]
    if "/" in name and first in ALLOWED:
        return first
    for pattern, part in PATTERNS:
        if pattern.match(name):
            return part
    return None


def check(top):
    for file in tree.files(top):
        if file.suffix not in SUFFIXES:
            continue
        folder = file.parts[0]
        if folder not in ALLOWED:
            yield f"{file}: the folder {folder} is not in tests/tidy/include_edges.py"
            continue
        if ALLOWED[folder] is ANYTHING:
            continue
        for number, line in enumerate(tree.text(top / file).splitlines(), 1):
            found = INCLUDE.match(line)
            part = found and included_part(top, file, found[1])
            if part and part not in ALLOWED[folder] and (str(file), part) not in EXCEPTIONS:
                yield f"{file}:{number}: {folder} must not include {part} ({found[1]})"


if __name__ == "__main__":
    tree.finish(list(check(tree.root())))
