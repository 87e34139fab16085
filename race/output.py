"""What goes out: files, standard output and standard error.

A file that cannot be written is refused before the run starts, not after it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TextIO

from rich.console import Console

from race.errors import InputError, RunError
from race.files import write_atomically
from race.printable import visible

STDOUT = "-"


def check(wanted: Iterable[str]) -> None:
    """Raises an InputError if one of them cannot be written, or two are the same."""
    seen: set[Path] = set()
    standard_output = False
    for name in wanted:
        if name == STDOUT:
            if standard_output:
                raise InputError("only one output can go to standard output (-)")
            standard_output = True
            continue
        try:
            path = Path(name).resolve()
            _check_file(path, name)
        except OSError as error:
            raise InputError(f"cannot write {name}: {error.strerror}") from None
        except RuntimeError:  # Python 3.11 and 3.12 say it so
            raise InputError(f"cannot write {name}: too many levels of symbolic links") from None
        if path in seen:
            raise InputError(f"two outputs go to the same file {name}")
        seen.add(path)


def _check_file(path: Path, shown: str) -> None:
    if path.exists():
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"cannot write {shown}: it is a folder")
        if not stat.S_ISREG(mode):
            return  # a device or a pipe
    if not path.parent.is_dir():
        raise InputError(f"cannot write {shown}: there is no folder {Path(shown).parent}")
    with tempfile.TemporaryFile(dir=path.parent):
        pass  # the folder takes new files, which is how results are written


class Screen(Console):
    """rich ends the process when the reader of its output has gone; here that is an exception like any other."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def write(name: str, data: bytes) -> None:
    if name == STDOUT:
        with writing_to(sys.stdout):
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
    else:
        write_atomically(Path(name), data)


@contextlib.contextmanager
def writing_to(stream: TextIO) -> Iterator[None]:
    """A reader that has gone (`race list | head -1`) is no error; whatever else fails is a RunError."""
    try:
        yield
        stream.flush()
    except BrokenPipeError:
        _drop(stream)
    except OSError as error:
        _drop(stream)
        name = "standard error" if stream is sys.stderr else "standard output"
        raise RunError(f"cannot write to {name}: {error.strerror}") from None


def _drop(stream: TextIO) -> None:
    """What is still buffered, Python would write at its exit, fail again, and set an exit status of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(message: str) -> None:
    """One line on standard error, whatever a file name or another program's message has in it."""
    line = visible(" ".join(message.split()))
    with contextlib.suppress(RunError), writing_to(sys.stderr):
        print(line, file=sys.stderr)


def claim_standard_streams() -> None:
    """A standard stream that the caller closed gets /dev/null: the next file to be opened would take its number.

    With standard output closed there is no run: nobody would see its report.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for number in closed:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
        if number == 2:
            sys.stderr = open(number, "w", closefd=False)  # noqa: SIM115 - Python had set it to None
    if 1 in closed:
        raise RunError("cannot write to standard output: it is closed; >/dev/null discards it")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
