"""From what the engine wrote (native/capi/native_run.hpp) to the result document."""

from __future__ import annotations

from typing import Any

import msgspec

from race import stats
from race.errors import InputError
from race.hardware.record import Calibration, Hardware, Host
from race.hardware.request import Expects, Request, RequestedArm
from race.record import differences
from race.results import Arm, Document, Finding, Timing
from race.scenario.expect import Expected
from race.verdict import Judged, OnHardware, Situation, judge

FORMAT = "race-native-result"
VERSION = 1


class NativeFinding(Finding, kw_only=True, omit_defaults=True):
    deviations: dict[str, list[int]] = {}


class NativeArm(msgspec.Struct, kw_only=True):
    plan: str
    executions: int
    cut_short: int
    counts: dict[str, int]
    findings: list[NativeFinding]
    deaths: list[dict[str, Any]] = []
    seconds: float = 0.0
    accesses: int = 0
    own_worker: bool = True
    oversubscribed: bool = False
    pinned: bool = True
    ended_early: str = ""
    error: str = ""


class NativeResult(msgspec.Struct, kw_only=True):
    format: str = ""
    version: int = 0
    request: Request
    started: str
    host: Host
    calibration: Calibration | None
    arms: list[NativeArm]
    interrupted: bool
    error: str
    seconds: float


def decode(data: bytes, shown: str) -> NativeResult:
    """Another version, or a damaged file, is an InputError."""
    try:
        result = msgspec.json.decode(data, type=NativeResult)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{shown}: damaged: {error}") from None
    if result.version != VERSION:
        raise InputError(
            f"{shown}: version {result.version} of a result of race-native, this program reads version {VERSION}"
        )
    return result


def document(result: NativeResult, host: dict[str, str | int]) -> Document:
    """host: of who reports it; what ran it stands in `hardware`."""
    request, report = result.request, result.request.report
    if report is None:
        raise InputError("the result is of a calibration alone, and no scenario's; `race calibrate` shows one")
    hardware = Hardware(host=result.host, calibration=result.calibration, notes=_notes(result))
    on_hardware = request.engine == "hardware"
    model = result.host.model if on_hardware else request.arms[0].native["model"]
    arms = [_arm(arm, request.arms[i], request) for i, arm in enumerate(result.arms)]
    judged = [
        Judged(arm, _expected(asked, arm, model), weakened=asked.weakened)
        for arm, asked in zip(arms, request.arms, strict=False)
    ]
    error = result.error
    if forbidden := hardware.forbidden():
        error = (
            f"the calibration failed: {', '.join(forbidden)} showed an outcome that {result.host.architecture} forbids"
        )
    verdict = judge(
        judged,
        Situation(
            model=model,
            can_fail=on_hardware or any(asked.expected.get(model, Expects()).find for asked in request.arms),
            held=report.held,
            verb=report.verb,
            interrupted=result.interrupted,
            error=error,
            hardware=OnHardware(hardware) if on_hardware else None,
        ),
    )
    return Document(
        verb=report.verb,
        command=report.command,
        scenario=report.scenario,
        engine=request.engine,
        model=model,
        seed=request.seed,
        shard=report.shard,
        interrupted=result.interrupted,
        arms=arms,
        differences=list(differences(arms)),
        verdict=verdict,
        host=_host(result, host),
        timing=Timing(
            started=result.started,
            seconds=round(result.seconds, 3),
            arm_seconds={arm.plan: round(arm.seconds, 3) for arm in result.arms},
        ),
        hardware=hardware if on_hardware else None,
    )


def _host(result: NativeResult, host: dict[str, str | int]) -> dict[str, str | int]:
    ran = {
        "race": result.host.race,
        "architecture": result.host.architecture,
        "cpu": "; ".join(result.host.cpus),
        "system": result.host.kernel,
        "compiler": result.host.compiler,
        "atomics": result.host.atomics,
    }
    return {**ran, **host}


def _arm(arm: NativeArm, asked: RequestedArm, request: Request) -> Arm:
    judged = arm.executions - arm.cut_short
    return Arm(
        plan=arm.plan,
        sites=dict(sorted(asked.native["sites"].items())),
        executions=arm.executions,
        requested=request.executions,
        counts=dict(sorted(arm.counts.items())),
        total=stats.interval(sum(arm.counts.values()), judged),
        rates={oracle: stats.interval(n, judged) for oracle, n in arm.counts.items()},
        first=min((finding.execution for finding in arm.findings), default=None),
        findings=[
            Finding(**{name: getattr(finding, name) for name in Finding.__struct_fields__})
            for finding in sorted(arm.findings, key=lambda finding: finding.execution)
        ],
        accesses=arm.accesses,
        cut_short=arm.cut_short,
    )


def _expected(asked: RequestedArm, arm: Arm, model: str) -> Expected | None:
    expects = asked.expected.get(model)
    if expects is None:
        return None
    return Expected(
        plan=arm.plan,
        strengths=arm.sites,
        models=(model,),
        find=tuple(expects.find),
        clean=expects.clean,
        never=tuple(expects.never),
        note=expects.note,
        weakened=asked.weakened,
    )


def _notes(result: NativeResult) -> list[str]:
    notes = []
    if any(not arm.pinned for arm in result.arms):
        notes.append("threads could not be pinned to CPUs: they ran where the system put them")
    if any(arm.oversubscribed for arm in result.arms):
        notes.append("there are fewer CPUs than threads: some never ran at the same time")
    if any(not arm.own_worker for arm in result.arms):
        notes.append(
            "there was no CPU for the worker of deferred frees: it ran after the other threads, not beside them"
        )
    for arm in result.arms:
        if arm.deaths:
            notes.append(f"plan {arm.plan}: {len(arm.deaths)} of its processes ended: {_death(arm.deaths[0])}")
        if arm.ended_early:
            notes.append(f"plan {arm.plan}: {arm.ended_early}")
    return notes


def _death(death: dict[str, Any]) -> str:
    words = death.get("last_words") or {}
    if "hang" in words:
        where = ", ".join(f"CPU {thread['cpu']} in {thread['function'] or 'the engine'}" for thread in words["threads"])
        return f"no thread got on for {words['hang']} s ({where})"
    if "died" in words:
        return f"{words['died']} at {words['address']} in {words.get('function') or 'the engine'}"
    return str(words.get("error") or death.get("cause", "unknown"))
