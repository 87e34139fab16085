"""A scenario under one barrier plan, as the JSON that the engine takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from race.plan import guards_of
from race.scenario.format import AnyStep
from race.scenario.load import Scenario

VERSION = 1
MAX_TRACES = 1  # findings of an arm, of each oracle, that come with their steps


def native_plan(scenario: Scenario, strengths: Mapping[str, str], *, model: str, seed: int, max_findings: int) -> bytes:
    threads = [thread.name for thread in scenario.tables.threads]
    numbers = {slot: i for i, slot in enumerate(scenario.slots)}
    return msgspec.json.encode(
        {
            "version": VERSION,
            "scenario": scenario.source.name,
            "model": model,
            "seed": seed,
            "page_size": scenario.page_size,
            "frames": scenario.tables.pool.frames,
            "sites": strengths,
            "held_guards": guards_of(scenario.held),  # the set-up has them too
            "oracles": scenario.oracles,
            "slots": scenario.slots,
            "locks": len(scenario.locks),
            "setup": [_step(step, scenario, numbers) for step in scenario.tables.setup],
            "threads": [
                {
                    "name": thread.name,
                    "steps": [_step(step, scenario, numbers) for step in thread.steps],
                    "shares_cpu_with": threads.index(thread.shares_cpu_with) if thread.shares_cpu_with else -1,
                }
                for thread in scenario.tables.threads
            ],
            "max_findings": max_findings,
            "max_traces": MAX_TRACES,
            "step_limit": 0,  # the engine's own
        }
    )


def _step(step: AnyStep, scenario: Scenario, numbers: dict[str, int]) -> dict[str, Any]:
    """The engine knows slots by number and objects by bytes, and writes `_` where TOML has `-`."""
    plan: dict[str, Any] = {"op": str(step.__struct_config__.tag).replace("-", "_")}
    for field in step.__struct_fields__:
        value = getattr(step, field)
        match field:
            case "slot":
                plan["slot"] = numbers[value]
            case "lock":
                plan["lock"] = scenario.locks.index(value)
            case "object":
                plan["size"] = scenario.sizes[value].request
            case "slots":
                plan["slots"] = [numbers[slot] for slot in value]
            case "objects":
                plan["sizes"] = [scenario.sizes[name].request for name in value]
            case "mix":
                plan["mix"] = {op: weight for op, weight in msgspec.structs.asdict(value).items() if weight}
            case _:
                plan[field] = value
    return plan
