# SPDX-License-Identifier: Apache-2.0
"""The files that belong to the repository, for the checks beside this one."""

import os
import pathlib
import subprocess
import sys


def root():
    return pathlib.Path(sys.argv[1]).resolve()


def tracked(top):
    """What git lists, or None: no checkout, no git, or a checkout that belongs to another user."""
    if not (top / ".git").exists():
        return None
    command = ["git", "-C", top, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        return subprocess.run(command, check=True, capture_output=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return None


def files(top):
    """Paths relative to `top`: what git tracks or would add, or everything in an exported tree."""
    listed = tracked(top)
    if listed is not None:
        # A tracked file may be deleted in the working tree.
        return [pathlib.Path(name) for name in sorted(set(listed.split("\0")))
                if name and (top / name).is_file()]
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - {".git", "build", "node_modules", "__pycache__"})
        found += [(pathlib.Path(folder) / name).relative_to(top) for name in sorted(names)]
    return found


def text(path):
    """A file's text, or nothing if it is binary."""
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode(errors="replace")


def finish(complaints):
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)
