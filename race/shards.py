"""Results of the same campaign from several machines, as one. What does not belong together is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from race import stats
from race.errors import InputError
from race.hardware.record import Calibration, Hardware
from race.native import Catalog
from race.plan import is_weakened
from race.record import differences
from race.results import Arm, Document, Timing
from race.scenario.load import Scenario, find, load, sha256, shipped, shown
from race.verdict import Judged, OnHardware, Situation, judge


def merged(documents: Sequence[Document], names: Sequence[str], catalog: Catalog, command: list[str]) -> Document:
    """In the order of the files. The verdict is made anew, of the sums."""
    first = documents[0]
    if any(document.engine == "exhaustive" for document in documents):
        raise InputError("results of --engine exhaustive are not parts of one: --jobs and --executor share a proof out")
    if len(documents) < 2:
        raise InputError("give at least two results to merge")
    for document, name in zip(documents[1:], names[1:], strict=True):
        _check_same(first, document, names[0], name)
    _check_shards(documents, names)
    scenario = _scenario(first, catalog)
    arms = [_arm([document.arms[i] for document in documents]) for i in range(len(first.arms))]
    hardware = _hardware(documents)
    interrupted = any(document.interrupted for document in documents)
    incomplete = [name for d, name in zip(documents, names, strict=True) if d.verdict.status == "incomplete"]
    verdict = judge(
        [
            Judged(arm, scenario.expectation(arm.sites, first.model), weakened=is_weakened(arm.sites, catalog.sites))
            for arm in arms
        ],
        Situation(
            model=first.model,
            can_fail=hardware is not None or scenario.can_fail(first.model),
            held=scenario.held,
            verb=first.verb,
            interrupted=interrupted,
            error=f"{', '.join(incomplete)} was not completed" if incomplete and not interrupted else "",
            hardware=OnHardware(hardware) if hardware else None,
        ),
    )
    return msgspec.structs.replace(
        first,
        command=command,
        shard=", ".join(document.shard for document in documents if document.shard),
        interrupted=interrupted,
        arms=arms,
        differences=list(differences(arms)),
        verdict=verdict,
        timing=_timing(documents),
        hardware=hardware,
    )


def _check_same(first: Document, other: Document, first_name: str, name: str) -> None:
    facts: dict[str, Callable[[Document], object]] = {
        "scenario": lambda d: d.scenario.name,
        "scenario file (sha256)": lambda d: d.scenario.sha256,
        "page size": lambda d: d.scenario.page_size,
        "engine": lambda d: d.engine,
        "model": lambda d: d.model,
        "verb": lambda d: d.verb,
        "set of barrier plans": lambda d: "; ".join(arm.plan for arm in d.arms),
        "emulation": lambda d: d.hardware.host.emulated if d.hardware else None,
    }
    if first.engine != "hardware":  # there a seed names no executions
        facts["seed"] = lambda d: d.seed
    for what, fact in facts.items():
        if fact(first) != fact(other):
            raise InputError(f"{name} does not belong to {first_name}: its {what} is {fact(other)}, not {fact(first)}")
    for mine, theirs in zip(first.arms, other.arms, strict=True):
        if mine.sites != theirs.sites:
            raise InputError(f"{name} does not belong to {first_name}: its plan {mine.plan} has other strengths")


def _check_shards(documents: Sequence[Document], names: Sequence[str]) -> None:
    """The same executions must not count twice."""
    seen: dict[str, str] = {}
    for document, name in zip(documents, names, strict=True):
        if not document.shard and document.engine != "hardware":
            raise InputError(f"{name} is no shard: it was not run with --shard, so it is all of its campaign")
        if document.shard in seen and document.shard:
            raise InputError(f"{name} is shard {document.shard}, and so is {seen[document.shard]}")
        seen[document.shard] = name
    counts = {document.shard.partition("/")[2] for document in documents if document.shard}
    if len(counts) > 1:
        raise InputError(f"the shards are of different campaigns: of {' and of '.join(sorted(counts))} parts")
    if any(document.timing is not None for document in documents):
        started = Counter(
            (document.timing.started, document.timing.seconds) for document in documents if document.timing is not None
        )
        if started.most_common(1)[0][1] > 1:
            raise InputError("two of the files are the same run")


def _scenario(document: Document, catalog: Catalog) -> Scenario:
    record = document.scenario
    known = shipped()
    ours = record.name in known and record.file == shown(known[record.name])
    source = find(record.name if ours else record.file)
    if sha256(source) != document.scenario.sha256:
        raise InputError(f"scenario {source.shown} is not the one of the results: its sha256 differs")
    return load(source, catalog, document.scenario.page_size)


def _arm(arms: Sequence[Arm]) -> Arm:
    counts = Counter[str]()
    for arm in arms:
        counts.update(arm.counts)
    executions, cut_short = sum(arm.executions for arm in arms), sum(arm.cut_short for arm in arms)
    judged = executions - cut_short
    requested = [arm.requested for arm in arms]
    return Arm(
        plan=arms[0].plan,
        sites=arms[0].sites,
        executions=executions,
        requested=None if None in requested else sum(n for n in requested if n is not None),
        counts=dict(sorted(counts.items())),
        total=stats.interval(counts.total(), judged),
        rates={oracle: stats.interval(n, judged) for oracle, n in sorted(counts.items())},
        first=min((arm.first for arm in arms if arm.first is not None), default=None),
        findings=sorted((finding for arm in arms for finding in arm.findings), key=lambda finding: finding.execution),
        accesses=sum(arm.accesses for arm in arms),
        cut_short=cut_short,
    )


def _timing(documents: Sequence[Document]) -> Timing | None:
    timings = [document.timing for document in documents if document.timing is not None]
    if not timings:
        return None
    arm_seconds = Counter[str]()
    for timing in timings:
        arm_seconds.update(timing.arm_seconds)
    return Timing(
        started=min(timing.started for timing in timings),
        seconds=round(sum(timing.seconds for timing in timings), 3),
        arm_seconds={plan: round(seconds, 3) for plan, seconds in arm_seconds.items()},
    )


def _hardware(documents: Sequence[Document]) -> Hardware | None:
    """The calibrations added up; each kind of CPU named once."""
    all_hardware = [document.hardware for document in documents if document.hardware is not None]
    if not all_hardware:
        return None
    first = all_hardware[0]
    cpus = list(dict.fromkeys(cpu for hardware in all_hardware for cpu in hardware.host.cpus))
    calibrations = [hardware.calibration for hardware in all_hardware if hardware.calibration is not None]
    notes = list(dict.fromkeys(note for hardware in all_hardware for note in hardware.notes))
    return Hardware(
        host=msgspec.structs.replace(first.host, cpus=cpus),
        calibration=_calibration(calibrations) if len(calibrations) == len(all_hardware) else None,
        notes=notes,
    )


def _calibration(calibrations: Sequence[Calibration]) -> Calibration:
    tests = []
    for same in zip(*(calibration.tests for calibration in calibrations), strict=True):
        outcomes = Counter[str]()
        for test in same:
            outcomes.update(test.outcomes)
        tests.append(
            msgspec.structs.replace(
                same[0],
                iterations=sum(test.iterations for test in same),
                weak=sum(test.weak for test in same),
                iterations_per_second=max(test.iterations_per_second for test in same),
                weak_per_second=max(test.weak_per_second for test in same),
                outcomes=dict(outcomes),
            )
        )
    return msgspec.structs.replace(
        calibrations[0],
        tests=tests,
        seconds=sum(calibration.seconds for calibration in calibrations),
        trials=sum(calibration.trials for calibration in calibrations),
        enough_cpus=any(calibration.enough_cpus for calibration in calibrations),
    )
