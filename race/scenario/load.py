"""Finds a scenario by name or path, and makes it ready to run at one page size."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import race
from race.errors import InputError
from race.names import advice
from race.native import Catalog
from race.plan import Strengths, resolve, resolve_held, resolve_held_guards
from race.scenario import sizes
from race.scenario.check import check, locks_of
from race.scenario.decode import Decoded, Problem, decode
from race.scenario.expect import Expected, claims, resolve_expectations
from race.scenario.format import ScenarioFile
from race.scenario.sizes import Size

SUFFIX = ".toml"


@dataclass(frozen=True)
class Source:
    """A scenario file."""

    name: str
    shown: str  # what messages and results call the file
    content: bytes


@dataclass(frozen=True)
class Scenario:
    """A scenario that has passed every check."""

    source: Source
    tables: ScenarioFile
    page_size: int
    sizes: dict[str, Size]  # by the name of the object
    slots: list[str]
    locks: list[str]
    held: Strengths  # sites and guards that are so in every plan that does not name them
    oracles: list[str]  # enabled
    expected: list[Expected]

    @property
    def compare(self) -> list[str]:
        """The plans of `race compare`."""
        bug = self.tables.bug
        return self.tables.compare or ([bug.fault, bug.right] if bug is not None else ["off", "on"])

    def expectation(self, strengths: Strengths, model: str) -> Expected | None:
        """What it expects of a plan. Plans are the same if they give every site the same strength, however written."""
        return next((e for e in self.expected if model in e.models and e.strengths == strengths), None)

    def can_fail(self, model: str) -> bool:
        """False if it says that under this model not even weakened plans find anything."""
        of_model = [e for e in self.expected if model in e.models]
        return any(e.find for e in of_model) or not any(e.clean and e.weakened for e in of_model)


def shipped_folder() -> Path:
    """Where the scenarios are that come with the program: inside an installed package, beside it in a checkout."""
    package = Path(race.__file__).parent
    installed = package / "_scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"


def shipped() -> dict[str, Path]:
    """By name, which is the file's without its folder."""
    return {path.stem: path for path in sorted(shipped_folder().rglob("*" + SUFFIX), key=lambda path: path.stem)}


def shown(path: Path) -> str:
    """What messages and results call a shipped scenario."""
    return f"scenarios/{path.relative_to(shipped_folder()).as_posix()}"


def find(wanted: str) -> Source:
    """By name among the shipped ones, or by path."""
    known = shipped()
    if wanted in known:
        return read(known[wanted], shown(known[wanted]))
    if "/" in wanted or wanted.endswith(SUFFIX) or os.path.isfile(wanted):  # noqa: PTH113 - no error for a long name
        return read(Path(wanted), wanted)
    raise InputError(f'unknown scenario "{wanted}"{advice(wanted, known, "`race list` lists them; a path works too")}')


def read(path: Path, shown: str) -> Source:
    try:
        return Source(path.stem, shown, path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read scenario {shown}: {error.strerror}") from None


def load(source: Source, catalog: Catalog, page_size: int | None = None) -> Scenario:
    """`page_size` takes the place of the file's own."""
    decoded = decode(source.content, source.shown)
    tables = decoded.tables
    try:
        wanted = tables.pool.page_size if page_size is None else page_size
        sizes.check_page_size(wanted, "$.pool.page-size" if page_size is None else "--page-size")
        sized = sizes.resolve(decoded.objects, catalog.geometry(wanted), wanted)
        slots = check(tables, sized)
        enabled = _enabled(tables, catalog)
        held = _held(decoded, catalog)
        _check_compare(tables.compare, catalog, held)
        expected = resolve_expectations(
            claims(tables), catalog.sites, catalog.guards, held, catalog.oracle_names, enabled
        )
    except Problem as problem:
        raise InputError(f"{source.shown}: {problem}") from None
    return Scenario(source, tables, wanted, sized, slots, locks_of(tables), held, enabled, expected)


def _enabled(tables: ScenarioFile, catalog: Catalog) -> list[str]:
    known = catalog.oracle_names
    if tables.oracles is None:
        return known
    if not tables.oracles.enabled:
        raise Problem("$.oracles.enabled", "a run that looks for nothing finds nothing; name oracles, or leave it out")
    for i, name in enumerate(tables.oracles.enabled):
        if name not in known:
            raise Problem(f"$.oracles.enabled[{i}]", f'unknown oracle "{name}"{advice(name, known)}')
    return [name for name in known if name in tables.oracles.enabled]


def _held(decoded: Decoded, catalog: Catalog) -> Strengths:
    try:
        sites = resolve_held(decoded.sites, catalog.sites)
    except InputError as error:
        raise Problem("$.sites", str(error)) from None
    try:
        return {**sites, **resolve_held_guards(decoded.guards, catalog.guards)}
    except InputError as error:
        raise Problem("$.guards", str(error)) from None


def _check_compare(plans: list[str], catalog: Catalog, held: Strengths) -> None:
    for i, plan in enumerate(plans):
        try:
            resolve(plan, catalog.sites, held, catalog.guards)
        except InputError as error:
            raise Problem(f"$.compare[{i}]", str(error)) from None
        if plan in plans[:i]:
            raise Problem(f"$.compare[{i}]", f'plan "{plan}" is given twice')


def sha256(source: Source) -> str:
    return hashlib.sha256(source.content).hexdigest()
