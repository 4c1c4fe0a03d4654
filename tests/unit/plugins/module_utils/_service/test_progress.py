# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the file that tells how far a transfer is, and for the line that is made of it."""

from __future__ import annotations

import io
import json
import os
import stat
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._service import progress as subject
from ansible_collections.kilonova.compute.plugins.plugin_utils._progress import progress_lines, reading_command
from hypothesis import given
from hypothesis import strategies as st

WORD = "0123456789abcdef" * 2
MIB = 1024**2


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return where the file is to be."""
    return tmp_path / "own"


def content(directory: Path) -> dict[str, t.Any]:
    """Return what was written."""
    return t.cast("dict[str, t.Any]", json.loads((directory / f"{WORD}.progress").read_text()))


def test_is_written_for_its_owner_alone(directory: Path) -> None:
    """The first word of every phase at once, others no more than once in a second; nothing is left at the end."""
    progress = subject.Progress("one", WORD, str(directory))
    progress.note(subject.DOWNLOAD, 1, 4)
    progress.note(subject.DOWNLOAD, 2, 4)
    assert content(directory) == {"name": "one", "phase": "downloading", "done": 1, "total": 4}
    assert stat.S_IMODE((directory / f"{WORD}.progress").stat().st_mode) == 0o600
    progress.note(subject.CONVERT, 3)
    assert content(directory) == {"name": "one", "phase": "converting", "done": 3, "total": None}
    progress.end()
    assert not directory.exists()
    progress.end()


def test_what_killed_runs_left_goes(directory: Path) -> None:
    """After a day, and nothing else."""
    directory.mkdir(mode=0o700)
    for name, age in (("old.progress", 90000), ("new.progress", 60), ("old.lock", 90000)):
        (directory / name).write_text("")
        os.utime(directory / name, (time.time() - age, time.time() - age))
    subject.Progress("one", WORD, str(directory)).note(subject.DOWNLOAD, 1)
    assert {path.name for path in directory.iterdir()} == {f"{WORD}.progress", "new.progress", "old.lock"}


@pytest.mark.parametrize("word", [None, "", "../../etc/passwd", "0" * 31, "G" * 32])
def test_without_a_good_word(word: str | None, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written where nobody looks."""
    progress = subject.Progress("one", word, str(directory))
    progress.note(subject.DOWNLOAD, 1)
    progress.end()
    assert not directory.exists()
    monkeypatch.delenv(subject.VARIABLE, raising=False)
    subject.Progress.from_environment("one").note(subject.DOWNLOAD, 1)


def test_what_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    """The transfer is what counts."""
    (tmp_path / "file").write_text("")
    progress = subject.Progress("one", WORD, str(tmp_path / "file" / "own"))
    progress.note(subject.DOWNLOAD, 1)
    progress.note(subject.VERIFY, 1)
    progress.end()


class Noted(subject.Progress):
    """Keeps what is noted."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.seen: list[tuple[str, int, int | None]] = []

    def note(self, phase: str, done: int, total: int | None = None) -> None:
        """Keep it."""
        self.seen.append((phase, done, total))


def test_counted_files() -> None:
    """What goes through is counted, anew from the beginning; all else is the file's own."""
    noted = Noted()
    reader = subject.CountedReader(io.BytesIO(b"abcdef"), noted, subject.VERIFY, 6)
    assert reader.read(4) == b"abcd"
    assert reader.seek(0) == 0
    assert reader.read(3) == b"abc"
    assert reader.seek(0, io.SEEK_END) == 6
    assert noted.seen == [("verifying", 4, 6), ("verifying", 3, 6)]
    assert reader.tell() == 6
    assert isinstance(reader.plain, io.BytesIO)
    file = io.BytesIO()
    writer = subject.CountedWriter(file, noted, subject.CONVERT)
    assert writer.write(b"ab") == 2
    assert writer.write(b"c") == 1
    writer.seek(0)
    assert (noted.seen[-1], file.getvalue(), writer.readable()) == (("converting", 3, None), b"abc", True)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "host1: guest: downloading 120 of 400 MiB (30 %)"),
        ({"total": None}, "host1: guest: downloading 120 MiB"),
        ({"done": 500 * MIB}, "host1: guest: downloading 500 of 400 MiB (100 %)"),
        ({"done": 0, "total": 0}, "host1: guest: downloading 0 MiB"),
        ({"done": 1, "total": 1}, "host1: guest: downloading 0 of 1 MiB (100 %)"),
        ({"phase": "eating"}, None),
        ({"name": "a\x1b[2J"}, None),
        ({"name": "a" * 64}, None),
        ({"done": -1}, None),
        ({"done": "1"}, None),
        ({"total": True}, None),
    ],
)
def test_line(changes: dict[str, t.Any], line: str | None) -> None:
    """What makes no sense is not shown."""
    told = {"name": "guest", "phase": "downloading", "done": 120 * MIB, "total": 400 * MIB, **changes}
    assert progress_lines("host1", json.dumps(told)) == ([] if line is None else [line])


@given(st.text())
def test_any_other_text_is_no_line(text: str) -> None:
    """Whatever another machine answers."""
    assert progress_lines("host1", text) == []
    assert progress_lines("host1", json.dumps(text)) == []


def test_several_at_once(tmp_path: Path) -> None:
    """Each has its line; what is done is told no more, and nothing is left in the end."""
    board = subject.Board(WORD, str(tmp_path))
    file = tmp_path / f"{WORD}.progress"
    board.note("one", subject.MOVE, 0, 4 * MIB)
    board.note("two", subject.COPY, MIB, 2 * MIB)
    assert progress_lines("h", file.read_text()) == [
        "h: one: moving 0 of 4 MiB (0 %)",
        "h: two: copying 1 of 2 MiB (50 %)",
    ]
    board.note("two", subject.COPY, 2 * MIB, 2 * MIB)
    board.end("one")
    assert file.exists()
    board.note("two", subject.MOVE, 0)
    assert progress_lines("h", file.read_text()) == ["h: two: moving 0 MiB"]
    board.end("two")
    assert not file.exists()
    silent = subject.Board("no word", str(tmp_path))
    silent.note("one", subject.MOVE, 0)
    assert not file.exists()


def test_command() -> None:
    """Nothing in it is somebody else's word."""
    assert reading_command(WORD).count(f"{WORD}.progress") == 2
