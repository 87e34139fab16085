"""Options that are of engine exhaustive alone."""

from __future__ import annotations

import argparse

from race.cli import values
from race.errors import InputError

GROUP = "engine exhaustive"


def add(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group(GROUP)
    group.add_argument(
        "--all", action="store_true", help="explore every execution; without it a plan ends with what it is to find"
    )
    group.add_argument(
        "--frontier",
        metavar="FILE",
        help="where an unfinished run leaves what is left; default: beside --json, else SCENARIO.frontier.json",
    )
    group.add_argument("--resume", metavar="FILE", help="go on from what an unfinished run left there")
    add_executor(group)


def add_executor(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--executor",
        metavar="EXECUTOR",
        type=values.executor,
        default="local",
        help="where it is explored: local (default), by --jobs; dask:ADDRESS, by the cluster of that scheduler",
    )


def check(options: argparse.Namespace) -> None:
    """What is of engine exhaustive alone, under another one it would be silently ignored."""
    given = [name for name in ("all", "frontier", "resume") if getattr(options, name, None)]
    given += ["executor"] if getattr(options, "executor", "local") != "local" else []
    if given and options.engine != "exhaustive":
        raise InputError(f"--{given[0]} is of --engine exhaustive")
    if "executor" in given and options.jobs is not None:
        raise InputError("--jobs is of this machine's processes: with --executor the cluster has its own")
