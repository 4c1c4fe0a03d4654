# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the guest's side of a running domain's XML."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain_guest import GuestSide, read_guest_side
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    MAC,
    OTHER_MAC,
    domain_xml,
)


@pytest.mark.parametrize(("channel", "state"), [("connected", "connected"), ("disconnected", "disconnected"), ("", "")])
def test_a_channel_and_its_state(channel: str, state: str) -> None:
    """Libvirt only tells the state of a running domain's."""
    assert read_guest_side(domain_xml(channel)).agent == state


def test_no_channel() -> None:
    """Nor does a channel of something else count."""
    assert read_guest_side(domain_xml(None)).agent is None
    other = (
        "<domain><devices><channel><target name='com.redhat.spice.0' state='connected'/></channel></devices></domain>"
    )
    assert read_guest_side(other) == GuestSide(macs=(), agent=None, is_ours=False)


def test_nics_in_their_order() -> None:
    """In lower case."""
    assert read_guest_side(domain_xml(macs=(OTHER_MAC, MAC))).macs == (OTHER_MAC, MAC)


@pytest.mark.parametrize("ours", [True, False])
def test_whose_it_is(ours: bool) -> None:
    """By its record."""
    assert read_guest_side(domain_xml(ours=ours)).is_ours is ours


def test_what_is_no_xml() -> None:
    """It is said what cannot be read."""
    with pytest.raises(XmlError, match="domain's XML"):
        read_guest_side("nonsense")
