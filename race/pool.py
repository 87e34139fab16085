"""Worker processes on this machine: started clean, cut short on demand, and mourned by name when one dies."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import ParamSpec, TypeVar

from race import worker
from race.errors import RunError

P = ParamSpec("P")
T = TypeVar("T")

TIDY_IN_SILENCE = "ignore:resource_tracker:UserWarning"
PATIENCE = 5.0  # seconds that the workers of a broken pool have to end


class LocalPool(Executor):
    """A ProcessPoolExecutor whose running calls of `worker.run_batch` can be cancelled: race.campaign's Workers."""

    def __init__(self, jobs: int) -> None:
        self.executor: Executor = self
        self.jobs = jobs
        # Where this process is ended at once, Python's resource tracker cleans up, and need not say so.
        if TIDY_IN_SILENCE not in sys.warnoptions:
            sys.warnoptions.append(TIDY_IN_SILENCE)  # it inherits them
        self._open()

    def _open(self) -> None:
        # spawn, not fork: a forked child of a process with threads can hang, and it would share the engine's state.
        context = multiprocessing.get_context("spawn")
        try:
            theirs, self._ours = context.Pipe(duplex=False)
            self._theirs = theirs
            self._pool = ProcessPoolExecutor(
                self.jobs, mp_context=context, initializer=worker.start, initargs=(theirs,)
            )
        except OSError as error:
            raise self._cannot_start(error) from None
        self._processes: dict[int, BaseProcess] = {}

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        # A Ctrl-C goes to every process of the terminal. Workers start here and inherit the mask, so that only the
        # parent hears it, and tells them.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            future = self._pool.submit(fn, *args, **kwargs)
        except OSError as error:
            # Not all could start: the executor does not look after the others, and at exit Python would wait for them.
            for process in multiprocessing.active_children():
                process.kill()
            raise self._cannot_start(error) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._processes.update((p.pid, p) for p in multiprocessing.active_children() if p.pid is not None)
        return future

    def cancel(self) -> None:
        """Makes running batches return soon with what they have."""
        self._ours.close()

    def epitaph(self) -> str:
        """How the first worker that died by itself died."""
        deadline = time.monotonic() + PATIENCE
        for process in self._processes.values():
            # Not join(): while the executor's thread waits for the same process, it can return before there is a code.
            while (code := process.exitcode) is None and time.monotonic() < deadline:
                time.sleep(0.01)
            # When one dies, the executor ends the others with SIGTERM.
            if code is not None and code not in (0, -signal.SIGTERM):
                return f"a worker process died: {_cause(code)}"
        return "a worker process was terminated"

    def kill(self) -> None:
        """For workers that do not come back from native code."""
        for process in self._processes.values():
            process.kill()

    def renew(self) -> None:
        self.kill()
        self.shutdown()
        self._open()

    def _cannot_start(self, error: OSError) -> RunError:
        workers = "a worker" if self.jobs == 1 else f"{self.jobs} workers"
        return RunError(f"cannot start {workers}: {error.strerror}")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)
        self._theirs.close()
        self._ours.close()


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
