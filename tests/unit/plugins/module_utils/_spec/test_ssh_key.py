# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the form of public SSH keys."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.ssh_key import check_ssh_key

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8v2aDn0oMZ0mmHCt5FIyZOmHUyQ6bWPnG3u4bKPZ1k"


@pytest.mark.parametrize("comment", ["", " me@there", " two words: and a colon"])
def test_a_key_with_or_without_comment(comment: str) -> None:
    """Space around it is taken off, as files end with a line break."""
    assert check_ssh_key("o", f" {ED25519}{comment}\n") == f"{ED25519}{comment}"


@pytest.mark.parametrize("kind", ["ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"])
def test_other_kinds(kind: str) -> None:
    """The type stands in the key once more."""
    blob = len(kind).to_bytes(4, "big") + kind.encode() + b"rest"
    assert check_ssh_key("o", f"{kind} {base64.b64encode(blob).decode()} me")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "not a public SSH key"),
        ("~/.ssh/id_ed25519.pub", "not a public SSH key"),
        (f"{ED25519}\n{ED25519}", "not a public SSH key"),
        (f'from="10.0.0.1" {ED25519}', "not a public SSH key"),
        (f"ssh-dss {ED25519.split()[1]}", "begins with 'ssh-dss'"),
        (f"ssh-rsa {ED25519.split()[1]}", "its second word is not a key of type ssh-rsa"),
        (ED25519[:-1], "its second word is not a key"),
        ("ssh-rsa AAAA", "its second word is not a key"),
        ("ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519").decode(), "its second word is not a key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "it is a private key"),
    ],
)
def test_what_is_no_public_key_is_refused(value: str, problem: str) -> None:
    """With the option's name and what would be right, and never with the key itself."""
    with pytest.raises(SpecError) as caught:
        check_ssh_key("ssh_keys[1]", value)
    assert caught.value.message.startswith("Option ssh_keys[1]: ")
    assert problem in caught.value.message
    assert ED25519.split()[1] not in caught.value.message
