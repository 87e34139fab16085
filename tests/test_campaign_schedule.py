"""Which executions a campaign hands out."""

from __future__ import annotations

from itertools import chain

import pytest

from race.schedule import FIRST_BATCH, GROWTH, SHARD_BLOCK, BatchSize, Numbers, Shard
from race.worker import Batch


def all_of(numbers: Numbers, portion: int) -> list[int]:
    taken = iter(lambda: numbers.take(portion), [])
    return list(chain.from_iterable(range(first, first + count) for ranges in taken for first, count in ranges))


@pytest.mark.parametrize("portion", [1, 7, 1000])
def test_numbers_come_in_order_whatever_the_portions(portion: int) -> None:
    assert all_of(Numbers(5, 105, None), portion) == list(range(5, 105))


@pytest.mark.parametrize("portion", [100, SHARD_BLOCK, 1000])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_are_disjoint_and_together_complete(portion: int, count: int) -> None:
    end = 5 * SHARD_BLOCK + 17
    parts = [Numbers(0, end, Shard(index, count)) for index in range(1, count + 1)]
    assert sum(part.total or 0 for part in parts) == end
    numbers = [all_of(part, portion) for part in parts]
    assert sorted(chain.from_iterable(numbers)) == list(range(end))
    assert all(part == sorted(part) for part in numbers)
    assert [part.total for part in parts] == [len(part) for part in numbers]


def test_the_total_is_known_without_counting() -> None:
    most = (1 << 63) - 1
    assert sum(Numbers(0, most, Shard(index, 7)).total or 0 for index in range(1, 8)) == most


def test_numbers_without_an_end() -> None:
    numbers = Numbers(0, None, Shard(2, 3))
    assert numbers.total is None
    assert numbers.take(SHARD_BLOCK + 1) == [(SHARD_BLOCK, SHARD_BLOCK), (4 * SHARD_BLOCK, 1)]
    assert numbers.handed_out == SHARD_BLOCK + 1


def test_batches_grow_with_what_is_known_of_the_rate() -> None:
    size = BatchSize(jobs=2)
    assert size.next(None) == FIRST_BATCH
    size.learn(Batch("w", done=FIRST_BATCH, seconds=1e-9, result=b""))
    assert size.next(None) == FIRST_BATCH * GROWTH
    size.learn(Batch("w", done=10, seconds=10.0, result=b""))
    assert size.next(None) == 1
    assert size.next(1) == 1


def test_the_last_executions_are_shared_among_the_workers() -> None:
    assert BatchSize(jobs=4).next(10) == 3
