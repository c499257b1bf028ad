"""Ranges of rows for threads of our own: compiled functions that hold no lock work side by side on them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from recobro_score.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def in_jobs(work: Callable[[int, int], None], rows: int, *, rows_per_job: int, threads: int) -> None:
    """Do the work on ranges of rows; which thread takes which range changes no bit.

    Parameters
    ----------
    work : callable
        Called with the first row of a range and the one after its last.
    rows : int
        How many there are.
    rows_per_job : int
        Length of a range.
    threads : int
        How many work at a time; with one, the caller's own.

    Raises
    ------
    ConfigError
        If there is to be no thread.
    """
    if threads < 1:
        msg = f"There must be at least one thread, got {threads}."
        raise ConfigError(msg)
    jobs = [(first, min(first + rows_per_job, rows)) for first in range(0, rows, rows_per_job)]
    if threads == 1 or len(jobs) < 2:
        for first, last in jobs:
            work(first, last)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, first, last) for first, last in jobs]:
            done.result()
