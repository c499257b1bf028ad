"""Parts of a night lie apart, go when it ends, and what a killed night left is removed by the next one."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from recobro_score.operate import parts_folder as room
from recobro_score.operate.parts_folder import PREFIX, parts_folder

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no locks on folders")
KILLED = (
    "import os, sys\n"
    "from pathlib import Path\n"
    "from recobro_score.operate.parts_folder import parts_folder\n"
    "with parts_folder(Path(sys.argv[1])) as folder:\n"
    "    (folder / 'bucket-0000').mkdir()\n"
    "    os.kill(os.getpid(), 9)\n"
)


def left_in(nights) -> list[str]:
    return sorted(path.name for path in nights.iterdir())


def test_the_parts_are_gone_when_the_night_ends_well_or_not(tmp_path):
    nights = tmp_path / "out" / "here"
    with parts_folder(nights) as folder:
        (folder / "bucket-0000").mkdir()
        assert folder.parent == nights
        assert folder.name.startswith(PREFIX)
    assert left_in(nights) == []
    with pytest.raises(RuntimeError), parts_folder(nights) as folder:
        raise RuntimeError
    assert left_in(nights) == []


@POSIX
def test_what_a_killed_night_left_is_removed_and_told_of(tmp_path, caplog):
    (tmp_path / "2025-06-03").mkdir()
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    left, night = left_in(tmp_path)
    with caplog.at_level(logging.WARNING, "recobro_score"), parts_folder(tmp_path) as folder:
        assert left_in(tmp_path) == sorted([folder.name, night])
    assert caplog.messages == [f"removed {tmp_path / left}, which a night that was killed had left behind"]
    assert left_in(tmp_path) == [night]


@POSIX
def test_nights_that_are_running_are_left_alone(tmp_path, caplog):
    with parts_folder(tmp_path) as one:
        with parts_folder(tmp_path) as other:
            assert left_in(tmp_path) == sorted([one.name, other.name])
        assert left_in(tmp_path) == [one.name]
    assert caplog.messages == []


@POSIX
def test_without_locks_nothing_is_removed_but_all_is_told_of(tmp_path, caplog, monkeypatch):
    def refuse(descriptor, how):
        raise OSError(95, "not supported")

    monkeypatch.setattr(room.fcntl, "flock", refuse)
    old = tmp_path / f"{PREFIX}old"
    old.mkdir()
    with caplog.at_level(logging.WARNING, "recobro_score"), parts_folder(tmp_path) as folder:
        assert left_in(tmp_path) == sorted([old.name, folder.name])
    assert left_in(tmp_path) == [old.name]
    assert any(f"{old} holds the parts of another night" in message for message in caplog.messages)
