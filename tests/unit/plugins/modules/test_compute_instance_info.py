# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of compute_instance_info as Ansible runs it, on libvirt's test driver."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.modules import compute_instance_info

NODE = """
<node>
  <network><name>default</name><bridge name='virbr0'/>
    <ip address='192.0.2.1' netmask='255.255.255.0'><dhcp><range start='192.0.2.2' end='192.0.2.9'/></dhcp></ip></network>
  <domain type='test'><name>test</name><memory>2048</memory><vcpu>2</vcpu><os><type>hvm</type></os>
    <devices>
      <disk type='file' device='disk'><source file='/pool/a'/><target dev='vda'/></disk>
      <interface type='network'><source network='default'/></interface>
      <graphics type='vnc' port='5901' listen='127.0.0.1' passwd='secret'/>
    </devices></domain>
</node>
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """Return the URI of a host of its own with one running guest that is not ours."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    return f"test://{node}"


def run(capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> dict[str, t.Any]:
    """Run the module and return what it prints."""
    with patch_module_args(arguments), pytest.raises(SystemExit):
        compute_instance_info.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


def test_exactly_what_is_documented(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    """Every key of a row is, and nothing else, least of all the password."""
    result = run(capsys, uri=uri, all_domains=True)
    assert "secret" not in json.dumps(result)
    assert (result["changed"], set(result) - {"invocation"}) == (False, {"changed", "instances"})
    (row,) = result["instances"]
    documented = yaml.safe_load(compute_instance_info.RETURN)["instances"]["contains"]
    assert set(row) == set(documented)
    assert set(row["usage"] or documented["usage"]["contains"]) == set(documented["usage"]["contains"])
    for several in ("addresses", "disks", "graphics", "nics"):
        assert set(row[several][0]) == set(documented[several]["contains"])
    assert (row["name"], row["managed"], row["power_state"]) == ("test", False, "running")


def test_only_ours_by_default_and_in_check_mode(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    """The module only reads."""
    for check in (False, True):
        assert run(capsys, uri=uri, _ansible_check_mode=check)["instances"] == []


def test_a_query(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    """What it gives comes back."""
    assert run(capsys, uri=uri, all_domains=True, query="[].[name, vcpus]")["instances"] == [["test", 2]]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({"query": "["}, "INVALID_OPTION", "Option query: "),
        ({"query": "[", "uri": "nonsense:///"}, "INVALID_OPTION", "Option query: "),
        ({"uri": "nonsense:///"}, "CONNECTION_FAILED", "Cannot connect to the hypervisor at nonsense:///"),
    ],
)
def test_one_clear_sentence(
    capsys: pytest.CaptureFixture[str], uri: str, arguments: dict[str, t.Any], code: str, words: str
) -> None:
    """What is wrong and where, with a code for machines; bad options before anything is connected to."""
    result = run(capsys, **{"uri": uri, **arguments})
    assert (result["failed"], result["error_code"]) == (True, code)
    assert words in result["msg"]
    assert "\n" not in result["msg"]
