"""What can be seen to be wrong with a scenario's steps before it runs: slots, pages, and too few frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from race.names import advice, nearest
from race.scenario.decode import Problem
from race.scenario.format import (
    AnyStep,
    Compact,
    Destroy,
    Free,
    IsolatePutback,
    Lock,
    Malloc,
    Migrate,
    MigrateAny,
    Random,
    Reclaim,
    ScenarioFile,
    Thread,
    Unlock,
)
from race.scenario.sizes import Size


@dataclass
class _Slots:
    """Which slots hold an object at a point of a program: the object's name, or None where it cannot be known."""

    held: dict[str, str | None] = field(default_factory=dict)

    def fill(self, slot: str, kind: str, path: str) -> None:
        if self.held.get(slot) is not None:
            raise Problem(path, f'slot "{slot}" holds an object already; free it first or use another slot')
        self.held[slot] = kind

    def need(self, slot: str, path: str) -> str | None:
        if slot not in self.held:
            near = nearest(slot, self.held)
            mend = f'did you mean "{near}"?' if near else "a malloc step must fill it first"
            raise Problem(path, f'slot "{slot}" is empty here; {mend}')
        return self.held[slot]

    def copy(self) -> _Slots:
        return _Slots(dict(self.held))


def check(tables: ScenarioFile, sizes: Mapping[str, Size]) -> list[str]:
    """Raises a Problem at the first mistake. Returns the names of all slots, in the order of their first use."""
    _check_threads_differ(tables.threads)
    after_setup = _Slots()
    for i, step in enumerate(tables.setup):
        _check_step(step, f"$.setup[{i}]", after_setup, after_setup, sizes)
        if isinstance(step, Random):
            raise Problem(f"$.setup[{i}].op", "the set-up is the same in every execution: random belongs in a thread")
        if isinstance(step, Lock | Unlock | Reclaim | Destroy):
            op = step.__struct_config__.tag
            raise Problem(f"$.setup[{i}].op", f"the set-up runs alone: {op} belongs in a thread")
    owner: dict[str, str] = {}
    for t, thread in enumerate(tables.threads):
        here = after_setup.copy()
        for i, step in enumerate(thread.steps):
            path = f"$.threads[{t}].steps[{i}]"
            for slot, part in _owned(step):
                if owner.setdefault(slot, thread.name) != thread.name:
                    raise Problem(
                        path + part,
                        f'slot "{slot}" belongs to thread "{owner[slot]}"; a slot may be used by one thread only',
                    )
            _check_step(step, path, here, after_setup, sizes)
        _check_order(thread, f"$.threads[{t}]")
        _check_cpu(thread, tables.threads, f"$.threads[{t}].shares-cpu-with")
    _check_frames(tables, sizes)
    return list(dict.fromkeys([*_setup_slots(tables), *owner]))


def locks_of(tables: ScenarioFile) -> list[str]:
    """The client's own locks, in the order of their first use."""
    return list(
        dict.fromkeys(
            step.lock for thread in tables.threads for step in thread.steps if isinstance(step, Lock | Unlock)
        )
    )


def _check_order(thread: Thread, path: str) -> None:
    """Locks are taken and given back in turn, and nothing comes behind the end of the pool."""
    taken: dict[str, int] = {}
    for i, step in enumerate(thread.steps):
        if isinstance(step, Lock):
            if step.lock in taken:
                raise Problem(
                    f"{path}.steps[{i}].lock", f'lock "{step.lock}" is taken already, by steps[{taken[step.lock]}]'
                )
            taken[step.lock] = i
        elif isinstance(step, Unlock):
            if step.lock not in taken:
                raise Problem(
                    f"{path}.steps[{i}].lock", f'lock "{step.lock}" is not taken here; a lock step must come first'
                )
            del taken[step.lock]
        elif isinstance(step, Destroy) and i + 1 < len(thread.steps):
            raise Problem(f"{path}.steps[{i + 1}]", "the pool is destroyed by then; destroy must be the last step")
    for lock, i in taken.items():
        raise Problem(f"{path}.steps[{i}].lock", f'lock "{lock}" is never given back; add an unlock step')


def _check_cpu(thread: Thread, threads: list[Thread], path: str) -> None:
    other = thread.shares_cpu_with
    names = [known.name for known in threads if known is not thread]
    if other is not None and other not in names:
        raise Problem(path, f'there is no other thread "{other}"{advice(other, names)}')


def _setup_slots(tables: ScenarioFile) -> list[str]:
    return [step.slot for step in tables.setup if isinstance(step, Malloc)]


def _check_threads_differ(threads: list[Thread]) -> None:
    first: dict[str, int] = {}
    for t, thread in enumerate(threads):
        if (before := first.setdefault(thread.name, t)) != t:
            raise Problem(f"$.threads[{t}].name", f'"{thread.name}" is the name of threads[{before}] too')


def _owned(step: AnyStep) -> list[tuple[str, str]]:
    """The slots that a step takes for its thread, and where it names them. Migrating only points at an object."""
    if isinstance(step, Random):
        return [(slot, f".slots[{i}]") for i, slot in enumerate(step.slots)]
    if isinstance(step, Migrate | IsolatePutback) or not hasattr(step, "slot"):
        return []
    return [(step.slot, ".slot")]


def _check_step(step: AnyStep, path: str, here: _Slots, after_setup: _Slots, sizes: Mapping[str, Size]) -> None:
    if isinstance(step, Malloc):
        _check_kind(step.object, f"{path}.object", sizes)
        here.fill(step.slot, step.object, f"{path}.slot")
    elif isinstance(step, Reclaim):
        _check_kind(step.object, f"{path}.object", sizes)
    elif isinstance(step, Random):
        _check_random(step, path, sizes)
        here.held.update((slot, None) for slot in step.slots)
    elif isinstance(step, Migrate | IsolatePutback):
        kind = after_setup.need(step.slot, f"{path}.slot")
        if kind is not None and step.page >= sizes[kind].size_class.pages:
            pages = sizes[kind].size_class.pages
            raise Problem(
                f"{path}.page",
                f'there is no page {step.page}: the zspage of slot "{step.slot}" has {_count(pages, "page")}, from 0',
            )
    elif hasattr(step, "slot"):
        here.need(step.slot, f"{path}.slot")
        if isinstance(step, Free):
            del here.held[step.slot]


def _check_kind(name: str, path: str, sizes: Mapping[str, Size]) -> None:
    if name not in sizes:
        near = nearest(name, sizes)
        mend = f'did you mean "{near}"?' if near else "declare it as [objects." + name + "]"
        raise Problem(path, f'unknown object "{name}"; {mend}')


def _check_random(step: Random, path: str, sizes: Mapping[str, Size]) -> None:
    if not any(msgspec.structs.astuple(step.mix)):
        raise Problem(f"{path}.mix", "every weight is 0; give at least one operation a weight")
    for i, name in enumerate(step.objects):
        _check_kind(name, f"{path}.objects[{i}]", sizes)
    for slot, times in Counter(step.slots).items():
        if times > 1:
            raise Problem(f"{path}.slots", f'slot "{slot}" is named twice')


def _check_frames(tables: ScenarioFile, sizes: Mapping[str, Size]) -> None:
    """The set-up must fit, and then each thread must be able to build one zspage and to migrate one page."""
    live: Counter[str] = Counter()
    classes = {name: size.size_class for name, size in sizes.items()}
    zspages: Counter[int] = Counter()  # by class index: the most at any time
    kind_of: dict[str, str] = {}
    for step in tables.setup:
        if isinstance(step, Malloc):
            kind_of[step.slot] = step.object
            live[step.object] += 1
            served = classes[step.object]
            objects = sum(n for name, n in live.items() if classes[name].index == served.index)
            zspages[served.index] = max(zspages[served.index], -(-objects // served.objects))
        elif isinstance(step, Free):
            live[kind_of[step.slot]] -= 1
    pages_of = {size_class.index: size_class.pages for size_class in classes.values()}
    setup = sum(pages_of[index] * n for index, n in zspages.items())
    threads = sum(_thread_frames(thread, sizes) for thread in tables.threads)
    if tables.pool.frames < setup + threads:
        raise Problem(
            "$.pool.frames",
            f"{tables.pool.frames} frames are too few: {setup} for the set-up and {threads} "
            f"for the threads make {setup + threads}",
        )


def _thread_frames(thread: Thread, sizes: Mapping[str, Size]) -> int:
    zspage = migrates = 0
    for step in thread.steps:
        wanted: list[str] = []
        if isinstance(step, Malloc):
            wanted = [step.object]
        elif isinstance(step, Random):
            wanted = step.objects if step.mix.malloc else []
            migrates |= step.mix.migrate_any > 0
        elif isinstance(step, Migrate | MigrateAny):
            migrates = 1
        elif isinstance(step, Compact):
            continue  # it moves objects between zspages that exist
        zspage = max([zspage, *(sizes[name].size_class.pages for name in wanted)])
    return zspage + migrates


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
