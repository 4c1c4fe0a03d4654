# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Patches of a definition: set, add and remove what XPath expressions select, so that twice is as good as once."""

from __future__ import annotations

import typing as t

from .._errors import ComputeError, SpecError
from .._spec.patch import ADD, REMOVE, PatchSpec
from .document import Element, XmlError, library, parse, set_text, to_text
from .record import NAMESPACE, PREFIX

NAMESPACES = {
    PREFIX: NAMESPACE,
    "qemu": "http://libvirt.org/schemas/domain/qemu/1.0",
    "lxc": "http://libvirt.org/schemas/domain/lxc/1.0",
    "xen": "http://libvirt.org/schemas/domain/xen/1.0",
    "libosinfo": "http://libosinfo.org/xmlns/libvirt/domain/1.0",
}
"""Prefixes that a path may use."""


def apply_patches(xml: str, patches: t.Sequence[PatchSpec], done: t.Collection[str] = ()) -> str:
    """Return the definition ``xml`` with all ``patches``, in their order, or raise :class:`SpecError`.

    A path that selects nothing is refused, unless ``done`` holds the patch's digest: then what it was about is gone or
    changed already. Patches that would change something again when they were applied to their own result are refused.
    """
    domain = parse(xml, "The domain's XML")
    for patch in patches:
        _apply(domain, patch, patch.digest() in done)
    result = to_text(domain)
    for patch in patches:
        _apply(domain, patch, is_done=True)
        if to_text(domain) != result:
            raise SpecError(
                patch.option,
                "applied a second time, after all patches, it would change something again",
                "write patches that hold when all of them are in effect",
            )
    return result


def _apply(domain: Element, patch: PatchSpec, is_done: bool) -> None:
    before = _untouchable(domain)
    found = _select(domain, patch)
    if not found and (patch.action == ADD or not is_done):
        raise SpecError(
            f"{patch.option}.path", f"{patch.path!r} matches nothing in the definition", "see virsh dumpxml --inactive"
        )
    for element in found:
        if patch.action == ADD:
            _add(element, patch)
        elif patch.action == REMOVE:
            _remove(element, patch)
        else:
            _set(element, patch)
    if _untouchable(domain) != before:
        raise SpecError(
            f"{patch.option}.path",
            f"{patch.path!r} changes the name, the UUID or the record by which the instance is known",
            "leave these alone",
        )


def _select(domain: Element, patch: PatchSpec) -> list[Element]:
    try:
        found = domain.xpath(patch.path, namespaces=NAMESPACES)
    except library().XPathError as exc:
        raise SpecError(
            f"{patch.option}.path",
            f"{patch.path!r} is no XPath expression that can be evaluated ({' '.join(str(exc).split())})",
            f"write for example devices/disk[target/@dev='vda']; known prefixes are {', '.join(NAMESPACES)}",
        ) from exc
    if not isinstance(found, list) or not all(isinstance(getattr(node, "tag", None), str) for node in found):
        raise SpecError(
            f"{patch.option}.path",
            f"{patch.path!r} selects something else than elements",
            "select an element, and name an attribute of it with attribute",
        )
    return found


def _set(element: Element, patch: PatchSpec) -> None:
    try:
        if patch.attribute is not None:
            element.set(patch.attribute, patch.value)
        elif len(element):
            raise SpecError(
                f"{patch.option}.path", f"{patch.path!r} selects an element with others inside", "select one of these"
            )
        else:
            set_text(element, patch.value)
    except (XmlError, ValueError) as exc:
        raise SpecError(f"{patch.option}.value", "it holds a control character", "XML cannot carry it") from exc


def _remove(element: Element, patch: PatchSpec) -> None:
    if patch.attribute is not None:
        element.attrib.pop(patch.attribute, None)
        return
    parent = element.getparent()
    if parent is None:
        raise SpecError(f"{patch.option}.path", f"{patch.path!r} selects the whole definition", "select a part of it")
    parent.remove(element)


def _add(element: Element, patch: PatchSpec) -> None:
    try:
        wanted = parse(patch.xml or "", "The XML")
    except ComputeError as exc:
        raise SpecError(f"{patch.option}.xml", str(exc).rstrip("."), "write one element") from exc
    if not any(_holds(child, wanted) for child in element):
        element.append(wanted)


def _holds(present: Element, wanted: Element) -> bool:
    """Tell whether ``present`` is ``wanted``, to which libvirt may have added an address, an alias or defaults."""
    if present.tag != wanted.tag or (present.text or "").strip() != (wanted.text or "").strip():
        return False
    if any(present.get(name) != value for name, value in wanted.items()):
        return False
    free = list(present)
    for child in wanted.iterchildren("*"):
        match = next((candidate for candidate in free if _holds(candidate, child)), None)
        if match is None:
            return False
        free.remove(match)
    return True


def _untouchable(domain: Element) -> list[str]:
    """Return all that a patch must leave as it is."""
    own = domain.iter(f"{{{NAMESPACE}}}*")
    return [to_text(element) for element in (*domain.iterchildren("name", "uuid"), *own)]
