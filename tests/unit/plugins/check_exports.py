#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rule A2: a plugin exports flow_plugin_v1 and nothing else, and nothing in it is GNU_UNIQUE.

usage: check_exports.py plugin.so...
"""
import subprocess
import sys

EXPORT = "flow_plugin_v1"


def faults(path):
    """What is wrong with the dynamic symbols of a library."""
    output = subprocess.run(["readelf", "--wide", "--dyn-syms", path],
                            check=True, capture_output=True, text=True).stdout
    exported = set()
    for line in output.splitlines():
        # Num: Value Size Type Bind Vis Ndx Name
        fields = line.split()
        if len(fields) < 8 or not fields[0].rstrip(":").isdigit():
            continue
        bind, index, name = fields[4], fields[6], fields[7].split("@")[0]
        if bind == "UNIQUE":
            yield f"{name} is GNU_UNIQUE: the library could never be unloaded"
        if bind != "LOCAL" and index != "UND":
            exported.add(name)
    if EXPORT not in exported:
        yield f"does not export {EXPORT}"
    for name in sorted(exported - {EXPORT}):
        yield f"exports {name} too"


def main():
    found = [f"{path}: {fault}" for path in sys.argv[1:] for fault in faults(path)]
    print("\n".join(found) or f"{len(sys.argv) - 1} plugins export {EXPORT} and nothing else")
    return 1 if found or len(sys.argv) == 1 else 0


if __name__ == "__main__":
    sys.exit(main())
