"""The files that a command line names: tests, and folders of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from race.litmus.program import LitmusTest
from race.litmus.read import UnreadableError, read_file

SUFFIX = ".litmus"


def read_all(names: Sequence[str]) -> tuple[list[LitmusTest], list[str]]:
    """The tests, in the order of their files, and what could not be read."""
    tests: list[LitmusTest] = []
    unreadable: list[str] = []
    seen: set[Path] = set()
    for name in names:
        paths = _files(Path(name))
        if not paths:
            unreadable.append(f"{name}: there is no *{SUFFIX} in this folder")
        for path in paths:
            if (resolved := path.resolve()) in seen:
                continue
            seen.add(resolved)
            try:
                tests.append(read_file(path))
            except UnreadableError as why:
                unreadable += why.reasons
    return tests, unreadable


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(found for found in path.rglob(f"*{SUFFIX}") if found.is_file())
