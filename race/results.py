"""The result document: everything a run found, as one JSON document with a version.

Every report (terminal, Markdown, JUnit) is drawn from it, so that an old result can be reported again. What differs
between two runs of the same command stands only in `timing` and `host`. `python -m race.schema` writes its JSON Schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from race.errors import InputError
from race.files import write_atomically
from race.hardware.record import Hardware
from race.printable import visible

FORMAT: Final = "race-result"
VERSION: Final = 1

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
AnyDocument = TypeVar("AnyDocument", bound=msgspec.Struct)


# unjudged: there was no expectation to hold or fail
Status = Literal["held", "failed", "unjudged", "inconclusive", "incomplete"]
ProofVerdict = Literal["proved", "refuted", "not finished"]
# finding: it was asked for no more than that; steps: runs were cut; error: of the run, or of a worker
ProofBound = Literal["", "finding", "time", "executions", "interruption", "steps", "error"]


class Step(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One step of an execution. Steps are numbered from 1; 0 is none."""

    step: Count
    cpu: Count
    thread: str
    kind: str  # load, store, commit, atomic, fence, late (issued, and performed later), waits, runs, found
    function: str = ""
    site: str = ""  # of a synchronising access, with the strength that the plan gives it
    strength: str = ""
    place: str = ""  # the word, by name
    value: str = ""
    newest: str = ""  # stale load: what memory held
    writer: str = ""  # who had stored that, at writer_step; visible from writer_done, 0: at once
    writer_step: Count = 0
    writer_done: Count = 0
    issued: Count = 0  # commit, or a late access: the step of its issue
    done: Count = 0  # what was held back or late: the step at which it was performed; 0: it was not
    held: bool = False
    stale: bool = False
    forwarded: bool = False  # from a held store of its own CPU


class Finding(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One execution in which an oracle fired."""

    execution: Count  # its number; with the seed it names the execution
    oracle: str
    message: str  # one sentence
    thread: str = ""
    function: str = ""
    site: str = ""
    zspage: str = ""
    size_class: str = ""  # index and size
    object: int | None = None
    value: str = ""  # hex; a count is decimal, a fullness group a name
    value_kind: str = ""  # poison, payload, handle, link, sentinel, location, flags, address, other; "": a number
    expected: str = ""  # what the value should have been, written as the value is
    origin: str = ""  # where the value came from, in words
    newest: str = ""  # as the value: what the same word held at that moment for a CPU that saw everything
    written_by: str = ""  # who wrote the newest value, and when
    trace: list[str] = []  # the steps that matter, one line each; only for the first findings of an arm
    steps: list[Step] = []  # the same for programs, with what else was reordered unless that is too much
    steps_left_out: Count = 0  # earlier ones, because they are too many
    token: str = ""  # `race replay TOKEN` runs this execution again
    untold: str = ""  # why there is no token


class Interval(msgspec.Struct, kw_only=True):
    """A rate an execution, at 95 %: Wilson's interval; without a finding the exact one-sided bound, about 3/n."""

    rate: Share
    low: Share
    high: Share


class Expectation(msgspec.Struct, kw_only=True):
    """What this plan should give under this model, and whether it did."""

    stated: bool = True  # by the scenario; False: the rule that a plan as strong as the kernel's gives no finding
    find: list[str] = []  # oracles that must fire
    clean: bool = False  # nothing may be found
    never: list[str] = []  # oracles that must not fire
    met: bool | None = None  # None: the run could not tell
    why: str = ""


class Proof(msgspec.Struct, kw_only=True):
    """Engine exhaustive: what exploring the executions of a plan came to."""

    verdict: ProofVerdict
    complete: bool  # every execution was explored, each to its end
    redundant: Count = 0  # runs besides, which could only be completed as executions that were explored
    cut: Count = 0  # runs that did not come to their end, so that nothing is proved
    bound: ProofBound = ""  # what ended it before everything was explored
    left: Count | None = None  # executions that are still to explore, an estimate; None: not known


class Arm(msgspec.Struct, kw_only=True):
    """One barrier plan of a campaign."""

    plan: str  # as the user gave it: "on,zs_malloc.class.lock=none"
    sites: dict[str, str]  # every site's strength
    guards: dict[str, str] = {}  # those that are not as Linux 4.8 has them, with their states
    executions: Count
    requested: Count | None = None
    counts: dict[str, Count] = {}  # findings by oracle, all of them
    total: Interval | None = None  # the rate of findings; engine exhaustive: there is none
    rates: dict[str, Interval] = {}
    first: Count | None = None  # number of the first execution with a finding
    findings: list[Finding] = []  # the first ones, by number
    accesses: Count = 0  # simulated accesses, all executions
    cut_short: Count = 0  # executions that a fault ended which no enabled oracle looks for: they were not judged
    expectation: Expectation | None = None  # None: of this plan nothing is expected, so it is not judged
    proof: Proof | None = None  # engine exhaustive

    @property
    def hits(self) -> int:
        """Executions with a finding: an execution ends with its first."""
        return sum(self.counts.values())

    @property
    def judged(self) -> int:
        """Executions that ended with a finding or went through every check."""
        return self.executions - self.cut_short


class Difference(msgspec.Struct, kw_only=True):
    """Fisher's exact test between two arms."""

    plans: tuple[str, str]
    oracle: str  # "any" or an oracle's name
    p_value: Share


class ScenarioRecord(msgspec.Struct, kw_only=True):
    name: str
    title: str
    file: str
    sha256: str
    page_size: int
    threads: list[str]


class Verdict(msgspec.Struct, kw_only=True):
    status: Status
    exit_status: Annotated[int, Meta(ge=0, le=4)]
    reasons: list[str]
    not_shown: list[str] = []


class Timing(msgspec.Struct, kw_only=True):
    started: str  # ISO 8601, UTC
    seconds: float
    arm_seconds: dict[str, float] = {}
    first_finding_seconds: dict[str, float] = {}


class Document(msgspec.Struct, kw_only=True):
    format: Literal["race-result"] = FORMAT
    version: Literal[1] = VERSION
    verb: str  # run, compare
    command: list[str]
    scenario: ScenarioRecord
    engine: str
    model: str
    seed: Annotated[int, Meta(ge=0)]
    shard: str = ""
    interrupted: bool = False
    arms: list[Arm]
    differences: list[Difference] = []
    verdict: Verdict
    host: dict[str, str | int] = {}
    timing: Timing | None = None
    hardware: Hardware | None = None  # engine hardware: what ran it, and what that was seen to reorder
    bounds: list[str] = []  # engine exhaustive: within which its verdicts hold
    frontier: str = ""  # engine exhaustive: the file from which `--resume` goes on


def printable(document: AnyDocument) -> AnyDocument:
    """Its copy for a reader's eyes: a result may come from anyone, and control characters could drive a terminal."""
    return msgspec.convert(_visible(msgspec.to_builtins(document)), type(document))


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(name): _visible(inner) for name, inner in value.items()}
    return [_visible(inner) for inner in value] if isinstance(value, list | tuple) else value


class Header(msgspec.Struct):
    format: str = ""
    version: int | None = None


def encode(document: Document) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def save(document: Document, path: str | Path) -> None:
    """Whole or not at all; an unwritable path is a RunError."""
    write_atomically(Path(path), encode(document))


def header(path: str | Path) -> Header:
    """Of any document; an InputError if it is no JSON."""
    return _header(_read(path), path)


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror}") from None


def _header(data: bytes, path: str | Path) -> Header:
    try:
        return msgspec.json.decode(data, type=Header)
    except msgspec.ValidationError:
        return Header()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged, or not JSON: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: damaged: nested too deeply") from None


def load(path: str | Path) -> Document:
    """Reads a saved document. Another format, another version or a damaged file is an InputError, never misread."""
    data = _read(path)
    header = _header(data, path)
    if header.format != FORMAT:
        raise InputError(f'{path}: not a result of race (no "format": "{FORMAT}"); give a file that --json wrote')
    if header.version != VERSION:
        raise InputError(
            f"{path}: result version {header.version}, this program reads version {VERSION}; "
            "read it with the program that wrote it, or run the campaign again"
        )
    try:
        return msgspec.json.decode(data, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged: {error}") from None
