# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Secrets that libvirt keeps for encrypted volumes and for pools, as data, out of its XML and into it; the value is in neither."""

from __future__ import annotations

from dataclasses import dataclass

from .document import add, attribute, new, parse, text_of, to_text

_NAMES = {"volume": "volume", "ceph": "name", "iscsi": "target"}
"""The element that says what a secret is for, by its usage."""


@dataclass(frozen=True)
class SecretDescription:
    """``<secret>`` of the encrypted volume at ``path``, or of what else ``usage`` says, which ``path`` then is the name of."""

    uuid: str
    path: str
    description: str | None = None
    private: bool = False
    """Libvirt tells its value to nobody."""
    usage: str = "volume"


def write_secret(secret: SecretDescription) -> str:
    """Return the XML that defines ``secret``, to be kept on the hypervisor's disk."""
    root = new("secret", ephemeral=False, private=secret.private)
    add(root, "uuid", secret.uuid)
    if secret.description:
        add(root, "description", secret.description)
    add(add(root, "usage", type=secret.usage), _NAMES[secret.usage], secret.path)
    return to_text(root)


def read_secret(text: str) -> SecretDescription:
    """Return what libvirt's XML ``text`` says of a secret of a usage that is known here."""
    root = parse(text)
    usage = attribute(root, "usage", "type") or ""
    return SecretDescription(
        uuid=text_of(root, "uuid") or "",
        path=root.findtext(f"usage/{_NAMES[usage]}") or "",
        description=root.findtext("description") or None,
        private=root.get("private") == "yes",
        usage=usage,
    )
