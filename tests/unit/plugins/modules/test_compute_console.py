# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of compute_console as Ansible runs it, on libvirt's test driver."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.modules import compute_console

NODE = """
<node>
  <pool type='dir'><name>default</name><target><path>/pool</path></target></pool>
  <domain type='test'><name>web</name><memory>1024</memory><os><type>hvm</type></os>
    <devices>
      <graphics type='vnc' port='5901' listen='127.0.0.1' passwd='secret'/><video><model type='vga'/></video>
      <serial type='pty'><log file='/pool/web.console.log'/></serial>
    </devices></domain>
</node>
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """Return the URI of a host of its own."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    return f"test://{node}"


def run(capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> dict[str, t.Any]:
    """Run the module and return what it prints."""
    with patch_module_args({"name": "web", **arguments}), pytest.raises(SystemExit):
        compute_console.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


def test_exactly_what_is_documented(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    """Every key is, and nothing else, least of all the password."""
    result = run(capsys, uri=uri, screenshot=True)
    documented = yaml.safe_load(compute_console.RETURN)
    assert set(result) - {"invocation", "changed"} == set(documented)
    assert set(result["log"]) == set(documented["log"]["contains"])
    assert set(result["screenshot"]) == set(documented["screenshot"]["contains"])
    assert set(result["graphics"][0]) == set(documented["graphics"]["contains"])
    assert result["changed"] is False
    assert "secret" not in json.dumps(result)


@pytest.mark.parametrize("check", [False, True])
def test_a_picture_as_a_file(capsys: pytest.CaptureFixture[str], uri: str, tmp_path: Path, check: bool) -> None:
    """Each run writes another one; check mode says so and writes none."""
    dest = tmp_path / "web.png"
    for _run in range(2):
        result = run(capsys, uri=uri, screenshot=True, dest=str(dest), _ansible_check_mode=check)
        assert result["changed"] is True
        assert dest.exists() is not check


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({"name": "nobody"}, "NOT_FOUND", "Option name: there is no instance named nobody"),
        ({"lines": -1}, "INVALID_OPTION", "Option lines: -1 is not between 1 and"),
        ({"lines": -1, "uri": "nonsense:///"}, "INVALID_OPTION", "Option lines: "),
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
