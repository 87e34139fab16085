"""Files that results go to. One that cannot be written is refused before the run starts, not after it."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from race.errors import InputError
from race.files import write_atomically

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
        path = Path(name).resolve()
        if path in seen:
            raise InputError(f"two outputs go to the same file {name}")
        seen.add(path)
        try:
            _check_file(path, name)
        except OSError as error:
            raise InputError(f"cannot write {name}: {error.strerror}") from None


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


def drop_stdout() -> None:
    """When its reader has gone (`race list | head -1`): no error of ours, but at exit Python would flush into it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write(name: str, data: bytes) -> None:
    if name == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        write_atomically(Path(name), data)
