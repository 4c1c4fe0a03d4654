# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A seed's files as an ISO 9660 image with the volume label that NoCloud looks for: the only place with pycdlib.

Equal files give equal bytes: pycdlib writes the time of day into every record, and those are set to one moment afterwards.
"""

from __future__ import annotations

import io
import struct
import typing as t

from .._errors import MissingLibraryError

try:
    import pycdlib

    PYCDLIB_IMPORT_ERROR: str | None = None
except ImportError as exc:
    pycdlib = None  # type: ignore[assignment]
    PYCDLIB_IMPORT_ERROR = str(exc)

LABEL = "cidata"
_SECTOR = 2048
_FIRST_DESCRIPTOR = 16
_PRIMARY, _SUPPLEMENTARY, _END = 1, 2, 255
_ROOT_RECORD = 156
_VOLUME_DATES = slice(813, 881)
# 2026-01-01 00:00:00 UTC, in each of the two forms; of a volume's four dates the last two say "never".
_RECORD_DATE = bytes((126, 1, 1, 0, 0, 0, 0))
_VOLUME_DATE = b"2026010100000000\0"
_NEVER = b"0" * 16 + b"\0"
_TIME_STAMPS = b"TF"
_RECORD_FIXED = 33
_OWNER_READS = 0o100400


def build_iso(files: t.Mapping[str, str]) -> bytes:
    """Return an image with ``files`` (name: text) at its top, readable by root alone where modes count."""
    if pycdlib is None:
        raise MissingLibraryError(
            "The Python library pycdlib, which first boot options need, is not installed where the module runs"
            f" ({PYCDLIB_IMPORT_ERROR}): install python3-pycdlib (Debian, Ubuntu, Fedora) or pycdlib."
        )
    image, iso = io.BytesIO(), pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident=LABEL, joliet=3, rock_ridge="1.09")
    for name, text in files.items():
        content = text.encode("utf-8")
        iso.add_fp(
            io.BytesIO(content),
            len(content),
            f"/{name.upper().replace('-', '_')}.;1",
            rr_name=name,
            joliet_path=f"/{name}",
            file_mode=_OWNER_READS,
        )
    iso.write_fp(image)
    iso.close()
    return _with_fixed_dates(bytearray(image.getvalue()))


def _with_fixed_dates(image: bytearray) -> bytes:
    for start in range(_FIRST_DESCRIPTOR * _SECTOR, len(image), _SECTOR):
        kind = image[start]
        if kind == _END:
            break
        if kind in (_PRIMARY, _SUPPLEMENTARY):
            dates = slice(start + _VOLUME_DATES.start, start + _VOLUME_DATES.stop)
            image[dates] = _VOLUME_DATE * 2 + _NEVER * 2
            _fix_record(image, start + _ROOT_RECORD)
            _fix_directory(image, start + _ROOT_RECORD)
    return bytes(image)


def _fix_directory(image: bytearray, record: int) -> None:
    """Set the dates in the records of a directory without directories in it, which is what a seed has."""
    extent, size = struct.unpack_from("<I", image, record + 2)[0], struct.unpack_from("<I", image, record + 10)[0]
    for sector in range(extent * _SECTOR, extent * _SECTOR + size, _SECTOR):
        at = sector
        # A record does not cross into the next sector: a length of 0 ends this one's.
        while at < sector + _SECTOR and image[at]:
            _fix_record(image, at)
            at += image[at]


def _fix_record(image: bytearray, record: int) -> None:
    image[record + 18 : record + 25] = _RECORD_DATE
    name_length = image[record + 32]
    at, end = record + _RECORD_FIXED + name_length + (1 - name_length % 2), record + image[record]
    # Behind the name stand Rock Ridge's entries: two letters, length, version, and of time stamps also flags.
    while at + 4 <= end and image[at + 2] >= 4:  # noqa: PLR2004 - the length of an entry's own head
        length = image[at + 2]
        if image[at : at + 2] == _TIME_STAMPS:
            count = (length - 5) // len(_RECORD_DATE)
            image[at + 5 : at + 5 + count * len(_RECORD_DATE)] = _RECORD_DATE * count
        at += length
