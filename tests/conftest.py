"""What the tests of the harness share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from race.cli import main
from race.native import Catalog, catalog

# Two threads, two slots, one expectation: each test of a mistake makes one change to it.
SMALL = """\
title = "A page moves while an object comes and goes"

[pool]
page-size = 4096
frames = 24

[objects.block]
class = { pages = 2, objects = 3 }

[[setup]]
op = "malloc"
slot = "kept"
object = "block"

[[threads]]
name = "mover"
steps = [{ op = "migrate", slot = "kept", page = 1 }]

[[threads]]
name = "user"
steps = [{ op = "malloc", slot = "own", object = "block" }, { op = "free", slot = "own" }]

[[expect]]
plan = "on"
clean = true
"""


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


RunRace = Callable[..., Outcome]


@pytest.fixture
def run_race(capsys: pytest.CaptureFixture[str]) -> RunRace:
    """Runs a command line in this process."""

    def run(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes the small scenario with changes, as small.toml in the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(*changes: tuple[str, str], append: str = "") -> str:
        text = SMALL
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        Path("small.toml").write_text(text + append, encoding="utf-8")
        return "small.toml"

    return write


@pytest.fixture(scope="session")
def known() -> Catalog:
    """The engine's sites, oracles and size classes."""
    return catalog()
