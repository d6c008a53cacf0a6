# SPDX-License-Identifier: Apache-2.0
"""Checks a tree (the only argument) for words that must not stay and a line that must be there."""

import re

import tree

SPDX = "SPDX-License-Identifier: Apache-2.0"
SOURCES = {".c", ".h", ".cpp", ".hpp", ".proto", ".py", ".js", ".mjs", ".rs", ".sh"}

# Written so that this file does not find itself.
FORBIDDEN = [
    (re.compile(r"\bFIX[M]E\b|\bTODO[(]now[)]"), "is to be done before it is committed"),
    (re.compile(r"(?<![\w.$}])/(?:work|home/[\w.-]+|Users/[\w.-]+)/"), "is a path of one machine"),
]
# The error that docs and tests quote has the paths of the machine it was seen on.
QUOTED = "/home/" + "joan/"


def is_source(file, text):
    return file.suffix in SOURCES or text.startswith("#!")


def check(top):
    for file in tree.files(top):
        text = tree.text(top / file)
        lines = text.splitlines()
        # After the interpreter's line, if there is one.
        if is_source(file, text) and not any(SPDX in line for line in lines[:2]):
            yield f"{file}:1: the line \"{SPDX}\" is missing"
        for number, line in enumerate(lines, 1):
            for pattern, why in FORBIDDEN:
                found = pattern.search(line.replace(QUOTED, ""))
                if found:
                    yield f"{file}:{number}: {found[0]} {why}"


if __name__ == "__main__":
    tree.finish(list(check(tree.root())))
