# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The guide's example is planned as it says."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import yaml
from ansible_collections.kilonova.compute.plugins.filter.expand_fleet import expand_fleet
from ansible_collections.kilonova.compute.plugins.filter.schedule import schedule
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.asking import node, places

GUIDE = Path(__file__).resolve().parents[5] / "docs" / "docsite" / "rst" / "scheduling_guide.rst"


def test_example() -> None:
    """Three databases apart, and the report beside the first, where the graphics card is."""
    block = re.search(r"code-block:: yaml\n\n((?: {4}.*\n|\n)+)", GUIDE.read_text(encoding="utf-8"))
    assert block is not None
    declared = yaml.safe_load(textwrap.dedent(block[1]))
    instances = expand_fleet(declared["fleet_instances"], declared["fleet_flavors"], declared["fleet_images"])
    big = {"memory_mb": 65536, "local_gb": 500, "availability_zone": "east", "aggregates": ["fast", "shop-only"]}
    hosts = {f"hv{number}": node(**big, traits=["CUSTOM_GPU"]) for number in range(1, 4)}
    hosts["hv4"] = node(**{**big, "aggregates": []}, traits=["CUSTOM_GPU"])
    found = places(schedule(instances, hosts, "shop", aggregates=declared["fleet_aggregates"]))
    assert {found[f"db-{number}"] for number in (1, 2, 3)} == {"hv1", "hv2", "hv3"}
    assert found["report"] == found["db-1"]
