# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the scheduler's command line."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.__main__ import main

WRONG_INPUT = 2
NODE = {"vcpus": 4, "vcpus_used": 0, "memory_mb": 4096, "memory_mb_used": 0, "local_gb": 40, "local_gb_used": 0}


def question(tmp_path: Path, **changes: t.Any) -> str:
    """Return the path of a question about one instance and one host."""
    flavor = {"name": "f", "vcpus": 1, "memory_mb": 1024, "disk_gb": 1}
    content = {"fleet": "demo", "hosts": {"hv1": NODE}, "instances": [{"name": "web", "flavor": flavor}], **changes}
    path = tmp_path / "question.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People get a table."""
    assert main([question(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["web", "f", "hv1", "create"]


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Machines get JSON; what has no place shows in the exit code."""
    limits = {"reserved_host_memory_mb": 4000}
    assert main([question(tmp_path, limits=limits), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["unplaced"][0]["by_filter"] == {"RamFilter": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"policy": "best"}, "Policy 'best' is unknown"), ({"hostz": {}}, "must hold fleet, instances and hosts")],
)
def test_wrong_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, t.Any], message: str
) -> None:
    """One sentence, and exit code 2."""
    assert main([question(tmp_path, **changes)]) == WRONG_INPUT
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("content", "message"), [("{", "is not JSON"), ("[]", "must hold"), (None, "No such file")])
def test_wrong_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str) -> None:
    """One sentence, and exit code 2."""
    path = tmp_path / "question.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert main([str(path)]) == WRONG_INPUT
    assert message in capsys.readouterr().err


def test_other_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Moves and room are asked for by name."""
    path = tmp_path / "question.json"
    web = {"name": "web", "fleet": "demo", "vcpus": 1, "memory_mb": 512, "disk_gb": 1}
    used = {"vcpus_used": 1, "memory_mb_used": 512, "local_gb_used": 1}
    hosts = {"hv1": {**NODE, **used, "instances": [web]}, "hv2": NODE}
    path.write_text(json.dumps({"hosts": hosts, "drained": ["hv1"]}), encoding="utf-8")
    assert main(["drain", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["1", "web", "hv1", "hv2"]
    assert main(["rebalance", str(path)]) == WRONG_INPUT
    assert "scheduler rebalance: rebalance: 'drained' is unknown" in capsys.readouterr().err
    path.write_text(json.dumps({"hosts": {"hv1": hosts["hv1"]}, "drained": ["hv1"]}), encoding="utf-8")
    assert main(["drain", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["complete"] is False
    path.write_text("{}", encoding="utf-8")
    assert main(["capacity", str(path)]) == WRONG_INPUT
    assert "hosts is missing" in capsys.readouterr().err
    path.write_text("[]", encoding="utf-8")
    assert main(["capacity", str(path)]) == WRONG_INPUT
    assert "must hold the arguments of capacity" in capsys.readouterr().err
