"""One execution again, from its token: as it was, as small as it gets, and under other barriers."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from race import native
from race.errors import InputError
from race.merge import Found
from race.plan import Strengths, resolve
from race.results import Step
from race.scenario.load import Scenario, Source, find, load, read, sha256, shipped, shown
from race.scenario.native_plan import native_plan
from race.token import Token, token_of
from race.why.explanation import Explanation, explain

LIMIT = 4000  # executions that a minimisation may try
POLL = 0.1  # seconds between looks at its progress and at the interruption flag


class Divergence(msgspec.Struct, kw_only=True):
    """The first step under other barriers that is not what it was; barriers that came or went are no difference."""

    step: int
    now: str
    step_before: int
    before: str


class Size(msgspec.Struct, kw_only=True):
    reorderings: int
    switches: int
    deviations: int


class Replayed(Size, kw_only=True):
    finding: Found | None
    steps: list[Step] = []
    steps_left_out: int = 0
    misfit: str = ""
    diverged: Divergence | None = None


class Needed(msgspec.Struct, kw_only=True):
    """A deviation that is left, and what becomes of the execution without it."""

    kind: str
    step: int
    text: str
    without: str
    necessary: bool


class Minimised(Size, kw_only=True):
    finding: Found | None
    before: Size
    needed: list[Needed]
    executions: int
    complete: bool


class Flag(Protocol):
    def is_set(self) -> bool: ...


@dataclass(frozen=True)
class Subject:
    """What a token names, ready to run."""

    token: Token
    scenario: Scenario
    strengths: Strengths


@dataclass
class Outcome:
    replayed: Replayed
    minimised: Minimised | None = None
    explanation: Explanation | None = None  # of the smallest execution that there is
    changed: Replayed | None = None
    interrupted: bool = False


def subject(token: Token, catalog: native.Catalog, file: str | None = None) -> Subject:
    """Whatever of the token does not fit this program and its scenarios is an InputError."""
    source = _source(token, file)
    if sha256(source)[: len(token.sha256)] != token.sha256:
        raise InputError(
            f"scenario {source.shown} is not the one that the token was made with: its SHA-256 begins with "
            f"{sha256(source)[: len(token.sha256)]}, that one's with {token.sha256}; "
            "give the old file with --scenario FILE"
        )
    scenario = load(source, catalog, token.page_size)
    return Subject(token, scenario, resolve(token.plan, catalog.sites, scenario.held, catalog.guards))


def _source(token: Token, file: str | None) -> Source:
    if file is not None:
        return find(file)
    known = shipped()
    if token.scenario not in known:
        raise InputError(
            f'scenario "{token.scenario}" does not come with this program; give its file with --scenario FILE'
        )
    return read(known[token.scenario], shown(known[token.scenario]))


def run(
    subject: Subject,
    catalog: native.Catalog,
    *,
    minimise: bool,
    changed: Strengths | None,
    stop: Flag,
    progress: Callable[[int, int, int], None],
) -> Outcome:
    """In another thread, because a native campaign belongs to one; this one watches."""
    token = subject.token
    plan = native_plan(subject.scenario, subject.strengths, model=token.model, seed=token.seed, max_findings=0)

    def work(campaign: native.Campaign) -> Outcome:
        deviations = msgspec.json.encode(token.deviations)
        outcome = Outcome(_decode(campaign.replay(deviations)))
        found = outcome.replayed.finding
        if found is None or outcome.replayed.misfit:
            return outcome
        if minimise:
            outcome.minimised = msgspec.json.decode(campaign.minimise(deviations, LIMIT), type=Minimised)
            if outcome.minimised.finding is not None:
                found = outcome.minimised.finding
                deviations = msgspec.json.encode(found.deviations)
        outcome.explanation = _explained(subject, catalog, campaign, found, deviations)
        if changed is not None:
            outcome.changed = _decode(campaign.replay(deviations, msgspec.json.encode(changed)))
        return outcome

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        campaign = thread.submit(native.Campaign, plan).result()
        try:
            future = thread.submit(work, campaign)
            interrupted = False
            while not concurrent.futures.wait([future], timeout=POLL).done:
                progress(*campaign.progress())
                if stop.is_set():
                    interrupted = True
                    campaign.cancel()
            outcome = future.result()
            outcome.interrupted = interrupted
            return outcome
        finally:
            campaign.close()


def _explained(
    subject: Subject, catalog: native.Catalog, campaign: native.Campaign, found: Found, deviations: bytes
) -> Explanation:
    return explain(
        campaign,
        deviations,
        name=f"{subject.scenario.source.name}.{found.oracle}",
        found=(found.oracle, found.value),
        end=found.steps[-1].step if found.steps else 0,
        model=subject.token.model,
        sites=catalog.sites,
        guards=catalog.guards,
        strengths=subject.strengths,
        held=subject.scenario.held,
    )


def _decode(text: bytes) -> Replayed:
    return msgspec.json.decode(text, type=Replayed)


def token_for(subject: Subject, found: Found) -> str:
    """Of another execution of the same scenario, plan and model."""
    token = subject.token
    return token_of(subject.scenario, token.plan, token.model, token.seed, found.deviations)
