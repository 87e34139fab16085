"""Executions are the same to the byte, here and wherever the golden file was written."""

from __future__ import annotations

import msgspec

from tests import golden


def by_name(goldens: list[golden.Golden]) -> dict[tuple[str, str], golden.Golden]:
    return {(g.scenario, g.model): g for g in goldens}


def test_executions_are_those_of_the_golden_file() -> None:
    expected = msgspec.json.decode(golden.FILE.read_bytes(), type=list[golden.Golden])
    assert by_name(golden.compute()) == by_name(expected), (
        "if the change is meant: make golden, and look at the difference"
    )
    assert any(g.counts for g in expected)
