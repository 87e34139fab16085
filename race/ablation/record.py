"""From a study to its document: what each site is, and what may be said of it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from race import host, stats
from race.ablation.bench import Trial
from race.ablation.document import (
    Ablation,
    MaskRecord,
    MinimalSet,
    SiteRecord,
    Timing,
    TrialRecord,
)
from race.ablation.study import SiteStudy, Study
from race.exhaustive.record import bounds
from race.exhaustive.verdict import NOT_EXPLORED, OUTSIDE
from race.native import Site
from race.plan import PRESETS, Strengths
from race.record import scenario_record
from race.report.words import count, p_value, percent
from race.scenario.load import Scenario
from race.verdict import MODEL_LIMITS, SIGNIFICANT

MIN_TRIED = 10  # executions of the sample; fewer attempts say too little of a site that was not missed

ELSEWHERE = "that a redundant site is of no use: other code, or another scenario, may need it"
MONOTONE = (
    "that weakening more sites never takes a finding away: a set of weakened sites was not run where a larger one was "
    "clean or a smaller one failed"
)


@dataclass(frozen=True)
class Asked:
    """What was asked for."""

    command: list[str]
    scenario: Scenario
    model: str
    seed: int
    jobs: int
    base: str
    engine: str = "weak"


def plan_text(strengths: Mapping[str, str], sites: Sequence[Site], held: Mapping[str, str]) -> str:
    """The shortest plan of a preset and overrides, under that scenario, that gives every site its strength."""
    shortest: list[str] | None = None
    for preset in ("on", "off"):
        given: Strengths = {**{site.name: PRESETS[preset](site) for site in sites}, **held}
        changed = [f"{name}={strength}" for name, strength in sorted(strengths.items()) if given.get(name) != strength]
        if shortest is None or len(changed) + 1 < len(shortest):
            shortest = [preset, *changed]
    return ",".join(shortest or [])


def ablation(asked: Asked, study: Study, started: datetime.datetime, seconds: float, ended: str) -> Ablation:
    document = _Recorder(asked, study).document()
    document.ended = ended
    document.timing = Timing(started=started.isoformat(timespec="seconds"), seconds=round(seconds, 3))
    document.host = host.describe(asked.jobs)
    return document


class _Recorder:
    def __init__(self, asked: Asked, study: Study) -> None:
        self._asked = asked
        self._study = study
        self._masked_by: dict[str, set[str]] = {}
        for mask in study.masks:
            for name in mask.sites:
                self._masked_by.setdefault(name, set()).update(set(mask.sites) - {name})
        self._weakest: Strengths = {}
        for kept in reversed(study.sets):
            if kept.trial is not None:
                self._weakest.update((name, kept.strengths[name]) for name in kept.sites)

    def document(self) -> Ablation:
        study, asked = self._study, self._asked
        document = Ablation(
            command=asked.command,
            scenario=scenario_record(asked.scenario),
            engine=asked.engine,
            model=asked.model,
            seed=asked.seed,
            base=asked.base,
            held=dict(study.held),
            executions=study.executions,
            sample=study.sample,
            finished=study.finished,
            base_trial=self._trial(study.base_trial, None),
            off_trial=self._trial(study.off_trial, None),
            sites=[self._site(site) for site in sorted(study.sites, key=lambda site: site.name)],
            minimal=[
                MinimalSet(
                    sites={name: kept.strengths[name] for name in kept.sites},
                    trial=self._trial(kept.trial, study.base_trial),
                )
                for kept in study.sets
            ],
            masks=[MaskRecord(sites=mask.sites, together=self._require(mask.together)) for mask in study.masks],
            more_minimal=study.more_sets,
            unfinished=study.bench.unfinished,
            bounds=list(bounds(asked.scenario, asked.model)) if study.bench.proves else [],
            trials=study.bench.trials,
            total_executions=study.bench.executions,
        )
        document.conclusions = list(_conclusions(document))
        document.not_shown = list(_not_shown(document))
        return document

    def _trial(self, trial: Trial | None, control: Trial | None) -> TrialRecord | None:
        if trial is None:
            return None
        plan = plan_text(trial.strengths, self._study.sites, self._asked.scenario.held)
        counts = dict(sorted(trial.counts.items()))
        if trial.proof is not None:
            return TrialRecord(
                plan=plan, executions=trial.executions, counts=counts, first=trial.first, proof=trial.proof
            )
        p = None
        if control is not None:
            p = stats.fisher(trial.hits, trial.judged, control.hits, control.judged)
        return TrialRecord(
            plan=plan,
            executions=trial.executions,
            counts=counts,
            first=trial.first,
            cut_short=trial.cut_short,
            rate=stats.interval(trial.hits, trial.judged),
            p_value=p,
        )

    def _require(self, trial: Trial) -> TrialRecord:
        record = self._trial(trial, self._study.base_trial)
        assert record is not None
        return record

    def _site(self, site: Site) -> SiteRecord:
        study = self._study
        record = SiteRecord(
            site=site.name,
            primitive=site.primitive,
            side=site.side,
            strength=study.base[site.name],
            verdict="untested",
        )
        s = study.by_site.get(site.name)
        if s is None:
            record.why = (
                f"the scenario holds it at {record.strength} in every plan"
                if site.name in study.held
                else "it is at none in the base plan"
            )
            return record
        if study.sample:
            record.crossed, record.times = s.crossed.crossed, s.crossed.times
        if s.weakened is not None and not study.bench.proves:
            record.tried = s.tried
        if study.sets and not study.bench.proves:
            record.tried_together = s.tried_together
        record.weakened = self._trial(s.weakened, study.base_trial)
        record.strengthened = self._trial(s.strengthened, study.off_trial)
        record.weakest = self._weakest.get(site.name)
        record.masked_by = sorted(self._masked_by.get(site.name, ()))
        self._judge(record, s)
        return record

    def _judge(self, record: SiteRecord, s: SiteStudy) -> None:
        study, trial = self._study, record.weakened
        tried = max(s.tried, s.tried_together)
        if trial is not None and trial.hits:
            record.verdict = "necessary"
            found = ", ".join(f"{name} {n}" for name, n in trial.counts.items())
            record.why = f"weakened alone: {found} in {count(trial.executions)} executions"
            if trial.proof is not None:
                found = " and ".join(trial.counts)
                record.why = f"weakened alone it is refuted: {found} in execution {count(trial.first or 0)}"
            if trial.p_value is not None:
                record.why += f", {p_value(trial.p_value)} against the base plan"
                if trial.p_value >= SIGNIFICANT:
                    record.why += ", which more executions would make surer"
        elif record.masked_by:
            record.verdict = "masked"
            record.why = f"weakened alone nothing is found, but with {_and(record.masked_by)} weakened too"
        elif trial is not None and trial.proof == "not finished":
            record.why = f"weakened alone nothing is found, but {count(trial.executions)} executions were not all"
        elif trial is None and study.sample and not s.crossed.times:
            record.why = f"no execution of {count(study.sample)} came to it"
            if study.bench.proves:
                record.why += "; proved: nothing is found with it and all others of which that is so at none together"
        elif trial is None or not study.sets:
            record.why = "the run ended before it was tested"
        elif not study.masks_known:
            record.why = "weakened alone nothing is found, but the run ended before it was known whether others mask it"
        elif trial.proof is not None:
            record.verdict = "redundant"
            record.weakest = record.weakest or "none"
            record.why = f"proved: nothing is found in any of the {count(trial.executions)} executions with it at none"
        elif tried == 0:
            record.why = (
                f"weakened alone nothing is found, but no access moved across it in {count(study.sample)} executions"
            )
        elif tried < MIN_TRIED:
            record.why = (
                f"weakened alone nothing is found, but an access moved across it in only {tried} of "
                f"{count(study.sample)} executions"
            )
        else:
            record.verdict = "redundant"
            record.weakest = record.weakest or "none"
            record.why = (
                f"nothing is found in {count(trial.executions)} executions with it at none, while an access moved "
                f"across it in {count(tried)} of {count(study.sample)}"
            )


def _conclusions(document: Ablation) -> Iterator[str]:
    of: dict[str, list[SiteRecord]] = {}
    for site in document.sites:
        of.setdefault(site.verdict, []).append(site)
    if not document.finished:
        yield "the run did not come to its end: what was not tested by then counts as untested"
    for site in of.get("necessary", []):
        yield f"{site.site} is necessary: {site.why}"
    for mask in document.masks:
        found = ", ".join(mask.together.counts)
        rate = f" ({percent(mask.together.rate.rate)})" if mask.together.rate else ""
        yield f"{_and(mask.sites)} stand in for each other: one of them is enough; without all of them: {found}{rate}"
    if redundant := of.get("redundant"):
        how = "redundant in this scenario"
        if document.engine == "exhaustive":
            how += ", each proved alone within bounds"
        yield f"{how}: {_and([site.site for site in redundant])}"
    for kept in document.minimal:
        if kept.trial is not None:
            needed = _and([f"{name}={strength}" for name, strength in kept.sites.items()])
            yield (f"enough: {needed + ', every other site' if needed else 'every site'} at none: {_clean(kept.trial)}")
    if document.unfinished:
        yield (
            f"{count(document.unfinished)} trials were not finished and count as not clean: a smaller set, or a weaker "
            "strength, may be enough too"
        )
    if document.more_minimal:
        yield f"there may be more such sets: the search ended with {len(document.minimal)}"
    if untested := [s for s in of.get("untested", []) if s.weakened is not None]:
        yield f"untested, though executions came to them: {_and([site.site for site in untested])}"
    for name, strength in document.held.items():
        yield f"the scenario holds {name} at {strength} in every plan; name it in --barriers to ask about it"


def _clean(trial: TrialRecord) -> str:
    if trial.rate is None:
        return f"proved within bounds, by {count(trial.executions)} executions"
    return f"nothing found in {count(trial.executions)} executions (up to {percent(trial.rate.high)})"


def _not_shown(document: Ablation) -> Iterator[str]:
    if document.engine == "exhaustive":
        yield from _not_proved(document)
        return
    bound = percent(stats.zero_hit_bound(document.executions))
    yield (
        f"that a clean plan cannot fail: nothing in {count(document.executions)} executions leaves a chance of up to "
        f"{bound} an execution (one-sided, 95 %, of one trial)"
    )
    yield ELSEWHERE
    if document.minimal:
        yield MONOTONE
    yield (
        f"anything about real hardware: the machine is simulated (model {document.model}), and the rates are those of "
        "its random scheduler"
    )
    if document.model in MODEL_LIMITS:
        yield MODEL_LIMITS[document.model]


def _not_proved(document: Ablation) -> Iterator[str]:
    yield ELSEWHERE
    if document.minimal:
        yield MONOTONE
    yield OUTSIDE
    yield NOT_EXPLORED
    yield f"anything about real hardware: the machine is simulated (model {document.model})"
    if document.model in MODEL_LIMITS:
        yield MODEL_LIMITS[document.model]


def _and(names: Sequence[str]) -> str:
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last
