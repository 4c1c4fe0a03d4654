# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what a module shows of its arguments, in its result and in the log of the machine where it runs."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._module import ComputeModule
from ansible_collections.kilonova.compute.plugins.module_utils._options_first_boot import first_boot_options
from ansible_collections.kilonova.compute.plugins.module_utils._secrets import CENSORED

SCRIPT = "#!/bin/sh\necho first-secret\necho last-secret\n"
DECLARED = {
    "name": "web-1",
    "user_data": {"hostname": "web-1", "write_files": [{"content": "file-secret", "permissions": 8}], "x": SCRIPT},
    "meta_data": {"token": "meta-secret"},
    "network_config": {"version": 2, "wifis": {"w": {"password": "wifi-secret"}}},
    "password": "$6$hash-secret",
}
SPEC: dict[str, t.Any] = {
    "name": {"type": "str"},
    **first_boot_options(),
    "instances": {"type": "list", "elements": "dict", "options": {"name": {"type": "str"}, **first_boot_options()}},
}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what Ansible would write into the machine's log."""
    lines: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, msg, log_args=None: lines.append(f"{msg} {log_args}"))
    return lines


def run(capsys: pytest.CaptureFixture[str], fails: bool, arguments: dict[str, t.Any]) -> tuple[str, dict[str, t.Any]]:
    """Run a module with these arguments, and return what it prints, as text and as data."""

    def read(params: dict[str, t.Any]) -> str:
        if fails:
            raise SpecError("user_data", "web-1 needs 8")
        return str(params["name"])

    def work(_connection: Connection, declared: str, _check: bool) -> dict[str, t.Any]:
        return {"changed": False, "instance": declared, "vcpus": 8}

    arguments = {"uri": "test:///default", "_ansible_inject_invocation": True, **arguments}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        ComputeModule(SPEC).run(read, work)
    text = capsys.readouterr().out
    return text, json.loads(text)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("arguments", [DECLARED, {"name": "web-1", "instances": [DECLARED, {"name": "web-2"}]}])
def test_no_secret_gets_out(
    capsys: pytest.CaptureFixture[str], logged: list[str], fails: bool, arguments: dict[str, t.Any]
) -> None:
    """And the result is whole, though parts of the documents are as common as a digit."""
    text, result = run(capsys, fails, arguments)
    assert "secret" not in text + "".join(logged)
    if fails:
        assert result["msg"] == "Option user_data: web-1 needs 8."
    else:
        assert (result["instance"], result["vcpus"]) == ("web-1", 8)
    shown = result["invocation"]["module_args"]
    shown = shown["instances"][0] if "instances" in arguments else shown
    assert (shown["name"], shown["user_data"], shown["password"]) == ("web-1", CENSORED, CENSORED)
    assert shown["hostname"] is None


def test_a_refusal_of_ansibles_own_shows_none(capsys: pytest.CaptureFixture[str], logged: list[str]) -> None:
    """It ends the module before it has anything to say."""
    text, result = run(capsys, False, {"instances": [DECLARED], "nonsense": 1})
    assert result["failed"]
    assert "secret" not in text + "".join(logged)
