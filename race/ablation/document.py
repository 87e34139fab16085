"""The document of an ablation, as JSON with a version. Every report is drawn from it.

What differs between two runs of the same command that came to their end stands only in `timing`, `host` and `command`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from race.errors import InputError
from race.results import Count, Interval, ProofVerdict, ScenarioRecord, Share

FORMAT: Final = "race-ablation"
VERSION: Final = 1

VerdictName = Literal["necessary", "redundant", "masked", "untested"]


class TrialRecord(msgspec.Struct, kw_only=True):
    """Executions of one plan. They end early at the tenth finding."""

    plan: str  # for `race run --barriers`
    executions: Count
    counts: dict[str, Count] = {}  # findings by oracle
    first: Count | None = None  # number of the first execution with a finding
    cut_short: Count = 0  # executions that a fault ended which no enabled oracle looks for: they were not judged
    rate: Interval | None = None  # engine exhaustive: there is none
    proof: ProofVerdict | None = None  # engine exhaustive
    p_value: Share | None = None  # Fisher's exact test against the plan that it changes; None: that plan itself

    @property
    def hits(self) -> int:
        return sum(self.counts.values())


class SiteRecord(msgspec.Struct, kw_only=True):
    """One ordering site."""

    site: str
    primitive: str
    side: str
    strength: str  # in the base plan
    crossed: Count | None = None  # executions of the sample in which its operation ran; None: not counted
    times: Count | None = None  # how often it ran, in the sample together
    tried: Count | None = None  # executions of the sample that moved an access across it, it alone being weakened
    tried_together: Count | None = None  # the same with all weakened but the first minimal set
    weakened: TrialRecord | None = None  # alone, from the base plan
    strengthened: TrialRecord | None = None  # alone, from off
    weakest: str | None = None  # that suffices, with every site at none that is not in the set; None: not known
    verdict: VerdictName
    masked_by: list[str] = []
    why: str = ""


class MinimalSet(msgspec.Struct, kw_only=True):
    """Sites that keep the scenario clean, with every other one at none. None of them can be spared."""

    sites: dict[str, str]  # each as weak as will do
    trial: TrialRecord | None = None  # of exactly that plan


class MaskRecord(msgspec.Struct, kw_only=True):
    """Sites that stand in for each other: with all of them weakened there are findings, with one fewer none."""

    sites: list[str]
    together: TrialRecord


class Timing(msgspec.Struct, kw_only=True):
    started: str  # ISO 8601, UTC
    seconds: float


class Ablation(msgspec.Struct, kw_only=True):
    format: Literal["race-ablation"] = FORMAT
    version: Literal[1] = VERSION
    command: list[str]
    scenario: ScenarioRecord
    engine: str
    model: str
    seed: Annotated[int, Meta(ge=0)]
    base: str  # the plan that is weakened
    held: dict[str, str] = {}  # sites that the scenario holds in every plan
    executions: Count  # of a trial, at most; 0: no limit
    sample: Count  # executions of a plan in which crossings were counted
    finished: bool
    interrupted: bool = False
    ended: str = ""  # why, if it did not finish
    base_trial: TrialRecord | None = None
    off_trial: TrialRecord | None = None
    sites: list[SiteRecord]  # all, by name
    minimal: list[MinimalSet] = []
    more_minimal: bool = False  # the search for other sets ended at a limit
    masks: list[MaskRecord] = []
    unfinished: Count = 0  # engine exhaustive: trials that were no proof; such a plan counts as one that is not clean
    bounds: list[str] = []  # engine exhaustive: within which its verdicts hold
    conclusions: list[str] = []
    not_shown: list[str] = []
    host: dict[str, str | int] = {}
    trials: Count = 0
    total_executions: Count = 0
    timing: Timing | None = None

    @property
    def exit_status(self) -> int:
        return 0 if self.finished else 4


def encode(document: Ablation) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


class _Header(msgspec.Struct):
    format: str = ""
    version: int | None = None


def is_ablation(path: str | Path) -> bool:
    """Whether a file says of itself that it is one. What cannot be read is none: another reader will complain."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=_Header).format == FORMAT
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def load(path: str | Path) -> Ablation:
    try:
        data = Path(path).read_bytes()
        header = msgspec.json.decode(data, type=_Header)
        if header.version != VERSION:
            raise InputError(
                f"{path}: ablation version {header.version}, this program reads version {VERSION}; "
                "read it with the program that wrote it, or run the ablation again"
            )
        return msgspec.json.decode(data, type=Ablation)
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: damaged: {error}") from None
