# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An image that a pool of another hypervisor has, to be taken from there without a stop between."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from ..._driver.connection import Connection
from ..._driver.events import enable_events
from ..._driver.storage import Volume, find_pool
from ..._errors import ImageError, NotFoundError
from ..._spec.image import ImageSpec
from ..._spec.image_host import HostSource
from ..._spec.image_record import ImageRecord
from ..._spec.volume import unfinished_name
from ..image_catalog import ImageCatalog
from ..image_usage import refuse_written

_ALIVE_COUNT = 5
"""How many signs of life a hypervisor may leave out before it is taken to be stuck."""


@dataclass(frozen=True)
class Offer:
    """A volume to take an image from, and what its own hypervisor says of it; ``record`` is None of a plain volume."""

    connection: Connection
    volume: Volume
    size_bytes: int
    record: ImageRecord | None = None
    changed_ns: int | None = None
    """When a plain volume was changed last, by its hypervisor's clock."""
    taken_at: float | None = None
    """As of when a copy of a disk is."""

    @property
    def data_bytes(self) -> int:
        """Return how much room it takes where it is, and as it is anywhere."""
        return min(self.volume.allocation, self.size_bytes)


@contextlib.contextmanager
def offers(spec: ImageSpec) -> t.Iterator[t.Callable[[], Offer | None]]:
    """Give what returns the offer that ``spec`` names, looked at when it is first asked for; None for other sources."""
    with contextlib.ExitStack() as stack:
        found: list[Offer] = []

        def ask() -> Offer | None:
            if spec.host and not found:
                # A hypervisor that vanishes in the middle of a stream is noticed.
                enable_events()
                connection = stack.enter_context(Connection(spec.host.uri, "source_host.uri"))
                connection.keep_alive(max(1, spec.transport.stall_timeout // _ALIVE_COUNT), _ALIVE_COUNT)
                found.append(_find(connection, spec.host, spec))
            return found[0] if found else None

        yield ask


def _find(connection: Connection, host: HostSource, spec: ImageSpec) -> Offer:
    catalog = ImageCatalog(connection, find_pool(connection, host.pool, "source_host.pool"))
    if not host.is_image:
        return _plain(catalog, host)
    record = catalog.record(host.name)
    volume = catalog.data(record) if record else None
    if record is None or volume is None:
        names = ", ".join(name for name in catalog.names() if name != host.name) or "none"
        raise NotFoundError(
            f"Option {host.option}: no image named {host.name} is published in pool {host.pool} at {host.uri};"
            f" there are: {names}.",
            {"option": host.option},
        )
    _refuse_other(spec, record)
    return Offer(connection, volume, record.size_bytes, record)


def _refuse_other(spec: ImageSpec, record: ImageRecord) -> None:
    """Refuse an image that neither has the declared checksum nor was made of what has it, before it is transferred."""
    known = (record.digest, record.fetched_digest, record.checksum)
    if spec.checksum and str(spec.checksum) not in known:
        raise ImageError(
            f"Option checksum: {spec.source} has {record.digest} and comes from {record.checksum or record.fetched_digest},"
            f" and not {spec.checksum}; nothing was published."
        )


def _plain(catalog: ImageCatalog, host: HostSource) -> Offer:
    volume = catalog.pool.find(host.name)
    if volume is None or catalog.pool.find(unfinished_name(host.name)):
        problem = "is not finished; run again what makes it" if volume else "is not there"
        raise NotFoundError(f"Option {host.option}: {host} {problem}.", {"option": host.option})
    refuse_written(catalog.connection, volume, str(host), host.option, "copied")
    described = volume.description
    return Offer(catalog.connection, volume, described.stored_bytes, changed_ns=_nanoseconds(described.modified))


def _nanoseconds(text: str | None) -> int | None:
    """Return what libvirt writes as seconds with a fraction."""
    seconds, _dot, fraction = (text or "").partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9]) if seconds.isdigit() else None
