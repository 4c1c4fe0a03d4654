# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance's disk on its way to become an image: copied into a volume of its own, and from there like any other.

libvirt can't rename a volume, and the digest that an image's volume is named by is known last. So the copy lies in a volume
whose name says whose it is, and a run that finds one which another run left ends its job, thaws its guest, and begins anew.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass, field
from functools import partial

from ..._driver import host as host_driver
from ..._driver.agent import is_frozen, ping
from ..._driver.backup import BackupJob, abort_backup, begin_backup, current_backup, wait_for_backup
from ..._driver.connection import Connection
from ..._driver.domain import is_active
from ..._driver.snapshot import disk_capacity
from ..._driver.storage import Volume
from ..._errors import (
    AgentAbsentError,
    AgentAwayError,
    ComputeError,
    ConflictError,
    ExistsError,
    GuestError,
    UnsupportedError,
)
from ..._spec.image import ImageSpec
from ..._spec.image_instance import InstanceSource
from ..._spec.image_record import work_volume_name
from ..._xml.backup import BackupTarget, write_backup
from ..._xml.volume import VolumeDescription
from .._guest.freeze import frozen, thaw_again
from ..fetch import fetch
from ..image_store import ImageStore
from ..lock import instance_lock
from ..progress import COPY
from .fetched import Fetched
from .instance_disk import InstanceDisk, find_instance_disk, stopped_volume, wants_quiet
from .offer import Offer
from .tools import Tools

_QCOW2 = "qcow2"


@dataclass(frozen=True)
class Capture:
    """The copying of the disk that ``spec`` names; why it is no better than it is comes to be in ``warnings``."""

    store: ImageStore
    spec: ImageSpec
    tools: Tools
    warnings: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def run(self) -> t.Iterator[Fetched]:
        """Give the disk as it is at one point, complete by itself."""
        volume, taken_at = self._copy_alone()
        try:
            length = volume.reread().description.stored_bytes
            offer = Offer(self._connection, volume, length, taken_at=taken_at)
            with fetch(self.spec, offer, self.tools) as fetched:
                yield fetched
        finally:
            volume.delete()

    @property
    def _connection(self) -> Connection:
        return self.store.connection

    @property
    def _source(self) -> InstanceSource:
        if self.spec.instance is None:
            raise ValueError("no instance's disk is declared")
        return self.spec.instance

    def _copy_alone(self) -> tuple[Volume, float]:
        """Copy the disk with nobody else at work on the instance, and return the copy, and as of when it is."""
        name = work_volume_name(self.spec.name)
        with instance_lock(host_driver.capabilities(self._connection).uuid, self._source.name):
            found = find_instance_disk(self._connection, self._source)
            self._take_up(found, self.store.pool.find(name))
            try:
                return self._copy(found, name)
            except ExistsError:
                # A run on another machine was faster, and needs the volume.
                raise
            except BaseException:
                self._put_down(found, name)
                raise

    def _take_up(self, found: InstanceDisk, left: Volume | None) -> None:
        """Undo what a run ``left`` that was killed."""
        guest = found.guest
        own = {left.path} if left else set()
        others = (current_backup(self._connection, guest) or frozenset()) - own
        if others:
            raise ConflictError(
                f"A backup of instance {guest.name} to {', '.join(sorted(others))} is being made; wait until it has ended."
            )
        if left is None:
            return
        if guest.is_active:
            abort_backup(self._connection, guest, {left.path})
            if self._is_frozen(found):
                thaw_again(self._connection, guest.handle)
        left.delete()

    def _is_frozen(self, found: InstanceDisk) -> bool:
        try:
            ping(self._connection, found.guest.handle)
            return is_frozen(self._connection, found.guest.handle)
        except (AgentAbsentError, AgentAwayError):
            return False

    def _put_down(self, found: InstanceDisk, name: str) -> None:
        """Leave nothing of a copy that failed."""
        volume = self.store.pool.find(name)
        if volume is None:
            return
        if found.guest.is_active:
            with contextlib.suppress(ComputeError):
                abort_backup(self._connection, found.guest, {volume.path})
        volume.delete()

    def _copy(self, found: InstanceDisk, name: str) -> tuple[Volume, float]:
        capacity = disk_capacity(self._connection, found.guest, found.disk.target)
        definition = VolumeDescription(name, capacity, _QCOW2)
        if not found.guest.is_active:
            self.tools.progress.note(COPY, 0, capacity)
            return self._copy_stopped(found, definition), time.time()
        volume = self.store.pool.add(definition)
        taken_at = self._begin(found, volume.path)
        note = partial(self.tools.progress.note, COPY)
        job = BackupJob(_doing(found), found.disk.target, volume.path, self.spec.timeout, note)
        wait_for_backup(self._connection, found.guest, job)
        return volume, taken_at

    def _copy_stopped(self, found: InstanceDisk, definition: VolumeDescription) -> Volume:
        _quiet, warning = wants_quiet(self._connection, self._source, found)
        volume = self.store.pool.copy(definition, stopped_volume(self._connection, found))
        if is_active(self._connection, found.guest):
            raise ConflictError(f"Instance {found.guest.name} was started while its disk was copied; run again.")
        self._warn(warning)
        return volume

    def _begin(self, found: InstanceDisk, path: str) -> float:
        """Fix the point that the copy is of, with the guest's filesystems frozen for the moment if that can be had."""
        xml = write_backup((BackupTarget(found.disk.target, path),), found.others)
        quiet, warning = wants_quiet(self._connection, self._source, found)
        with contextlib.ExitStack() as stack:
            if quiet:
                try:
                    stack.enter_context(frozen(self._connection, found.guest.handle))
                except (GuestError, UnsupportedError) as exc:
                    if self._source.quiesce == "true":
                        raise
                    warning = f"{exc} So the image holds what a power cut would have left."
            begin_backup(self._connection, found.guest, _doing(found), xml, None)
            taken_at = time.time()
        self._warn(warning)
        return taken_at

    def _warn(self, text: str | None) -> None:
        if text:
            self.warnings.append(text)


def _doing(found: InstanceDisk) -> str:
    return f"copy disk {found.disk.target} of {found.guest.name} while it runs"
