# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The text that libvirt is given: the designed machine, without what shall go, and with the user's patches. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ..._errors import SpecError
from ..._plan.machine import overlaid
from ..._plan.removals import CDROM, removals
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine
from ..._spec.record import InstanceRecord
from ..._xml import domain as domain_xml
from ..._xml.devices import remove_devices
from ..._xml.document import parse, to_text
from ..._xml.patch import apply_patches

if t.TYPE_CHECKING:
    from ..._spec.patch import PatchSpec


@dataclass(frozen=True)
class Found:
    """The instance as it is found: its definition, and how its guest runs."""

    machine: Machine
    xml: str
    live_xml: str | None = None


class Patched(t.NamedTuple):
    """The designed machine with what the user's patches change of it, and where they are not in effect yet."""

    desired: Machine
    patches: tuple[str, ...] = ()
    """Paths of the patches that change the definition that is there."""
    waiting_patches: tuple[str, ...] = ()
    """Paths of the patches that the running guest has not."""


def patch_design(spec: InstanceSpec, desired: Machine, found: Found | None) -> Patched:
    """Return the machine as it will be read back; a patch that can't be applied is refused."""
    if spec.patches is None or desired.record is None:
        return Patched(desired)
    desired = replace(desired, record=replace(desired.record, patches=tuple(one.digest() for one in spec.patches)))
    patched = domain_xml.read(write_definition(spec, desired, found))
    for removal in removals(spec, desired, desired.record or InstanceRecord(), patched):
        raise SpecError(
            "xml_patch", f"it puts {removal.path} back, which another option takes away", "drop one of the two"
        )
    desired = overlaid(desired, patched)
    if found is None:
        return Patched(desired)
    done = _done(found)
    waiting = _not_in_effect(found.live_xml, spec.patches, done)
    return Patched(desired, _not_in_effect(found.xml, spec.patches, done), waiting)


def write_definition(spec: InstanceSpec, desired: Machine, found: Found | None) -> str:
    """Return the definition of the machine."""
    xml = domain_xml.render(desired) if found is None else _edited(spec, desired, found)
    return apply_patches(xml, spec.patches, _done(found)) if spec.patches else xml


def _done(found: Found | None) -> tuple[str, ...]:
    record = found.machine.record if found else None
    return record.patches if record else ()


def _edited(spec: InstanceSpec, desired: Machine, found: Found) -> str:
    xml = domain_xml.edit(found.xml, desired)
    for removal in removals(spec, desired, found.machine.record or InstanceRecord(), found.machine):
        xml = remove_devices(xml, "disk" if removal.kind == CDROM else removal.kind, [removal.key])
    return xml


def _not_in_effect(xml: str | None, patches: tuple[PatchSpec, ...], done: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths of the patches that would change ``xml``, each looked at alone."""
    return tuple(patch.path for patch in patches if xml is not None and not _holds(xml, patch, done))


def _holds(xml: str, patch: PatchSpec, done: tuple[str, ...]) -> bool:
    try:
        return apply_patches(xml, [patch], done) == to_text(parse(xml))
    except SpecError:
        # What it is about is only there once the rest is as declared.
        return False
