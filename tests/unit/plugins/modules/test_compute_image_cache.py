# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of compute_image_cache and compute_image_info as Ansible runs them, on libvirt's test driver."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.modules import compute_image_cache, compute_image_info


def run(module: t.Any, capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> dict[str, t.Any]:
    """Run a module and return what it prints."""
    declared = {"uri": "test:///default", "pool": "default-pool", **arguments}
    with patch_module_args(declared), pytest.raises(SystemExit):
        module.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


def test_an_empty_pool(capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to do and nothing to list."""
    result = run(compute_image_cache, capsys, unused_for="0s", max_size="1G", keep=["a"])
    assert (result["changed"], result["removed"], result["size_bytes"]) == (False, [], 0)
    result = run(compute_image_info, capsys, names=["a"])
    assert (result["changed"], result["images"], result["unreadable"]) == (False, [], [])


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (compute_image_cache, {"unused_for": "soon"}, "Option unused_for: 'soon' is no age"),
        (compute_image_cache, {"max_size": "-1"}, "Option max_size: '-1' is not a size"),
        (compute_image_cache, {"pool": ""}, "Option pool: it is empty"),
        (compute_image_cache, {"pool": "nowhere"}, "Option pool: there is no storage pool named nowhere"),
        (compute_image_info, {"pool": ""}, "Option pool: it is empty"),
        (compute_image_info, {"query": "["}, "Option query: "),
    ],
)
def test_one_clear_sentence(
    capsys: pytest.CaptureFixture[str], module: t.Any, options: dict[str, t.Any], words: str
) -> None:
    """What is wrong and where."""
    result = run(module, capsys, **options)
    assert result["failed"]
    assert words in result["msg"]
