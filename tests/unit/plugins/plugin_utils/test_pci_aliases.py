# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of flavors that ask for devices by an alias."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.plugin_utils._fleet import expand
from ansible_collections.kilonova.compute.plugins.plugin_utils._values import ValuesError

ALIASES = {"gpu": {"vendor_id": "10de", "product_id": "20b5"}, "nic": {"vendor_id": "8086", "product_id": "10ED"}}


def expanded(text: str, aliases: t.Any = None, **declared: t.Any) -> dict[str, t.Any]:
    """Return the first of two instances of a flavor that asks for what ``text`` says."""
    specs = {"hw:cpu_policy": "dedicated", "pci_passthrough:alias": text}
    flavor = {"name": "f", "vcpus": 1, "memory_mb": 1, "disk_gb": 1, "extra_specs": specs}
    aliases = ALIASES if aliases is None else aliases
    return expand([{"name": "a", "flavor": "f", "count": 2, **declared}], [flavor], [], "x_", aliases)[0]


def test_aliases_become_devices() -> None:
    """After those that the instance declares itself; the host hears of no alias."""
    own = {"address": "0000:01:00.0"}
    instance = expanded("gpu:2, nic", pci_devices=[own])
    assert instance["pci_devices"] == [own, {**ALIASES["gpu"], "count": 2}, {**ALIASES["nic"], "count": 1}]
    assert instance["flavor"]["extra_specs"] == {"hw:cpu_policy": "dedicated"}


@pytest.mark.parametrize(
    ("text", "aliases", "words"),
    [
        (
            "fpga:1",
            None,
            "Instance a-1: flavor.extra_specs[pci_passthrough:alias]: 'fpga' is no alias in x_pci_aliases",
        ),
        ("gpu:1", {}, "'gpu' is no alias in x_pci_aliases; declare it."),
        ("gpu:none", None, "'none' is not a whole number"),
        ("gpu:0", None, "0 is too small"),
        ("gpu:1", {"gpu": {"vendor_id": "10de"}}, "x_pci_aliases.gpu.product_id: None is not four hexadecimal digits"),
        ("gpu:1", {"gpu": {"vendor": "10de"}}, "x_pci_aliases.gpu: 'vendor' is unknown"),
        ("gpu:1", ["gpu"], "x_pci_aliases: ['gpu'] is not a dictionary"),
    ],
)
def test_wrong_aliases(text: str, aliases: t.Any, words: str) -> None:
    """One sentence with the remedy."""
    with pytest.raises(ValuesError) as caught:
        expanded(text, aliases)
    assert words in str(caught.value)
