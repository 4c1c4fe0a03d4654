# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an image says of itself: its format, its virtual size, and whether it is safe to boot from.

Nothing is run and no other file is opened here: a hostile image is judged by its own bytes alone, before any other
program sees it.
"""

from __future__ import annotations

import typing as t

from .._errors import ImageError
from ._image.inspection import SECTOR_BYTES, Inspection, Reader
from ._image.iso import inspect_iso
from ._image.qcow2 import inspect_qcow2
from ._image.signatures import detect
from ._image.vhd import inspect_vhd
from ._image.vhdx import inspect_vhdx
from ._image.vmdk import inspect_vmdk

FORMATS = ("qcow2", "raw", "vmdk", "vhd", "vhdx", "iso")
"""What an image may be."""
PUBLISHED_FORMATS = ("qcow2", "raw")
"""What it is published as."""
PACKED = frozenset({"gzip", "xz", "zstd", "bzip2"})
"""What it may be packed with."""

_COMPRESSED = PACKED | {"zip", "7z"}
_INSPECTORS: dict[str, t.Callable[[Reader, int], Inspection]] = {
    "qcow2": inspect_qcow2,
    "vmdk": inspect_vmdk,
    "vhd": inspect_vhd,
    "vhdx": inspect_vhdx,
    "iso": inspect_iso,
}


def inspect(read: Reader, size_bytes: int) -> Inspection:
    """Judge an image of ``size_bytes``, of which ``read`` gives any part."""
    if not size_bytes:
        return Inspection("raw", 0, ("is empty",))
    found = detect(read, size_bytes)
    if len(found) > 1:
        return Inspection(found[0], size_bytes, (f"can be taken for {' and for '.join(found)}",))
    if found:
        inspector = _INSPECTORS.get(found[0])
        return inspector(read, size_bytes) if inspector else Inspection(found[0], size_bytes)
    if size_bytes % SECTOR_BYTES:
        return Inspection("raw", size_bytes, (f"has {size_bytes} bytes, which is no whole number of disk sectors",))
    return Inspection("raw", size_bytes)


def check_safe(inspection: Inspection, declared: str | None) -> None:
    """Raise :class:`ImageError` unless the image is what it was declared to be, and stands for itself alone."""
    found = inspection.format
    if found in _COMPRESSED:
        raise ImageError(f"The image is a {found} archive and not a disk: publish what is in it.")
    if found == "html":
        raise ImageError("The image is an HTML or XML page and not a disk: check where it comes from.")
    if inspection.problems:
        raise ImageError(f"The {found} image is refused: it {' and it '.join(inspection.problems)}.")
    if found not in FORMATS:
        raise ImageError(
            f"The image{f' was declared {declared} but' if declared else ''} is of format {found}:"
            f" only {', '.join(FORMATS[:-1])} and {FORMATS[-1]} images are accepted, so convert it first."
        )
    if declared and declared != found:
        raise ImageError(f"Option format: the image was declared {declared} but is of format {found}.")


def published_format(found: str, convert_to: str | None) -> str:
    """Return what an image of the format ``found`` is published as: a disc is a CD-ROM's content and stays as it is."""
    if found == "iso":
        return "raw"
    return convert_to or (found if found in PUBLISHED_FORMATS else "qcow2")
