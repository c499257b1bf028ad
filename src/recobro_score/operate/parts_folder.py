"""Where the parts of a portfolio lie while a night lasts, and what killed nights have left there."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

PREFIX = ".buckets-"


@contextmanager
def parts_folder(nights: Path) -> Iterator[Path]:
    """Make a folder for the parts of one night, gone when the context ends.

    While the night lasts it holds a lock on its folder, which the system takes away from a process that is
    killed: folders that nobody has locked are removed first. Where a file system or a system has no locks on
    folders (Windows), nothing is removed, and the log names what is left.

    Parameters
    ----------
    nights : Path
        The folder beside whose nights it is made; made itself if need be.
    """
    nights.mkdir(parents=True, exist_ok=True)
    with ExitStack() as night:
        with _locked(nights, wait=True) as alone:
            for left in sorted(nights.glob(f"{PREFIX}*/")):
                _remove_left_behind(left, may=alone)
            folder = Path(tempfile.mkdtemp(dir=nights, prefix=PREFIX))
            night.enter_context(_locked(folder))
        night.callback(shutil.rmtree, folder)
        yield folder


def _remove_left_behind(folder: Path, *, may: bool) -> None:
    if not may:
        logger.warning("%s holds the parts of another night: delete it if none is running", folder)
        return
    try:
        with _locked(folder) as nobodys:
            if nobodys:
                shutil.rmtree(folder)
                logger.warning("removed %s, which a night that was killed had left behind", folder)
    except OSError as error:
        logger.warning("%s, which a night that was killed has left behind, stays: %s", folder, error)


@contextmanager
def _locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock on a folder; false where another process holds it, or none can be had."""
    if sys.platform == "win32":
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(descriptor, folder, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return False
    except OSError as error:
        logger.warning("%s cannot be locked: %s", folder, error)
        return False
    return True
