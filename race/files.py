"""Writing files so that a reader, or a crash, never sees half of one."""

from __future__ import annotations

import os
from pathlib import Path

from race.errors import RunError
from race.interrupt import put_off


def write_atomically(path: Path, data: bytes) -> None:
    """Writes through a temporary file beside `path`. What is no regular file, a pipe say, is written directly."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        target = path.resolve()  # replace what a symbolic link names, not the link
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with put_off():  # a signal would leave the temporary file behind
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None
