"""The file from which `--resume` goes on: what is left of each plan's executions, and what was found so far."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

import race
from race import native
from race.errors import InputError
from race.exhaustive.state import State, decoded, encoded
from race.files import write_atomically
from race.scenario.load import Scenario, sha256

FORMAT: Final = "race-frontier"
VERSION: Final = 1


class Run(msgspec.Struct, kw_only=True):
    """What a frontier belongs to: with another of these it would lead into another tree."""

    race: str
    engine: str
    scenario: str
    sha256: str
    page_size: int
    model: str
    seed: int
    everything: bool
    max_findings: int
    plans: dict[str, str]  # by its text, a digest of what it resolves to


NAMES: Final = {
    "race": "version of race",
    "engine": "build of the engine",
    "scenario": "scenario",
    "sha256": "scenario file (sha256)",
    "page_size": "page size",
    "model": "model",
    "seed": "seed",
    "everything": "--all",
    "max_findings": "--max-findings",
    "plans": "set of barrier plans",
}


class _File(msgspec.Struct):
    format: str
    version: int
    digest: str  # of the content: half a tree, or a changed one, would be no proof
    content: msgspec.Raw


class _Content(msgspec.Struct):
    run: Run
    plans: dict[str, dict[str, Any]]  # a state of each


def run_of(
    scenario: Scenario, plans: Mapping[str, Mapping[str, str]], model: str, seed: int, everything: bool, kept: int
) -> Run:
    return Run(
        race=race.__version__,
        engine=native.build(),
        scenario=scenario.source.name,
        sha256=sha256(scenario.source),
        page_size=scenario.page_size,
        model=model,
        seed=seed,
        everything=everything,
        max_findings=kept,
        plans={text: _digest(msgspec.json.encode(strengths, order="sorted")) for text, strengths in plans.items()},
    )


def save(path: str, run: Run, states: Mapping[str, State]) -> None:
    content = msgspec.json.encode(_Content(run, {plan: encoded(state) for plan, state in states.items()}))
    file = _File(FORMAT, VERSION, _digest(content), msgspec.Raw(content))
    write_atomically(Path(path), msgspec.json.encode(file) + b"\n")


def load(path: str, run: Run) -> dict[str, State]:
    """The states of the plans. What is damaged, or belongs to another run, is an InputError that says what differs."""
    content = _content(path)
    _check(path, content.run, run)
    try:
        return {plan: decoded(content.plans[plan]) for plan in run.plans}
    except (msgspec.ValidationError, KeyError) as error:
        raise InputError(f"{path}: damaged: {error}") from None


def _content(path: str) -> _Content:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; give --resume a file that an unfinished run left"
        ) from None
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(f"{path}: no frontier, or damaged; give --resume a file that an unfinished run left") from None
    if file.format != FORMAT:
        raise InputError(
            f'{path}: no frontier (no "format": "{FORMAT}"); give --resume a file that an unfinished run left'
        )
    if file.version != VERSION:
        raise InputError(f"{path}: frontier version {file.version}, this program reads version {VERSION}; begin anew")
    if _digest(bytes(file.content)) != file.digest:
        raise InputError(f"{path}: damaged: its content is not what was written; begin anew without --resume")
    try:
        return msgspec.json.decode(file.content, type=_Content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{path}: damaged: {error}") from None


def _check(path: str, theirs: Run, ours: Run) -> None:
    differs = []
    for field, name in NAMES.items():
        old, new = getattr(theirs, field), getattr(ours, field)
        if old != new:
            differs.append(f"its {name} is {_shown(old, new)}, not {_shown(new, old)}")
    if differs:
        raise InputError(
            f"{path} belongs to another run: {'; '.join(differs)}; repeat that run's options, or begin anew"
        )


def _shown(value: object, other: object) -> str:
    if isinstance(value, bool):
        return "given" if value else "absent"
    if not isinstance(value, dict):
        return str(value)
    names: Sequence[str] = list(value)
    same = isinstance(other, dict) and list(other) == names
    return "; ".join(names) + (f" (as {_digest(msgspec.json.encode(value))[:8]})" if same else "")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
