# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Security groups where libvirt is an ordinary user's, who has no network filters."""

from __future__ import annotations

from .conftest import Hypervisor, run_module
from .subjects import Subject


def test_what_can_not_guard_is_refused(hypervisor: Hypervisor, name: str) -> None:
    """In one sentence that names the option; a declaration that wants no guards is fine."""
    refused = run_module("compute_security_group", uri=hypervisor.uri, name="web")
    assert refused.failed
    assert refused.message.startswith("Option uri: the hypervisor at ")
    subject = Subject(hypervisor, name, power_state="stopped")
    for guards in ({"port_security": True}, {"security_groups": ["web"]}):
        bad = subject.attempt(networks=[{"user": True, **guards}])
        assert bad.message.startswith(f"Option networks[0].{next(iter(guards))}: ")
        other = subject.attempt(networks=[{"bridge": "br0", **guards}])
        assert "has no network filters" in other.message
    assert name not in hypervisor.domains()
    assert subject.declare(networks=[{"user": True, "port_security": False, "security_groups": []}])["changed"]
    assert "filterref" not in hypervisor.virsh("dumpxml", name)
