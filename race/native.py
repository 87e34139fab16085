"""The native engine, typed. Everything that crosses the C interface (native/capi/race.h) crosses it here."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from race.errors import InputError, RunError

try:
    from race import _native
    from race._native import ffi, lib
except ImportError as missing:
    raise RunError(f"the native engine is not built ({missing}); build it with `make` in the checkout") from missing

Side = Literal["lock", "unlock"]


class Site(msgspec.Struct, frozen=True):
    """An ordering site of the allocator."""

    name: str
    primitive: str
    side: Side
    default: str
    protects: str
    file: str
    line: int


class Guard(msgspec.Struct, frozen=True):
    """A step of the code that a plan can have otherwise than Linux 4.8."""

    name: str
    normal: str  # its state in 4.8
    other: str
    protects: str
    history: str
    places: tuple[str, ...]  # FILE:LINE


class Oracle(msgspec.Struct, frozen=True):
    name: str
    meaning: str


class SizeClass(msgspec.Struct, frozen=True):
    """A size class of the allocator at one page size."""

    index: int
    size: int  # bytes of one object, its header included
    pages: int  # of one zspage
    objects: int  # in one zspage
    huge: bool
    max_request: int  # the largest size that zs_malloc serves from it


@dataclass(frozen=True)
class Catalog:
    """What the engine knows by name: all that is needed to check a scenario or a barrier plan."""

    sites: tuple[Site, ...]
    guards: tuple[Guard, ...]
    oracles: tuple[Oracle, ...]
    geometry: Callable[[int], tuple[SizeClass, ...]]  # of a page size

    @property
    def oracle_names(self) -> list[str]:
        return [oracle.name for oracle in self.oracles]


def _take(text: Any) -> bytes:
    """A string that the engine gave us, as our own copy."""
    try:
        return bytes(ffi.string(text))
    finally:
        lib.race_free(text)


def _take_error(error: Any, otherwise: str) -> str:
    return _take(error[0]).decode(errors="replace") if error[0] != ffi.NULL else otherwise


def version() -> str:
    return bytes(ffi.string(lib.race_version())).decode()


@functools.cache
def build() -> str:
    """The version, and which build of it: two builds of one version may search differently."""
    return f"{version()} ({hashlib.sha256(Path(_native.__file__).read_bytes()).hexdigest()[:12]})"


@functools.cache
def geometry(page_size: int) -> tuple[SizeClass, ...]:
    error = ffi.new("char **")
    text = lib.race_geometry(page_size, error)
    if text == ffi.NULL:
        raise InputError(_take_error(error, f"page size {page_size} is impossible"))
    return msgspec.json.decode(_take(text), type=tuple[SizeClass, ...])


@functools.cache
def catalog() -> Catalog:
    return Catalog(
        sites=msgspec.json.decode(_take(lib.race_sites()), type=tuple[Site, ...]),
        guards=msgspec.json.decode(_take(lib.race_guards()), type=tuple[Guard, ...]),
        oracles=msgspec.json.decode(_take(lib.race_oracles()), type=tuple[Oracle, ...]),
        geometry=geometry,
    )


def run_request(request_json: bytes, fd: int) -> bytes:
    """A whole run, as native/capi/request.hpp describes it. Only where no other thread runs: it forks."""
    error, wrong = ffi.new("char **"), ffi.new("int *")
    text = lib.race_run_request(request_json, fd, error, wrong)
    if text == ffi.NULL:
        message = _take_error(error, "the engine has no result")
        raise InputError(message) if wrong[0] else RunError(message)
    return _take(text)


class Campaign:
    """Executions of one scenario under one barrier plan. Results are cumulative."""

    def __init__(self, plan_json: bytes) -> None:
        error, wrong_plan = ffi.new("char **"), ffi.new("int *")
        self._campaign = lib.race_campaign_open(plan_json, error, wrong_plan)
        if self._campaign == ffi.NULL:
            if wrong_plan[0]:
                raise InputError(_take_error(error, "the engine refused the plan"))
            raise RunError(_take_error(error, "the engine cannot open the plan"))

    def run(self, first: int, count: int) -> int:
        """Runs executions first to first + count - 1, without the GIL. Returns how many: all, unless cancelled.

        One that cannot be run is a RunError; those before it are in the result.
        """
        error = ffi.new("char **")
        done = int(lib.race_campaign_run(self._campaign, first, count, error))
        if error[0] != ffi.NULL:
            raise RunError(_take(error[0]).decode(errors="replace"))
        return done

    def cancel(self) -> None:
        """Makes `run` return soon; from another thread."""
        lib.race_campaign_cancel(self._campaign)

    def result(self) -> bytes:
        error = ffi.new("char **")
        text = lib.race_campaign_result(self._campaign, error)
        if text == ffi.NULL:
            raise RunError(_take_error(error, "the engine has no result"))
        return _take(text)

    def crossings(self, base_json: bytes, first: int, count: int) -> bytes:
        """How often those executions came to each site, and moved an access across it that the base plan forbids."""
        error = ffi.new("char **")
        text = lib.race_campaign_crossings(self._campaign, base_json, first, count, error)
        if text == ffi.NULL:
            raise RunError(_take_error(error, "the engine cannot count crossings"))
        return _take(text)

    def replay(self, deviations_json: bytes, barriers_json: bytes | None = None) -> bytes:
        """The execution with these deviations; `barriers_json`: under other barriers than the plan's."""
        error, wrong_input = ffi.new("char **"), ffi.new("int *")
        barriers = ffi.NULL if barriers_json is None else ffi.from_buffer(barriers_json + b"\0")
        text = lib.race_campaign_replay(self._campaign, deviations_json, barriers, error, wrong_input)
        return self._checked(text, error, wrong_input)

    def cycle(self, deviations_json: bytes) -> bytes:
        """Why the execution is not sequentially consistent: the accesses of a critical cycle, and the sites between."""
        error, wrong_input = ffi.new("char **"), ffi.new("int *")
        text = lib.race_campaign_cycle(self._campaign, deviations_json, error, wrong_input)
        return self._checked(text, error, wrong_input)

    def minimise(self, deviations_json: bytes, limit: int) -> bytes:
        """The smallest execution with the same finding, without the GIL. `cancel` ends it early."""
        error, wrong_input = ffi.new("char **"), ffi.new("int *")
        text = lib.race_campaign_minimise(self._campaign, deviations_json, limit, error, wrong_input)
        return self._checked(text, error, wrong_input)

    def explore(self, request_json: bytes) -> bytes:
        """One unit of the exhaustive engine, without the GIL. `cancel` ends it after a run, with what is left."""
        error, wrong_input = ffi.new("char **"), ffi.new("int *")
        text = lib.race_campaign_explore(self._campaign, request_json, error, wrong_input)
        return self._checked(text, error, wrong_input)

    def progress(self) -> tuple[int, int, int]:
        """How far `minimise` is, from another thread: executions, and the fewest reorderings and switches so far."""
        executions, reorderings, switches = ffi.new("uint64_t *"), ffi.new("unsigned *"), ffi.new("unsigned *")
        lib.race_campaign_progress(self._campaign, executions, reorderings, switches)
        return executions[0], reorderings[0], switches[0]

    @staticmethod
    def _checked(text: Any, error: Any, wrong_input: Any) -> bytes:
        if text == ffi.NULL:
            message = _take_error(error, "the engine has no result")
            raise InputError(message) if wrong_input[0] else RunError(message)
        return _take(text)

    def close(self) -> None:
        lib.race_campaign_close(self._campaign)
        self._campaign = ffi.NULL

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LitmusMachine:
    """One litmus test on the native machine. Results are cumulative."""

    def __init__(self, program_json: bytes) -> None:
        error = ffi.new("char **")
        self._machine = lib.race_litmus_open(program_json, error)
        if self._machine == ffi.NULL:
            raise InputError(_take_error(error, "the engine refused the test"))

    def run(self, first: int, count: int) -> int:
        """Runs without the GIL; returns how many executions. The exhaustive engine goes on from where it was: `first`
        is the weak engine's alone, and fewer than `count` means that the search is complete, or was cancelled."""
        error = ffi.new("char **")
        done = int(lib.race_litmus_run(self._machine, first, count, error))
        if error[0] != ffi.NULL:
            raise InputError(_take_error(error, "the engine refused the test"))
        return done

    def cancel(self) -> None:
        """Makes `run` return soon; from another thread."""
        lib.race_litmus_cancel(self._machine)

    def result(self) -> bytes:
        return _take(lib.race_litmus_result(self._machine))

    def close(self) -> None:
        lib.race_litmus_close(self._machine)
        self._machine = ffi.NULL
