# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a publisher says of an image, kept with it for whoever chooses one."""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass, fields, replace

from .._errors import SpecError

FIRMWARES = ("bios", "uefi")
_LONGEST = 200
_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,32}")


@dataclass(frozen=True)
class ImageMetadata:
    """None is what nothing was said of."""

    version: str | None = None
    os: str | None = None
    architecture: str | None = None
    firmware: str | None = None
    min_disk_gb: int | None = None
    min_memory_mb: int | None = None

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any] | None) -> ImageMetadata:
        """Check what a user says of an image."""
        found = ImageMetadata(**{name: (params or {}).get(name) for name in _NAMES})
        for option, text in (("version", found.version), ("os", found.os)):
            if text is not None and not (0 < len(text) <= _LONGEST and text.isprintable()):
                raise SpecError(
                    f"metadata.{option}", f"{text!r} is not a short line", "give 1 to 200 printable characters"
                )
        if found.architecture is not None and not _ARCHITECTURE.fullmatch(found.architecture):
            raise SpecError(
                "metadata.architecture", f"{found.architecture!r} is no name of one", "give it as x86_64 or aarch64"
            )
        if found.firmware not in (None, *FIRMWARES):
            raise SpecError(
                "metadata.firmware", f"{found.firmware!r} is not accepted", f"it is {' or '.join(FIRMWARES)}"
            )
        for option, number in (("min_disk_gb", found.min_disk_gb), ("min_memory_mb", found.min_memory_mb)):
            if number is not None and number < 0:
                raise SpecError(f"metadata.{option}", f"{number} is no size", "give 0 or more")
        return found

    @staticmethod
    def from_record(data: t.Any) -> ImageMetadata:
        """Read what was kept; what makes no sense counts as not said, since anyone who may write to the pool wrote it."""
        try:
            return ImageMetadata.from_params(data)
        except (SpecError, AttributeError, TypeError):
            return ImageMetadata()

    def said(self) -> dict[str, t.Any]:
        """Return what was said."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def over(self, before: ImageMetadata) -> ImageMetadata:
        """Return ``before`` with what is said here in place of what was said there."""
        return replace(before, **self.said())


_NAMES = tuple(field.name for field in fields(ImageMetadata))
