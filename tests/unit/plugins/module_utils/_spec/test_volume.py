# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what can be declared of a volume by itself."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.attachment import AttachmentSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.encryption import EncryptionSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.volume import Origin, StoredVolumeSpec

UNSET: dict[str, t.Any] = {
    "name": "data",
    "state": "present",
    "pool": "default",
    "size": None,
    "format": None,
    "source": None,
    "image": None,
    "src": None,
    "dest": None,
    "wipe": False,
    "encryption": None,
    "attached_to": None,
    "bus": None,
    "serial": None,
}


def spec(**params: t.Any) -> StoredVolumeSpec:
    """Read a declaration in which the rest is not set."""
    return StoredVolumeSpec.from_params({**UNSET, **params})


def test_a_declaration_is_read() -> None:
    """Sizes in bytes and whole sectors; a source without a pool is in that of the new volume."""
    assert spec(size="20G") == StoredVolumeSpec("data", size=20 * 1024**3)
    assert spec(size="20MB").size == 20_000_256
    assert spec(pool="fast", source={"name": "old", "pool": None}).origin == Origin("old", "fast")
    assert spec(image={"name": "data", "pool": None}).origin == Origin("data", "default", is_image=True)
    assert spec(src="/srv/./a.qcow2").src == "/srv/a.qcow2"
    assert spec(encryption={"passphrase": "a b"}).encryption == EncryptionSpec("a b")
    assert spec(attached_to="").attachment == AttachmentSpec()
    assert spec(attached_to="web-1", serial="x").attachment == AttachmentSpec("web-1", serial="x")
    assert spec(state="absent", wipe=True, size="nonsense") == StoredVolumeSpec("data", present=False, wipe=True)


@pytest.mark.parametrize(
    ("params", "option", "words"),
    [
        ({"name": "a/b"}, "name", "not a valid name"),
        ({"name": "kilonova-sha256-0"}, "name", "the collection's own"),
        ({"pool": ""}, "pool", "empty"),
        ({"size": "10"}, "size", "10 bytes, which is too small; give a unit"),
        ({"size": "ten"}, "size", "not a size"),
        ({"wipe": True}, "wipe", "declare state: absent"),
        ({"src": "a.raw"}, "src", "absolute"),
        ({"dest": "a.raw"}, "dest", "absolute"),
        ({"src": "/a", "image": {"name": "x", "pool": None}}, "src", "image is given as well"),
        ({"source": {"name": "data", "pool": "default"}}, "source", "the volume itself"),
        ({"source": {"name": "", "pool": None}}, "source.name", "not a valid name"),
        ({"encryption": {"passphrase": ""}}, "encryption.passphrase", "it is empty"),
        ({"encryption": {"passphrase": "a\n"}}, "encryption.passphrase", "a line break"),
        ({"encryption": {"passphrase": "a"}, "src": "/a"}, "encryption", "the source of this one"),
        ({"attached_to": "a/b"}, "attached_to", "not a valid name"),
        ({"attached_to": "", "state": "absent"}, "attached_to", "attached to nothing"),
        ({"bus": "scsi"}, "bus", "declare attached_to as well"),
        ({"attached_to": "", "serial": "a"}, "serial", "declare attached_to as well"),
        ({"attached_to": "web-1", "serial": "a b"}, "serial", "not a serial number"),
    ],
)
def test_bad_input_is_refused(params: dict[str, t.Any], option: str, words: str) -> None:
    """The sentence names the option, and what is wrong with it."""
    with pytest.raises(SpecError) as caught:
        spec(**params)
    assert caught.value.option == option
    assert words in caught.value.message
