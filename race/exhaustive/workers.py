"""Where units run: processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from race.campaign import Workers
from race.errors import InputError
from race.pool import LocalPool

LOCAL = "local"
DASK = "dask:"  # and the address of a scheduler
PATIENCE = 10  # seconds to find the cluster


@contextmanager
def workers(executor: str, jobs: int) -> Iterator[Workers]:
    if executor == LOCAL:
        with LocalPool(jobs) as pool:
            yield pool
        return
    with _connected(executor.removeprefix(DASK)) as client:
        yield Cluster(client)


class Cluster:
    """The workers of a cluster. It looks after them itself; what they still run when it is over, it lets go."""

    def __init__(self, client: Any) -> None:
        self.executor: Executor = client.get_executor(pure=False)
        self.jobs = max(1, sum(client.nthreads().values()))

    def cancel(self) -> None:
        return

    def kill(self) -> None:
        return

    def renew(self) -> None:
        return

    def epitaph(self) -> str:
        return "the cluster is gone"


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    distributed = _distributed()
    _knock(address)
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"--executor: there is no Dask scheduler at {address}: {text}") from None
    try:
        if not client.nthreads():
            raise InputError(f"--executor: the Dask scheduler at {address} has no workers; start some, `dask worker`")
        yield client
    finally:
        with contextlib.suppress(OSError):
            client.close(timeout=PATIENCE)


def _knock(address: str) -> None:
    """Whether somebody is there: Dask's own client tries for long, and does not take a wrong address well."""
    try:
        parts = urlsplit(address if "://" in address else f"tcp://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise InputError(f'--executor: "{address}" is no address of a scheduler; write tcp://HOST:PORT')
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        raise InputError(f"--executor: there is no Dask scheduler at {address}: {error.strerror or error}") from None


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise InputError(
            "--executor dask:ADDRESS needs Dask, which is not installed: pip install 'race-reproducer[dask]'"
        ) from None
    return distributed
