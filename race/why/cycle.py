"""The critical cycle of an execution, as native/capi/race.h gives it (native/engine/cycle.hpp)."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["load", "store", "atomic"]


class Access(msgspec.Struct, kw_only=True, frozen=True):
    step: int  # where it was issued
    performed: int  # where it was performed, or became visible; 0: not before the end
    cpu: int
    kind: Kind
    thread: str
    function: str
    place: str
    value: str
    site: str  # "": it is no ordering site's
    primitive: str
    strength: str
    location: int  # the same number, the same word
    order: int  # of a write: its place among those to the location, from 1; else 0
    reads: int  # the access that it read from; -1: none of these
    in_cycle: bool  # else only an ordering site that stands between two accesses of the cycle


class Communication(msgspec.Struct, frozen=True):
    start: int = msgspec.field(name="from")
    end: int = msgspec.field(name="to")
    kind: Literal["rf", "co", "fr"]


class Cycle(msgspec.Struct, frozen=True):
    """Accesses by CPU, each CPU's in program order. Without any: an interleaving explains all that happened."""

    accesses: list[Access]
    communications: list[Communication]  # along the cycle; the first is the fr that leaves the wrong load

    def __bool__(self) -> bool:
        return bool(self.communications)

    @property
    def wrong_load(self) -> Access:
        return self.accesses[self.communications[0].start]

    @property
    def missed_write(self) -> Access:
        return self.accesses[self.communications[0].end]

    @property
    def sites(self) -> list[Access]:
        """The accesses that an ordering site orders."""
        return [access for access in self.accesses if access.site]


def decode(text: bytes) -> Cycle:
    return msgspec.json.decode(text, type=Cycle)
