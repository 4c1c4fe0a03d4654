# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""XML text in, XML text out: the guarded lxml, a parser that trusts nothing, and the few verbs the other files share.

Writing follows one rule: None means "not set", and leaves what is there alone.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import ComputeError, MissingLibraryError

try:
    from lxml import etree

    LXML_IMPORT_ERROR: str | None = None
except ImportError as exc:
    etree = None  # type: ignore[assignment]
    LXML_IMPORT_ERROR = str(exc)

Element = t.Any
"""An lxml element; lxml may be missing when this file is imported."""
Scalar = t.Union[str, int, bool, None]
_NOT_XML = re.compile("[^\\t\\n\\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class XmlError(ComputeError):
    """A text is not the XML it should be, or a value cannot be written as XML."""

    code = "INVALID_XML"


def library() -> t.Any:
    """Return lxml.etree, or raise :class:`MissingLibraryError`."""
    if etree is None:
        raise MissingLibraryError(
            "The Python library lxml is not installed where the module runs"
            f" ({LXML_IMPORT_ERROR}): install python3-lxml (Debian, Ubuntu, Fedora, EL) or lxml."
        )
    return etree


def parse(text: str, what: str = "The hypervisor's XML") -> Element:
    """Return the root of ``text``; nothing is fetched and a document type is refused. ``what`` begins the error."""
    lxml = library()
    parser = lxml.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, encoding="utf-8")
    try:
        root = lxml.fromstring(text.encode("utf-8"), parser)
    except (lxml.XMLSyntaxError, UnicodeEncodeError) as exc:
        raise XmlError(f"{what} cannot be read: {' '.join(str(exc).split())}.") from exc
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlError(f"{what} cannot be read: it has a document type, which libvirt never writes.")
    return root


def to_text(element: Element, pretty: bool = False) -> str:
    """Return ``element`` as text, without what follows it in its parent; ``pretty`` is for new elements."""
    return library().tostring(element, encoding="unicode", pretty_print=pretty, with_tail=False)


def new(tag: str, **attributes: Scalar) -> Element:
    """Return a new root element."""
    element = library().Element(tag)
    set_attributes(element, **attributes)
    return element


def add(parent: Element, tag: str, text: Scalar = None, **attributes: Scalar) -> Element:
    """Append a new child to ``parent`` and return it."""
    child = library().SubElement(parent, tag)
    set_text(child, text)
    set_attributes(child, **attributes)
    return child


def ensure(parent: Element, tag: str) -> Element:
    """Return the first child ``tag`` of ``parent``, made at its end where there is none."""
    found = parent.find(tag)
    return add(parent, tag) if found is None else found


def set_text(element: Element, text: Scalar) -> None:
    """Set the text of ``element`` unless ``text`` is None."""
    value = _written(element, text)
    if value is not None:
        element.text = value


def set_attributes(element: Element, **attributes: Scalar) -> None:
    """Set those ``attributes`` that are not None; booleans become yes and no, a trailing underscore is dropped."""
    for name, value in attributes.items():
        written = _written(element, value)
        if written is not None:
            element.set(name.rstrip("_"), written)


def put(parent: Element, tag: str, text: Scalar = None, **attributes: Scalar) -> None:
    """Set text and attributes of the child ``tag``, made where needed; all None leaves everything as it is."""
    if text is not None or any(value is not None for value in attributes.values()):
        child = ensure(parent, tag)
        set_text(child, text)
        set_attributes(child, **attributes)


def set_flag(parent: Element, tag: str, present: bool | None) -> None:
    """Make the empty child ``tag`` be there or not; None leaves it."""
    if present is False:
        drop(parent, tag)
    elif present and parent.find(tag) is None:
        add(parent, tag)


def drop(parent: Element, *tags: str) -> None:
    """Remove all children with one of these ``tags``."""
    for tag in tags:
        for child in parent.findall(tag):
            parent.remove(child)


def text_of(root: Element, path: str) -> str | None:
    """Return the stripped text at ``path``; None where there is no element or no text."""
    return (root.findtext(path) or "").strip() or None


def attribute(root: Element, path: str, name: str) -> str | None:
    """Return an attribute of the element at ``path``, or None."""
    found = root.find(path)
    return None if found is None else found.get(name)


def as_bool(value: str | None) -> bool | None:
    """Return libvirt's yes/no or on/off as a boolean; None for anything else."""
    return {"yes": True, "on": True, "no": False, "off": False}.get(value or "")


def as_int(value: str | None) -> int | None:
    """Return a decimal number; None for anything else."""
    try:
        return int(value or "")
    except ValueError:
        return None


def _written(element: Element, value: Scalar) -> str | None:
    if value is None:
        return None
    written = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    if _NOT_XML.search(written):
        raise XmlError(f"The value {written!r} of <{element.tag}> holds a control character, which XML cannot carry.")
    return written
