"""Executions that a fault ended which no enabled oracle looks for: counted apart, and no clean ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from race.report import markdown
from race.results import Arm
from race.results import load as load_result
from tests.conftest import RunRace

ONLY_ACCOUNTING = '\n[oracles]\nenabled = ["accounting"]\n'


@pytest.fixture
def result(small: Callable[..., str], tmp_path: Path, run_race: RunRace) -> tuple[Path, str]:
    """Without barriers, much goes wrong in the small scenario that it does not look for here."""
    path = tmp_path / "result.json"
    plans = ["--barriers", "off", "--barriers", "on"]
    size = ["--page-size", "256", "--executions", "3000"]
    outcome = run_race("compare", small(append=ONLY_ACCOUNTING), *plans, *size, "--json", path)
    return path, outcome.out


def test_they_are_counted_and_leave_the_rates(result: tuple[Path, str]) -> None:
    off, on = load_result(result[0]).arms
    assert set(off.counts) == {"accounting"}
    assert off.cut_short > 0
    assert off.judged == off.executions - off.cut_short == 3000 - off.cut_short
    assert off.total is not None
    assert off.total.rate == pytest.approx(off.hits / off.judged)
    assert (on.cut_short, on.judged) == (0, 3000)


def test_the_reports_say_so(result: tuple[Path, str]) -> None:
    path, out = result
    document = load_result(path)
    off: Arm = document.arms[0]
    sentence = f"plan off: {off.cut_short:,} more executions could not go on and are not judged"
    assert "not judged" in out
    assert sentence in " ".join(out.split())
    text = markdown.render(document)
    assert f"| not judged | {off.cut_short:,} | 0 |" in text
    assert sentence in text


def test_all_that_every_oracle_looks_for_is_judged(
    small: Callable[..., str], tmp_path: Path, run_race: RunRace
) -> None:
    path = tmp_path / "result.json"
    outcome = run_race(
        "run", small(), "--barriers", "off", "--executions", "1000", "--page-size", "256", "--json", path
    )
    assert load_result(path).arms[0].cut_short == 0
    assert not any(line.startswith("  not judged") for line in outcome.out.splitlines())
