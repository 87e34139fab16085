"""The barrier plans of a result, against what arm64 has at each ordering site."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from race.native import Site
from race.results import Arm

FEW = 14  # sites; a longer table is folded


@dataclass
class SiteRow:
    name: str
    kernel: str  # its strength on arm64; "": this program knows no such site
    strengths: list[str]  # of each plan
    where: str = ""
    protects: str = ""

    @property
    def differs(self) -> list[bool]:
        """Of each plan, whether it is not the kernel's."""
        return [bool(self.kernel) and strength != self.kernel for strength in self.strengths]


@dataclass
class Plans:
    names: list[str]
    changed: list[SiteRow] = field(default_factory=list)  # in some plan
    same: list[SiteRow] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)  # of each plan

    @property
    def few(self) -> bool:
        return len(self.changed) <= FEW


def plans(arms: Sequence[Arm], sites: Iterable[Site]) -> Plans:
    """A result says what each site had; where the sites are, and what the kernel has, only the program knows."""
    known = {site.name: site for site in sites}
    found = Plans([arm.plan for arm in arms])
    for name in sorted({name for arm in arms for name in arm.sites}):
        site = known.get(name)
        row = SiteRow(name, site.default if site else "", [arm.sites.get(name, "-") for arm in arms])
        if site is not None:
            row.where, row.protects = f"{site.file}:{site.line}", site.protects
        (found.changed if any(row.differs) or site is None else found.same).append(row)
    found.summaries = [_summary(arm, i, found) for i, arm in enumerate(arms)]
    return found


def _summary(arm: Arm, i: int, found: Plans) -> str:
    differing = [row for row in found.changed if row.differs[i]]
    if not differing:
        return "every site as arm64 has it"
    strengths = {row.strengths[i] for row in differing}
    how = f", each at {strengths.pop()}" if len(strengths) == 1 else ""
    if len(differing) == 1:
        return f"{differing[0].name} at {differing[0].strengths[i]} instead of {differing[0].kernel}"
    return f"{len(differing)} of {len(arm.sites)} sites differ from arm64{how}"
