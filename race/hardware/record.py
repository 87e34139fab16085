"""What a result says about the hardware that it was made on."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]

EMULATED = "emulated: no evidence about ordering"


class CalibrationTest(msgspec.Struct, kw_only=True):
    """A litmus test on the host's own threads."""

    name: str
    text: str  # what a weak outcome shows
    allowed: dict[str, bool]  # by model
    iterations: Count
    weak: Count
    iterations_per_second: float  # with the tuning that was kept
    weak_per_second: float
    outcomes: dict[str, Count] = {}  # what the two threads read; of two loads the second counts four times


class Tuning(msgspec.Struct, kw_only=True):
    text: str
    placement: int = 0


class Calibration(msgspec.Struct, kw_only=True):
    tests: list[CalibrationTest]
    seconds: float
    trials: Count  # how many tunings the search tried
    enough_cpus: bool  # two, so that the threads ran at the same time
    cpus: list[int]
    tuning: Tuning

    def seen(self) -> list[str]:
        return [test.name for test in self.tests if test.weak]


class Host(msgspec.Struct, kw_only=True):
    race: str
    architecture: str
    model: str
    cpus: list[str]
    kernel: str
    compiler: str
    atomics: str
    emulated: bool
    why: str


class Hardware(msgspec.Struct, kw_only=True):
    host: Host
    calibration: Calibration | None = None
    notes: list[str] = []  # what the reader must know of how it ran

    def forbidden(self) -> list[str]:
        """Tests whose weak outcome was seen although the architecture does not allow it."""
        tests = self.calibration.tests if self.calibration else []
        return [test.name for test in tests if test.weak and not test.allowed[self.host.model]]

    def cannot(self) -> str:
        """Why finding nothing says nothing about ordering here; empty: it was seen to reorder what scenarios need."""
        if self.host.emulated:
            return f"{EMULATED} ({self.host.why})"
        if self.host.model == "tso":
            return (
                f"this host cannot show it: {self.host.architecture} keeps stores in order and loads in order (TSO), "
                "so who sees an unlock sees the copy before it, whatever the barriers"
            )
        if self.calibration is None:
            return "this host was not calibrated: whether it reorders at all is not known"
        if not self.calibration.enough_cpus:
            return "this host has one CPU for the run, and a CPU sees its own accesses in order"
        if "MP" not in self.calibration.seen():
            return "the calibration did not see this host reorder two stores, or two loads (MP)"
        return ""


def summary(hardware: Hardware) -> list[str]:
    """In sentences: what the architecture allows, and what the calibration saw."""
    lines = []
    host = hardware.host
    if host.emulated:
        lines.append(f"{EMULATED} ({host.why})")
    if calibration := hardware.calibration:
        for test in calibration.tests:
            allowed = f"{'allowed' if test.allowed[host.model] else 'forbidden'} by {host.architecture}"
            lines.append(f"{test.name}: {test.weak:,} weak of {test.iterations:,} ({allowed}): {test.text}")
        lines.append(f"tuning: {calibration.tuning.text} (the best of {calibration.trials})")
    return lines + hardware.notes
