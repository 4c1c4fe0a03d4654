# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of TPMs and encrypted memory that golden files do not show."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, Sev, Tpm
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read

PASSED_ON = (
    "<domain><devices><tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>"
    "</devices></domain>"
)
EMULATED = (
    "<domain><devices><tpm model='tpm-tis'><backend type='emulator' version='1.2' persistent_state='yes'>"
    "<encryption secret='6dd3e4a5-1d76-44ce-961f-f119f5aad935'/></backend></tpm></devices></domain>"
)


def _sev(policy: str) -> str:
    return (
        f"<domain><launchSecurity type='sev'><policy>{policy}</policy><session>AAA</session></launchSecurity></domain>"
    )


def test_an_emulated_tpm_keeps_how_it_is_stored() -> None:
    """Its state is worth more than any setting."""
    edited = edit(EMULATED, Machine("kvm", "m", tpm=Tpm("tpm-crb", "2.0")))
    assert read(edited).tpm == Tpm("tpm-crb", "2.0")
    assert "<encryption" in edited
    assert 'persistent_state="yes"' in edited


def test_a_tpm_of_the_host_is_not_taken_away() -> None:
    """It is of a kind that is not written, so it is not read either."""
    assert read(PASSED_ON).tpm is None
    with pytest.raises(
        XmlError, match=r"^The TPM cannot go from type passthrough to emulator: only emulator is known\.$"
    ):
        edit(PASSED_ON, Machine("kvm", "m", tpm=Tpm("tpm-tis")))


@pytest.mark.parametrize(("policy", "number"), [("0x0003", 3), ("0x3", 3), ("0x00", 0)])
def test_the_same_policy_stays_as_it_is_written(policy: str, number: int) -> None:
    """The number counts; the owner's session stays."""
    assert read(_sev(policy)).launch_security == Sev(number)
    assert f"<policy>{policy}</policy>" in edit(_sev(policy), Machine("kvm", "m", launch_security=Sev(number)))
    edited = edit(_sev(policy), Machine("kvm", "m", launch_security=Sev(7)))
    assert "<policy>0x0007</policy>" in edited
    assert "<session>" in edited


def test_refuses_a_policy_that_is_none() -> None:
    """One sentence, no guess."""
    with pytest.raises(XmlError, match="'strict' is not a policy"):
        read(_sev("strict"))


def test_another_protection_is_not_taken_away() -> None:
    """A mainframe's is of a kind that is not written."""
    other = "<domain><launchSecurity type='s390-pv'/></domain>"
    assert read(other).launch_security is None
    with pytest.raises(XmlError, match="cannot go from s390-pv to sev"):
        edit(other, Machine("kvm", "m", launch_security=Sev(3)))
