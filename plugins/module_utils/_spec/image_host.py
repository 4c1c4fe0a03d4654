# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An image's source that is in a pool of another hypervisor."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .names import check_name, is_one_word

_OPTION = "source_host"


@dataclass(frozen=True)
class HostSource:
    """A published image, or a plain volume, of a pool at ``uri``."""

    uri: str
    pool: str
    name: str
    is_image: bool = True

    def __str__(self) -> str:
        """Return it as it is shown and recorded."""
        return f"{'image' if self.is_image else 'volume'} {self.name} of pool {self.pool} at {self.uri}"

    @property
    def option(self) -> str:
        """Return the option that names it."""
        return f"{_OPTION}.{'image' if self.is_image else 'volume'}"

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any] | None, image: str) -> HostSource | None:
        """Check what a user declares; ``image`` is the image's own name."""
        if params is None:
            return None
        uri, pool = params["uri"], params.get("pool") or "default"
        if not uri or not is_one_word(uri):
            raise SpecError(f"{_OPTION}.uri", f"{uri!r} is not a URI", "give it as qemu+ssh://host/system")
        volume = params.get("volume")
        if volume and params.get("image"):
            raise SpecError(f"{_OPTION}.volume", "image is given as well", "give one of image and volume")
        if volume:
            return HostSource(uri, pool, volume, is_image=False)
        return HostSource(uri, pool, check_name(f"{_OPTION}.image", params.get("image") or image))
