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
