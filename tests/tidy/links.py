# SPDX-License-Identifier: Apache-2.0
"""Checks that the relative links of every Markdown file of a tree (the only argument) resolve."""

import re
import urllib.parse

import tree

# [text](target "title"), ![image](target) and [reference]: target
LINK = re.compile(r'\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)')
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.IGNORECASE)


def lines_of_prose(text):
    """(number, line) without code, in which brackets mean other things."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and fence is None:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = None
        elif fence is None:
            yield number, re.sub(r"`[^`]*`", "", line)


def check(top):
    for file in tree.files(top):
        if file.suffix != ".md":
            continue
        for number, line in lines_of_prose(tree.text(top / file)):
            for inline, reference in LINK.findall(line):
                target = inline or reference
                if ELSEWHERE.match(target):
                    continue
                path = urllib.parse.unquote(re.split(r"[#?]", target)[0])
                base = top if path.startswith("/") else (top / file).parent
                if not (base / path.lstrip("/")).exists():
                    yield f"{file}:{number}: {target} does not exist"


if __name__ == "__main__":
    tree.finish(list(check(tree.root())))
