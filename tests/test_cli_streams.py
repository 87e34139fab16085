"""Standard streams that are full, closed, or whose reader has gone: no traceback, and the exit status is right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

RUN = ["run", "freeobj-corruption", "--page-size", "256", "--executions", "2000"]
COMMANDS = [["sites"], ["sites", "--json"], ["--help"], RUN, [*RUN, "--json", "-"]]

every_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
buffered_or_not = pytest.mark.parametrize("buffering", ["", "1"], ids=["buffered", "unbuffered"])


def race(
    command: list[str],
    redirected: str = "",
    *,
    buffering: str = "",
    out: int = subprocess.PIPE,
    err: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """With the shell's redirection."""
    in_shell = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-m", "race", *command]
    environment = {**os.environ, "PYTHONUNBUFFERED": buffering}
    return subprocess.run(in_shell, check=False, stdout=out, stderr=err, text=True, env=environment)


@pytest.fixture
def gone() -> Iterator[int]:
    """A pipe that nobody reads any more."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@every_command
@buffered_or_not
def test_a_full_disk(command: list[str], buffering: str) -> None:
    done = race(command, ">/dev/full", buffering=buffering)
    assert done.returncode == 4
    assert done.stderr == "race: error: cannot write to standard output: No space left on device\n"


@every_command
def test_a_closed_standard_output(command: list[str]) -> None:
    done = race(command, ">&-")
    assert done.returncode == 4
    assert done.stderr == "race: error: cannot write to standard output: it is closed; >/dev/null discards it\n"


@every_command
@buffered_or_not
def test_a_reader_that_has_gone_is_no_error(command: list[str], buffering: str, gone: int) -> None:
    done = race(command, buffering=buffering, out=gone)
    assert done.returncode == 0
    assert "error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_verdict_stands_though_its_reader_has_gone(gone: int) -> None:
    too_few_to_tell = [*RUN[:-1], "9", "--barriers", "on"]
    assert race(too_few_to_tell, out=gone).returncode == 3
    assert race([*too_few_to_tell, "--json", "-"], out=gone).returncode == 3


@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&-"])
def test_a_standard_error_that_takes_nothing_changes_no_status(redirected: str) -> None:
    assert race(["bogus"], redirected).returncode == 2
    done = race(RUN, redirected)
    assert done.returncode == 0
    assert "Verdict: held" in done.stdout


def test_a_reader_of_standard_error_that_has_gone_changes_no_status(gone: int) -> None:
    assert race(["bogus"], err=gone).returncode == 2


def test_a_closed_standard_input() -> None:
    assert race(RUN, "<&-").returncode == 0


def test_a_title_that_the_locale_cannot_write(small: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = race(["run", small(("A page", "A größer page")), "--executions", "1"])
    assert r"A gr\xf6\xdfer page" in done.stdout
    assert done.stderr == ""
