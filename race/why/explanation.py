"""All that can be said of why an execution went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from race.native import Campaign, Guard, Side, Site
from race.plan import Strengths
from race.why import cycle as cycles
from race.why import sentence
from race.why.barriers import Question, weakest_change
from race.why.cycle import Cycle
from race.why.export import TooLargeError, litmus, sides


class Change(msgspec.Struct, kw_only=True, frozen=True):
    """One site made stronger, or one guard as Linux 4.8 has it."""

    site: str  # or guard
    primitive: str  # of a guard: "guard"
    file: str
    line: int
    side: Side | None  # None: it is a guard
    before: str  # its strength, or state
    after: str
    kernel: str  # what Linux 4.8 has there on arm64


class Explanation(msgspec.Struct, kw_only=True):
    name: str  # of the litmus test
    sentence: str
    cycle: Cycle
    changes: list[Change] = []  # that together forbid it; none: no site does
    litmus: str = ""  # the cycle as a test; "": there is no cycle, or it is too large
    litmus_changed: str = ""  # the same with the changes


def explain(
    campaign: Campaign,
    deviations: bytes,
    *,
    name: str,
    found: tuple[str, str],  # oracle and value
    end: int,  # the last step
    model: str,
    sites: Sequence[Site],
    guards: Sequence[Guard],
    strengths: Strengths,
    held: Mapping[str, str],
) -> Explanation:
    cycle = cycles.decode(campaign.cycle(deviations))
    happened = sentence.what_happened(cycle, end)
    if not cycle:
        mend = [
            g for g in guards if g.name in strengths and not _still(campaign, deviations, _without(strengths, g), found)
        ]
        return Explanation(
            name=name,
            sentence=" ".join([happened, *(sentence.what_mends(guard.name, guard.normal) for guard in mend)]),
            cycle=cycle,
            changes=[_restored(guard) for guard in mend],
        )
    try:
        test = litmus(cycle, name, sides(sites), strengths)
        change = weakest_change(Question(cycle, sites, model), cycle, sites, strengths, held)
    except TooLargeError as why:
        return Explanation(name=name, sentence=f"{happened} What would forbid it is not known: {why}.", cycle=cycle)
    alone = [site for site in change if not _still(campaign, deviations, strengths | {site: change[site]}, found)]
    return Explanation(
        name=name,
        cycle=cycle,
        sentence=f"{happened} {sentence.what_forbids(change, alone)}",
        changes=[_change(site, strengths, change) for site in sites if site.name in change],
        litmus=test,
        litmus_changed=litmus(cycle, name, sides(sites), strengths | change) if change else "",
    )


def _still(campaign: Campaign, deviations: bytes, strengths: Strengths, found: tuple[str, str]) -> bool:
    """Whether the same choices give the same finding under other barriers."""
    again = msgspec.json.decode(campaign.replay(deviations, msgspec.json.encode(strengths)))
    finding = again["finding"]
    return finding is not None and (finding["oracle"], finding.get("value", "")) == found


def _without(strengths: Strengths, guard: Guard) -> Strengths:
    return {name: value for name, value in strengths.items() if name != guard.name}


def _restored(guard: Guard) -> Change:
    file, _, line = guard.places[0].rpartition(":")
    return Change(
        site=guard.name,
        primitive="guard",
        file=file,
        line=int(line),
        side=None,
        before=guard.other,
        after=guard.normal,
        kernel=guard.normal,
    )


def _change(site: Site, strengths: Strengths, change: Strengths) -> Change:
    return Change(
        site=site.name,
        primitive=site.primitive,
        file=site.file,
        line=site.line,
        side=site.side,
        before=strengths[site.name],
        after=change[site.name],
        kernel=site.default,
    )
