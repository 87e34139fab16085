"""Runs the trials of an ablation as proofs: each explores the executions of one barrier plan, up to a finding."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from race import campaign
from race.ablation.bench import ENOUGH, Bench, Ended, SiteCount, Trial
from race.campaign import Flag, Workers
from race.errors import InputError, RunError
from race.exhaustive.explore import ArmPlan, Settings, explore
from race.exhaustive.state import Limits, State
from race.exhaustive.verdict import decided, proof_of
from race.plan import Strengths


@dataclass
class ProofBench:
    """An ablation's Trials."""

    native: Callable[[Mapping[str, str]], bytes]  # the engine's plan of these strengths
    workers: Workers
    stop: Flag
    deadline: float | None  # of time.monotonic()
    progress: Callable[[str, int, int], None]  # what, executions so far, of how many
    trials: int = 0
    executions: int = 0
    unfinished: int = 0
    proves: bool = True

    def trial(self, what: str, strengths: Strengths, executions: int, enough: int | None = ENOUGH) -> Trial:  # noqa: ARG002
        """It ends at a finding, and after so many executions; 0: not before all are explored."""
        seconds = None if self.deadline is None else self.deadline - time.monotonic()
        if seconds is not None and seconds <= 0:
            raise Ended(interrupted=False)
        state = State()
        plan = ArmPlan(what, self.native(strengths), decided(None), state)
        settings = Settings(seconds=seconds, executions=executions or None, everything=False, limits=Limits(1, 0))
        try:
            result = explore([plan], self.workers, settings, self.stop, self._tell)
        except InputError as error:  # with what was found before, it is a result all the same
            if self.trials:
                raise RunError(str(error)) from None
            raise
        (arm,) = result.arms
        if result.error:
            raise RunError(result.error)
        if arm.bound in ("time", "interruption"):
            raise Ended(interrupted=arm.bound == "interruption")
        proof = proof_of(arm).verdict
        self.trials += 1
        self.executions += state.executions
        self.unfinished += proof == "not finished"
        return Trial(strengths, state.executions, state.counts, state.first, proof=proof)

    def sample(
        self, what: str, strengths: Mapping[str, str], base: Mapping[str, str], executions: int
    ) -> dict[str, SiteCount]:
        """Which sites the base plan comes to. How often an access crosses one, a proof need not ask."""
        if strengths != base:
            return {}
        random = Bench(self.native, self.workers, self.stop, self.deadline, self.progress)
        return random.sample(what, strengths, base, executions)

    def _tell(self, state: campaign.State) -> None:
        self.progress(state.plan, state.executions, state.executions + (state.about or 0))
