"""Every rule of the weak machine is needed: a machine without it gives a litmus test of ours other final states."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import msgspec
import pytest

from race.litmus.files import read_all
from tests.litmus_support import CHECKOUT, OWN

PROGRAM = CHECKOUT / "build" / "native" / "native" / "race-broken-rules"

# A test that notices, for each rule that native/memory/weak/rules.hpp names.
NOTICED_BY = {
    "coherence": "CoRR",
    "store-order": "CoWW",
    "load-store-order": "CoRW1",
    "forwarding": "PPOCA",
    "forwarded-view": "PPOAA",
    "load-floor": "MP+dmb.sys",
    "address-dependency": "MP+rel+addr",
    "acquire-floor": "MP+rel+acq",
    "release-waits": "MP+rel+acq",
    "release-acquire": "SB+rel-acqs",
    "dmb-ish-waits": "SB+dmb.sys",
    "dmb-ish-floor": "SB+dmb.sys",
    "dmb-ishld-waits": "LB+dmb.lds",
    "dmb-ishld-floor": "MP+rel+dmb.ld",
    "dmb-ishst": "2+2W+dmb.sts",
    "isb-floor": "MP+rel+ctrlisb",
    "atomicity": "LSE+incs",
    "acquire-release-view": "SB+swpals",
}

pytestmark = pytest.mark.skipif(
    not PROGRAM.is_file(), reason="the machine with rules that can be switched off is not built: `make test` builds it"
)


@functools.cache
def finals(rule: str) -> dict[str, frozenset[tuple[int, ...]]]:
    """The final states of our litmus tests on a machine without that rule; "": with all of them."""
    tests, _ = read_all([str(OWN)])
    programs = b"".join(test.program(model="armv8", engine="exhaustive", seed=1) + b"\n" for test in tests)
    done = subprocess.run([PROGRAM, *([rule] if rule else [])], input=programs, stdout=subprocess.PIPE, check=True)
    results = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert all(result["complete"] for result in results)
    return {
        Path(test.file).stem: frozenset(tuple(values) for values in result["states"])
        for test, result in zip(tests, results, strict=True)
    }


def test_the_table_has_every_rule() -> None:
    done = subprocess.run([PROGRAM, "--list"], stdout=subprocess.PIPE, check=True, text=True)
    assert set(done.stdout.split()) == set(NOTICED_BY)


@pytest.mark.parametrize("rule", NOTICED_BY)
def test_a_machine_without_the_rule_is_noticed(rule: str) -> None:
    test = NOTICED_BY[rule]
    assert finals(rule)[test] != finals("")[test]
