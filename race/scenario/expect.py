"""What a scenario expects of a barrier plan under a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from race.errors import InputError
from race.names import advice
from race.native import Guard, Site
from race.plan import Strengths, is_weakened, resolve
from race.scenario.decode import Problem
from race.scenario.format import SHOWN_UNDER, Expect, Model, ScenarioFile

MODELS: tuple[Model, ...] = ("armv8", "tso", "sc")
ANY = "any"  # in a list of oracles that must fire: whichever


@dataclass(frozen=True)
class Expected:
    plan: str
    strengths: Strengths
    models: tuple[str, ...]
    find: tuple[str, ...]
    clean: bool
    never: tuple[str, ...]
    note: str
    weakened: bool  # some site is weaker than the kernel has it


def claims(tables: ScenarioFile) -> list[tuple[str, Expect]]:
    """What the file expects, with the path where it says so: its [[expect]] blocks, and what its [bug] table means."""
    blocks = [(f"$.expect[{i}]", block) for i, block in enumerate(tables.expect)]
    bug = tables.bug
    if bug is None:
        return blocks
    shown = list(SHOWN_UNDER[bug.kind])
    hidden = [model for model in MODELS if model not in shown]
    if bool(shown) != bool(bug.find):
        mend = "name the oracles that it must give" if shown else "nothing can be found of a bug that is not shown"
        raise Problem("$.bug.find", f"{mend}, or change the kind")
    if shown:
        blocks.append(("$.bug.fault", Expect(plan=bug.fault, models=shown, find=bug.find)))
    if hidden:
        blocks.append(("$.bug.fault", Expect(plan=bug.fault, models=hidden, clean=True)))
    blocks.append(("$.bug.right", Expect(plan=bug.right, clean=True)))
    return blocks


def resolve_expectations(
    blocks: Sequence[tuple[str, Expect]],
    sites: Sequence[Site],
    guards: Sequence[Guard],
    held: Mapping[str, str],
    known: Sequence[str],
    enabled: Sequence[str],
) -> list[Expected]:
    """`known` are all oracles' names, `enabled` those that the scenario runs with."""
    expected: list[Expected] = []
    for path, block in blocks:
        _check_claims(block, path, known, enabled)
        try:
            strengths = resolve(block.plan, sites, held, guards)
        except InputError as error:
            raise Problem(path if path.startswith("$.bug") else f"{path}.plan", str(error)) from None
        for earlier, other in enumerate(expected):
            both = [model for model in block.models if model in other.models]
            if both and other.strengths == strengths:
                before = blocks[earlier][0].removeprefix("$.")
                raise Problem(path, f'{before} speaks of plan "{block.plan}" under model {both[0]} already')
        find = (ANY,) if block.find_any else tuple(block.find)
        expected.append(
            Expected(
                plan=block.plan,
                strengths=strengths,
                models=tuple(block.models),
                find=find,
                clean=block.clean,
                never=tuple(block.never),
                note=block.note,
                weakened=is_weakened(strengths, sites),
            )
        )
    return expected


def _check_claims(block: Expect, path: str, known: Sequence[str], enabled: Sequence[str]) -> None:
    for field in ("find", "never"):
        for j, name in enumerate(getattr(block, field)):
            if name not in known:
                raise Problem(f"{path}.{field}[{j}]", f'unknown oracle "{name}"{advice(name, known)}')
            if name not in enabled:
                raise Problem(f"{path}.{field}[{j}]", f'oracle "{name}" is not enabled in this scenario')
    if not block.models:
        raise Problem(f"{path}.models", "give at least one model")
    finds = bool(block.find) or block.find_any
    if not (finds or block.clean or block.never):
        raise Problem(path, "it expects nothing; give find, find-any, never or clean")
    if finds and block.clean:
        raise Problem(path, "find and clean contradict each other")
    if block.find and block.find_any:
        raise Problem(path, "give find or find-any, not both")
    for name in set(block.find) & set(block.never):
        raise Problem(path, f'find and never both name "{name}"')
