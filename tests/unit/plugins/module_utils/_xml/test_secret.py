# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the secrets of volumes and pools between data and libvirt's XML."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._xml.secret import (
    SecretDescription,
    read_secret,
    write_secret,
)
from lxml import etree

SCHEMA = Path("/usr/share/libvirt/schemas/secret.rng")
UUID = "86856312-8f70-5740-a102-117e4bae2e22"


@pytest.mark.parametrize(
    "secret",
    [
        SecretDescription(UUID, "/pool/a"),
        SecretDescription(UUID, "/pool/a & <b>", "words", private=True),
        SecretDescription(UUID, "kilonova.compute pool ceph", "words", private=True, usage="ceph"),
        SecretDescription(UUID, "kilonova.compute pool disks", usage="iscsi"),
    ],
)
def test_what_is_written_is_valid_and_read(secret: SecretDescription) -> None:
    """It is kept over a restart of libvirt, and its value is no part of it."""
    text = write_secret(secret)
    document = etree.fromstring(text)
    etree.RelaxNG(etree.parse(str(SCHEMA))).assertValid(document)
    assert document.get("ephemeral") == "no"
    assert read_secret(text) == secret
