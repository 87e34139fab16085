"""Values of options, checked as they are read."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

from race.names import advice
from race.schedule import Shard

DEFAULT_EXECUTIONS = 200_000  # of an arm
DEFAULT_SECONDS = 4.3  # of an arm: three of them and the start of the workers stay within 15 s
SUITE_EXECUTIONS = 100_000  # of a plan that is to find nothing
SUITE_HUNT = 10  # times as many of one that is to find something
ABLATION_EXECUTIONS = 50_000  # of a trial

MAX_SEED = (1 << 64) - 1
MAX_NUMBER = (1 << 63) - 1
MAX_JOBS = 1024


def integer(least: int, most: int = MAX_NUMBER) -> Callable[[str], int]:
    """A whole number, decimal or 0x; underscores may part its digits."""

    def read(text: str) -> int:
        try:
            value = int(text, 16 if text[:2] in ("0x", "0X") else 10)
        except ValueError:
            raise argparse.ArgumentTypeError(f'"{text}" is not a whole number') from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is out of range: it must be from {least} to {most}")
        return value

    return read


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of seconds above 0')
    return value


def one_of(kind: str, known: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f'unknown {kind} "{text}"{advice(text, known)}')
        return text

    return read


def executor(text: str) -> str:
    if text == "local" or (text.startswith("dask:") and text != "dask:"):
        return text
    raise argparse.ArgumentTypeError(
        f'"{text}" is no executor; write local, or dask:ADDRESS of a scheduler, such as dask:tcp://192.168.0.5:8786'
    )


def shard(text: str) -> Shard:
    index, slash, count = text.partition("/")
    if slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count) <= MAX_JOBS * MAX_JOBS:
        return Shard(int(index), int(count))
    raise argparse.ArgumentTypeError(f'"{text}" is no shard; write I/N with I from 1 to N, such as 2/4')
