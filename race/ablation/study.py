"""An ablation, step by step: each site alone, then sets of them. What there is when it ends early is still a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from race.ablation.bench import Ended, SiteCount, Trial, Trials
from race.ablation.search import Search, Sites
from race.errors import InputError
from race.native import Site
from race.plan import ASCENDING, Strengths

SAMPLE = 2000  # executions in which crossings are counted, of a plan
ALONE_EXECUTIONS = 2000  # of a plan in which one site is strengthened alone: nearly all fail, and the rate is wanted
MOST_SETS = 8
NOT_COUNTED = SiteCount()
NOT_FINISHED = "not finished"


@dataclass
class SiteStudy:
    site: Site
    strength: str  # in the base plan
    crossed: SiteCount = NOT_COUNTED  # under the base plan
    tried: int = 0  # executions of the sample in which an access moved across it, with this site alone weakened
    tried_together: int = 0  # with all weakened but the first minimal set
    weakened: Trial | None = None
    strengthened: Trial | None = None


@dataclass
class Mask:
    """Sites each of which can be weakened while the others hold: without all of them there are findings."""

    sites: list[str]
    together: Trial


@dataclass
class SetStudy:
    """Sites that together keep the scenario clean, with every other one at none; none of them can be spared."""

    sites: list[str]
    strengths: Strengths  # the whole plan, with each of them as weak as will do
    trial: Trial | None  # of that plan; None: it was not come to


@dataclass
class Study:
    bench: Trials
    base: Strengths
    off: Strengths
    sites: Sequence[Site]  # all
    held: Mapping[str, str]  # that the scenario holds, and the base plan does not name
    executions: int  # of a trial; where it proves, 0 is no limit
    base_trial: Trial | None = None
    off_trial: Trial | None = None
    sample: int = 0
    by_site: dict[str, SiteStudy] = field(default_factory=dict)  # of the sites that can be weakened
    sets: list[SetStudy] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    more_sets: bool = False  # there may be
    masks_known: bool = False
    finished: bool = False

    def __post_init__(self) -> None:
        self.by_site = {
            site.name: SiteStudy(site, self.base[site.name])
            for site in sorted(self.sites, key=lambda site: site.name)
            if site.name not in self.held and self.base[site.name] != "none"
        }
        self._search = Search(lambda weakened: self._trial("sets", self._without(weakened)).clean)
        self._idle: list[str] = []  # sites that no execution of the sample came to

    def run(self) -> None:
        self.base_trial = self._trial("base plan", self.base)
        if self.base_trial.proof == "not finished":
            n = self.base_trial.executions
            raise Ended(interrupted=False, why=f"the base plan was not proved: {n:,} executions were not all")
        if not self.base_trial.clean:
            found = ", ".join(self.base_trial.counts)
            raise InputError(
                f"the base plan is not clean: execution {self.base_trial.first} finds something ({found}), so nothing "
                "can be said of what a site prevents; name a plan that is clean with --barriers"
            )
        self._count_crossings()
        self._weaken_each()
        self._strengthen_each()
        self._find_sets()
        self._find_masks()
        self._lower()
        self.finished = True

    @property
    def necessary(self) -> list[str]:
        return [name for name, s in self.by_site.items() if s.weakened is not None and s.weakened.counts]

    @property
    def unproved(self) -> list[str]:
        """Sites of which it is not known whether they can be weakened alone."""
        return [name for name, s in self.by_site.items() if s.weakened is not None and s.weakened.proof == NOT_FINISHED]

    def _trial(self, what: str, strengths: Strengths, executions: int | None = None) -> Trial:
        return self.bench.trial(what, strengths, executions or self.executions)

    def _without(self, weakened: Sites) -> Strengths:
        return {**self.base, **dict.fromkeys(weakened, "none")}

    def _count_crossings(self) -> None:
        wanted = min(SAMPLE, self.executions or SAMPLE)
        counts = self.bench.sample("crossings", self.base, self.base, wanted)
        self.sample = wanted
        for name, s in self.by_site.items():
            s.crossed = counts.get(name, NOT_COUNTED)
        self._idle = [name for name, s in self.by_site.items() if not s.crossed.times]

    def _weaken_each(self) -> None:
        idle = frozenset(self._idle)
        if idle and not self._search.clean(idle):
            self._idle = []  # some execution comes to one of them after all
        for name, s in self.by_site.items():
            if name in self._idle:
                continue
            alone = self._without(frozenset((name,)))
            s.weakened = self._trial(name, alone)
            self._search.learn(frozenset((name,)), s.weakened.clean)
            s.tried = self.bench.sample(name, alone, self.base, self.sample).get(name, NOT_COUNTED).tried

    def _find_sets(self) -> None:
        """The first set, and those that do without some of its members, and so on."""
        idle, necessary = frozenset(self._idle), self.necessary
        spare = [name for name in self.by_site if name not in idle and name not in necessary]
        found: list[Sites] = []
        queue: list[Sites] = [frozenset()]
        seen = set(queue)
        enough_trials = 0
        while queue and len(found) < MOST_SETS and (not found or self.bench.trials < enough_trials):
            without = queue.pop(0)
            if not self._search.clean(idle | without):
                continue
            weakened = self._search.largest(idle | without, [name for name in spare if name not in without])
            if not found:
                enough_trials = self.bench.trials + 2 * len(self.by_site)  # as many again as all else takes
            if weakened not in found:
                found.append(weakened)
            for name in spare:
                if name not in weakened and (more := without | {name}) not in seen:
                    seen.add(more)
                    queue.append(more)
        self.more_sets = bool(queue)
        for weakened in found:
            kept = [name for name in self.by_site if name not in weakened]
            self.sets.append(SetStudy(kept, self._without(weakened), None))
        together = self.bench.sample("crossings", self.sets[0].strengths, self.base, self.sample)
        for name, s in self.by_site.items():
            s.tried_together = together.get(name, NOT_COUNTED).tried

    def _find_masks(self) -> None:
        """A member of a set that can be spared alone has others behind it, which hold while it is gone."""
        groups: list[Sites] = []
        for kept in self.sets:
            others = [name for name in self.by_site if name not in kept.sites and name not in self._idle]
            for name in kept.sites:
                if name in self.necessary or name in self.unproved or any(name in group for group in groups):
                    continue
                group = frozenset((name, *self._search.cause(frozenset((name,)), [*others, *self._idle])))
                if group not in groups:
                    groups.append(group)
        for group in groups:
            together = self._trial("together", self._without(group))
            self.masks.append(Mask(sorted(group), together))
        self.masks_known = True

    def _lower(self) -> None:
        """What sufficed in an earlier set is tried first in the next: as a rule they differ in one or two sites."""
        known: Strengths = {}
        for kept in self.sets:
            shared = {name: known[name] for name in kept.sites if name in known}
            if shared:
                self._keep_if_clean(kept, {**kept.strengths, **shared})
            new = kept.sites if kept.trial is None else [name for name in kept.sites if name not in shared]
            for name in new:
                s = self.by_site[name]
                order = ASCENDING[s.site.side]
                for strength in order[1 : order.index(s.strength)]:  # at none it fails: it is a member
                    if self._keep_if_clean(kept, {**kept.strengths, name: strength}):
                        break
            if kept.trial is None:
                kept.trial = self._trial("sets", kept.strengths)
            known.update((name, kept.strengths[name]) for name in kept.sites if name not in known)

    def _keep_if_clean(self, kept: SetStudy, strengths: Strengths) -> bool:
        trial = self._trial("strengths", strengths)
        if trial.clean:
            kept.strengths, kept.trial = strengths, trial
        return trial.clean

    def _strengthen_each(self) -> None:
        executions = min(ALONE_EXECUTIONS, self.executions)
        self.off_trial = self.bench.trial("off", self.off, executions, enough=None)
        for name, s in self.by_site.items():
            if name not in self._idle:
                alone = {**self.off, name: s.strength}
                s.strengthened = self.bench.trial(f"{name} alone", alone, executions, enough=None)
