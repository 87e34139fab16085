"""Which executions are run, in which order and in what portions. What is found does not depend on the portions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from race.worker import Batch, Range

SHARD_BLOCK = 256  # executions; the shards of a campaign take turns at blocks of so many

FIRST_BATCH = 16  # executions: small, so that the first finding shows soon
BATCH_SECONDS = 0.2  # what later batches should take: long against a task's overhead, short against a user's patience
GROWTH = 8  # a batch is at most so many times the one before it: the first ones say little about the rate


@dataclass(frozen=True)
class Shard:
    """One machine's part of a campaign; `index` counts from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class Numbers:
    """Hands out execution numbers in order: those below `end` (None: no end) that belong to the shard."""

    def __init__(self, first: int, end: int | None, shard: Shard | None) -> None:
        self._blocks = _blocks(first, end, shard)
        self._rest: Range = (0, 0)  # of a block that was begun
        self.total = None if end is None else _total(first, end, shard)
        self.handed_out = 0

    def take(self, wanted: int) -> list[Range]:
        """At most so many, in neighbouring ranges; empty at the end."""
        taken: list[Range] = []
        while wanted > 0:
            first, left = self._rest if self._rest[1] else next(self._blocks, (0, 0))
            if left == 0:
                break
            count = min(left, wanted)
            self._rest = (first + count, left - count)
            taken.append((first, count))
            self.handed_out += count
            wanted -= count
        return taken


def _blocks(first: int, end: int | None, shard: Shard | None) -> Iterator[Range]:
    if shard is None:
        yield first, (1 << 63 if end is None else end) - first
        return
    block = (shard.index - 1) * SHARD_BLOCK
    while end is None or block < end:
        yield block, SHARD_BLOCK if end is None else min(SHARD_BLOCK, end - block)
        block += shard.count * SHARD_BLOCK


def _total(first: int, end: int, shard: Shard | None) -> int:
    """How many numbers all blocks have together."""
    if shard is None:
        return end - first
    before = shard.index - 1  # blocks, in each round of the shards
    rounds, rest = divmod(end, shard.count * SHARD_BLOCK)
    return rounds * SHARD_BLOCK + min(SHARD_BLOCK, max(0, rest - before * SHARD_BLOCK))


class BatchSize:
    """How many executions the next batch gets."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._size = FIRST_BATCH

    def learn(self, batch: Batch) -> None:
        rate = batch.done / max(batch.seconds, 1e-6)
        self._size = max(1, min(GROWTH * self._size, round(rate * BATCH_SECONDS)))

    def next(self, left: int | None) -> int:
        """`left` executions are to be handed out still: the last ones are shared among all workers."""
        return self._size if left is None else max(1, min(self._size, -(-left // self._jobs)))
