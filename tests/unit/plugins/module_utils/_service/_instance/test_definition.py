# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the text that libvirt is given."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.definition import patch_design
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec, machine_of


def test_a_patch_against_another_option_is_refused() -> None:
    """Otherwise every run would take away what the last one put back."""
    patch = {"path": "devices", "action": "add", "xml": "<watchdog model='i6300esb' action='reset'/>"}
    spec = instance_spec(watchdog="disabled", xml_patch=[patch]).completed()
    with pytest.raises(SpecError, match=r"xml_patch: it puts watchdogs\[i6300esb\] back"):
        patch_design(spec, machine_of(spec), None)
    spec = instance_spec(xml_patch=[patch]).completed()
    assert patch_design(spec, machine_of(spec), None).desired.watchdogs == ()
