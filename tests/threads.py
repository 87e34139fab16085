"""Campaigns and explorations without processes."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor


class Threads:
    """Workers that are threads of this process: any Executor will do."""

    def __init__(self, jobs: int) -> None:
        self.executor: Executor = ThreadPoolExecutor(jobs)
        self.jobs = jobs

    def cancel(self) -> None:
        return

    def kill(self) -> None:
        return

    def renew(self) -> None:
        return

    def epitaph(self) -> str:
        return "a thread died"
