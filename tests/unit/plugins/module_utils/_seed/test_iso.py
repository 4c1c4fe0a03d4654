# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for seeds as images: what pycdlib reads back, and that equal files make equal bytes."""

from __future__ import annotations

import io
import time
import typing as t

import pycdlib
import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import MissingLibraryError
from ansible_collections.kilonova.compute.plugins.module_utils._seed import iso
from ansible_collections.kilonova.compute.plugins.module_utils._seed.iso import build_iso
from hypothesis import given
from hypothesis import strategies as st

SECTOR = 2048
NAMES = ("user-data", "meta-data", "vendor-data", "network-config")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=300) | st.just("long" * 2000)
FILES = st.dictionaries(st.sampled_from(NAMES), TEXTS)


def files_of(image: bytes, extension: str) -> dict[str, str]:
    """Return the files of an image with their content, by one of its two sets of names."""
    opened = pycdlib.PyCdlib()
    opened.open_fp(io.BytesIO(image))
    found = {}
    for record in opened.list_children(**{f"{extension}_path": "/"}):
        if record.is_file():
            name = record.rock_ridge.name() if extension == "iso" else record.file_identifier().decode("utf-16-be")
            name = name.decode() if isinstance(name, bytes) else name
            content = io.BytesIO()
            path = f"/{name}" if extension == "joliet" else f"/{record.file_identifier().decode()}"
            opened.get_file_from_iso_fp(content, **{f"{extension}_path": path})
            found[name] = content.getvalue().decode()
    opened.close()
    return found


@given(FILES)
def test_files_are_read_back(files: dict[str, str]) -> None:
    """Under both sets of names, and the volume has the label that is looked for."""
    image = build_iso(files)
    assert files_of(image, "iso") == files
    assert files_of(image, "joliet") == files
    assert image[16 * SECTOR + 40 : 16 * SECTOR + 72] == b"cidata".ljust(32)


@given(FILES, st.floats(0, 4e9), st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]))
def test_equal_files_make_equal_bytes(files: dict[str, str], moment: float, zone: str) -> None:
    """At any time of day and anywhere."""
    image = build_iso(files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        patch.setattr(time, "time", lambda: moment)
        other = build_iso(files)
    time.tzset()
    assert other == image


def test_the_library_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the error says how to get it."""
    monkeypatch.setattr(iso, "pycdlib", None)
    monkeypatch.setattr(iso, "PYCDLIB_IMPORT_ERROR", "No module named 'pycdlib'")
    with pytest.raises(MissingLibraryError, match="install python3-pycdlib"):
        build_iso({})


def test_files_are_for_root_alone() -> None:
    """A user who mounts the seed in the guest does not read the password's hash."""
    opened = pycdlib.PyCdlib()
    opened.open_fp(io.BytesIO(build_iso({"user-data": "x"})))
    modes = [
        t.cast("int", record.rock_ridge.get_file_mode())
        for record in opened.list_children(iso_path="/")
        if record.is_file()
    ]
    opened.close()
    assert modes == [0o100400]
