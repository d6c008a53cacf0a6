#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Code in a page is code of the tree: each block after <!-- from path --> stands in that file.

usage: check_docs.py tree page.md...
"""
import pathlib
import re
import sys

BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.M | re.S)
SOURCE = re.compile(r"<!-- from (\S+) -->\n\Z")


def faults(tree, page):
    """Blocks of a page that are in no file, or not in the file they name."""
    text = page.read_text()
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        source = SOURCE.search(text[:block.start()])
        if source is None:
            yield f"{page}:{line}: a code block without <!-- from path --> before it"
            continue
        if block.group(1) not in (tree / source.group(1)).read_text():
            yield f"{page}:{line}: differs from {source.group(1)}"


def main():
    tree = pathlib.Path(sys.argv[1])
    found = [fault for page in sys.argv[2:] for fault in faults(tree, pathlib.Path(page))]
    print("\n".join(found) or "every block of code is in the tree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
