"""The scenario file, as TOML writes it. Keys and operations are in kebab-case; an unknown one is an error."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]*\Z", max_length=40)]
Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Weight = Annotated[int, Meta(ge=0, le=1000)]
MAX_THREADS = 14  # what the weak machine has CPUs for
Model = Literal["armv8", "tso", "sc"]


class Table(msgspec.Struct, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """A table of the file."""


class Pool(Table):
    page_size: int = 4096
    frames: Annotated[int, Meta(ge=1, le=4095)] = 24  # how many pages the page allocator has


class Shape(Table):
    """The largest size class whose zspage has so many pages and objects: it exists at more than one page size."""

    pages: Count
    objects: Count


class ObjectKind(Table):
    """What a malloc step asks for: a size in bytes, or the largest request that a class of that shape serves."""

    size: Count | None = None
    class_: Shape | None = msgspec.field(default=None, name="class")


class Step(Table, tag_field="op"):
    """One operation of a thread, or of the set-up."""


class Malloc(Step, tag="malloc"):
    slot: Name
    object: Name


class Free(Step, tag="free"):
    slot: Name


class Write(Step, tag="write"):
    """Maps the object write-only and gives it a new payload."""

    slot: Name


class Read(Step, tag="read"):
    """Maps the object read-only and verifies its payload."""

    slot: Name


class Update(Step, tag="update"):
    """Maps the object read-write, verifies its payload and gives it a new one."""

    slot: Name


class Migrate(Step, tag="migrate"):
    """Isolates a page of the zspage that holds the slot's object, and migrates it to a fresh page."""

    slot: Name
    page: Annotated[int, Meta(ge=0)]


class IsolatePutback(Step, tag="isolate-putback"):
    """Isolates that page, and puts it back: a migration that did not happen."""

    slot: Name
    page: Annotated[int, Meta(ge=0)]


class MigrateAny(Step, tag="migrate-any"):
    """Migrates a page that chance picks."""


class Compact(Step, tag="compact"):
    pass


class CanCompact(Step, tag="can-compact"):
    pass


class TotalPages(Step, tag="total-pages"):
    pass


class Lock(Step, tag="lock"):
    """Takes a lock of the client's own: a spinlock of that name."""

    lock: Name


class Unlock(Step, tag="unlock"):
    lock: Name


class Reclaim(Step, tag="reclaim"):
    """Reclaims a zspage that serves such objects, as of Linux 6.2: maps each of them, whoever frees it meanwhile."""

    object: Name


class Destroy(Step, tag="destroy"):
    """Destroys the pool, while other threads may still migrate pages of it."""


class Mix(Table):
    """How often a random step does what, as weights."""

    malloc: Weight = 0
    free: Weight = 0
    read: Weight = 0
    write: Weight = 0
    update: Weight = 0
    migrate_any: Weight = 0
    compact: Weight = 0
    can_compact: Weight = 0
    total_pages: Weight = 0


class Random(Step, tag="random"):
    """Operations that chance picks, on slots that belong to this thread alone."""

    count: Count
    slots: Annotated[list[Name], Meta(min_length=1)]
    objects: Annotated[list[Name], Meta(min_length=1)]
    mix: Mix


AnyStep = (
    Malloc
    | Free
    | Write
    | Read
    | Update
    | Migrate
    | IsolatePutback
    | MigrateAny
    | Compact
    | CanCompact
    | TotalPages
    | Lock
    | Unlock
    | Reclaim
    | Destroy
    | Random
)


class Thread(Table):
    name: Name
    steps: Annotated[list[AnyStep], Meta(min_length=1)]
    shares_cpu_with: Name | None = None  # once this one comes to a cond_resched, that one has the CPU until it ends


class Oracles(Table):
    enabled: list[str]


class Expect(Table):
    """What a barrier plan should give."""

    plan: str
    models: list[Model] = msgspec.field(default_factory=lambda: ["armv8", "tso", "sc"])
    find: list[str] = []  # oracles that must fire
    find_any: bool = False  # any oracle must fire
    clean: bool = False  # none may
    never: list[str] = []  # oracles that must not fire
    note: str = ""


Kind = Literal["sequential", "interleaving", "needs-tso", "needs-armv8", "not-shown"]
SHOWN_UNDER: dict[Kind, tuple[Model, ...]] = {
    "sequential": ("sc", "tso", "armv8"),
    "interleaving": ("sc", "tso", "armv8"),
    "needs-tso": ("tso", "armv8"),
    "needs-armv8": ("armv8",),
    "not-shown": (),
}


class Bug(Table, kw_only=True):
    """A known bug: where it stands, and the plans that bring it back and mend it. `race suite` runs it."""

    id: Text
    kind: Kind  # what it takes to see it; sequential: not even a second CPU
    reported_by: Text
    symptom: Text
    fix: Text
    interleaving: Text  # as a picture of two columns
    simplified: str = ""  # what the kernel did otherwise
    fault: Text  # the plan that brings it back
    right: Text  # the plan with the fix
    find: list[str] = []  # what the fault must give under the models that show it


class ScenarioFile(Table, kw_only=True):
    title: Text
    description: str = ""
    date: datetime.date | None = None
    reference: str = ""
    pool: Pool = msgspec.field(default_factory=Pool)
    # The names in these tables are the author's: their entries are converted one by one, so that errors show them.
    objects: dict[str, Any]
    sites: dict[str, Any] = {}
    guards: dict[str, Any] = {}
    setup: list[AnyStep] = []
    threads: Annotated[list[Thread], Meta(min_length=1, max_length=MAX_THREADS)]
    oracles: Oracles | None = None
    compare: list[str] = []  # the plans of `race compare`; empty: off and on
    expect: list[Expect] = []
    bug: Bug | None = None
