"""Runs that do not come to their end: what there is gets written, marked, and the exit status is 4.

Before there is anything, and at a second signal, the process ends at once with a shell's status for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from race.results import load

ENDLESS = ["compare", "freeobj-corruption", "--page-size", "256", "--seconds", "100000"]


def workers(pid: int) -> list[int]:
    """The worker processes of a run. The first of them starts after the run has learnt to handle signals."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children if b"spawn_main" in command_line(int(child))]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def is_running(pid: int) -> bool:
    return bool(command_line(pid))  # it is empty for a zombie


@pytest.fixture
def run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A comparison that would take for ever, with two workers at work."""
    command = [sys.executable, "-m", "race", *ENDLESS, "--jobs", "2", "--json", "out.json", "--html", "out.html"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while len(workers(process.pid)) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("to_all", [False, True], ids=["alone", "with its workers"])
def test_a_signal(number: signal.Signals, to_all: bool, run: subprocess.Popen[str], tmp_path: Path) -> None:
    """A terminal's Ctrl-C goes to the workers too."""
    if to_all:
        os.killpg(run.pid, number)
    else:
        run.send_signal(number)
    out, err = run.communicate()
    assert (run.returncode, err) == (4, "")
    document = load(tmp_path / "out.json")
    assert document.interrupted
    assert document.verdict.status == "incomplete"
    assert document.verdict.reasons[0] == "the run was interrupted"
    assert [arm.plan for arm in document.arms] == ["off"]
    assert "interrupted" in out
    assert "The run was interrupted" in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_a_dead_worker(run: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(workers(run.pid)[0], signal.SIGSEGV)
    _, err = run.communicate()
    assert (run.returncode, err) == (4, "race: error: a worker process died: SIGSEGV\n")
    document = load(tmp_path / "out.json")
    assert not document.interrupted
    assert document.verdict.status == "incomplete"
    assert document.verdict.reasons[0] == "the run could not be completed: a worker process died: SIGSEGV"


def test_workers_end_with_a_parent_that_was_killed(run: subprocess.Popen[str]) -> None:
    orphans = workers(run.pid)
    run.kill()
    run.communicate()
    while any(is_running(orphan) for orphan in orphans):
        time.sleep(0.02)


def test_a_second_signal_ends_it_at_once(run: subprocess.Popen[str]) -> None:
    stopped = workers(run.pid)
    for worker in stopped:
        os.kill(worker, signal.SIGSTOP)  # the run waits for them
    while run.poll() is None:
        run.send_signal(signal.SIGINT)
        time.sleep(0.1)
    for worker in stopped:
        os.kill(worker, signal.SIGCONT)
    assert run.communicate() == ("", "race: interrupted\n")
    assert run.returncode == 130


# A module of each kind: of the standard library, another's, our own.
@pytest.mark.parametrize("module", ["argparse", "rich.console", "race._native"])
def test_a_signal_during_the_imports(module: str) -> None:
    program = f"""
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["race", "list"]
from race.cli import main
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "race: interrupted\n")


def test_a_signal_before_the_campaign(tmp_path: Path) -> None:
    scenario = tmp_path / "endless.toml"
    os.mkfifo(scenario)
    command = [sys.executable, "-m", "race", "run", str(scenario)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
        scenario.open("wb"),  # waits until it is read
    ):
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "race: interrupted\n")
    assert process.returncode == 130
