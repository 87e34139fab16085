"""What the hardware engine, or race-native on a board, is given: native/capi/request.hpp reads it.

It carries what the report will need, so that a result can be read where the scenario's file is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from race.native import Site
from race.plan import Strengths, is_weakened
from race.results import ScenarioRecord
from race.scenario.expect import Expected
from race.scenario.load import Scenario
from race.scenario.native_plan import native_plan

FORMAT = "race-plan"
VERSION = 1
MODELS = ("armv8", "tso")


class Expects(msgspec.Struct, kw_only=True):
    """What the scenario expects of an arm under a model."""

    find: list[str] = []
    clean: bool = False
    never: list[str] = []
    note: str = ""


class RequestedArm(msgspec.Struct, kw_only=True):
    plan: str
    native: dict[str, Any]
    weakened: bool
    expected: dict[str, Expects] = {}  # by model


class Report(msgspec.Struct, kw_only=True):
    verb: str
    command: list[str]
    scenario: ScenarioRecord
    held: dict[str, str]
    shard: str = ""


class Request(msgspec.Struct, kw_only=True):
    format: str = FORMAT
    version: int = VERSION
    engine: str
    seed: int
    first: int = 0
    executions: int | None = None  # of each arm
    seconds: float | None = None  # of all arms together
    calibrate_seconds: float = 0
    hang_seconds: float = 10
    emulated: bool | None = None  # None: the engine looks
    inject: str = ""  # a fault, in builds for tests
    arms: list[RequestedArm] = []
    report: Report | None = None


def arms(
    scenario: Scenario, plans: Mapping[str, Strengths], sites: tuple[Site, ...], *, seed: int, max_findings: int
) -> list[RequestedArm]:
    made = []
    for plan, strengths in plans.items():
        native = native_plan(scenario, strengths, model="armv8", seed=seed, max_findings=max_findings)
        expected = {model: scenario.expectation(strengths, model) for model in MODELS}
        made.append(
            RequestedArm(
                plan=plan,
                native=msgspec.json.decode(native),
                weakened=is_weakened(strengths, sites),
                expected={model: _expects(what) for model, what in expected.items() if what is not None},
            )
        )
    return made


def _expects(expected: Expected) -> Expects:
    return Expects(find=list(expected.find), clean=expected.clean, never=list(expected.never), note=expected.note)
