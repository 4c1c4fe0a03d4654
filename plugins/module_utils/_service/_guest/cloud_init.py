# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How far cloud-init is in a guest: asked through the agent, in JSON, or in words where it is older than that."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..._driver.agent_exec import ExecResult, Program, execute
from ..._driver.connection import Connection
from ..._errors import AgentAbsentError, AgentAwayError, DriverError, GuestError, UnsupportedError

_IN_JSON = Program("cloud-init", ("status", "--format=json"), timeout=30.0)
_IN_WORDS = Program("cloud-init", ("status", "--long"), timeout=30.0)
_ENDED_WELL = frozenset({"done", "disabled"})


@dataclass(frozen=True)
class CloudInitStatus:
    """Where cloud-init says it is; ``warnings`` are errors that it got over."""

    status: str
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Tell whether it has ended well, or has nothing to do."""
        return self.status in _ENDED_WELL

    @property
    def is_failed(self) -> bool:
        """Tell whether it has ended badly."""
        return self.status == "error"


def ask_cloud_init(connection: Connection, handle: t.Any) -> CloudInitStatus:
    """Ask cloud-init in the guest; that it is not there is a :class:`GuestError`."""
    name = handle.name()
    try:
        answer = execute(connection, handle, _IN_JSON)
        status = read_json(answer.stdout)
        if status is None:
            answer = execute(connection, handle, _IN_WORDS)
            status = read_words(answer.stdout)
    except (AgentAbsentError, AgentAwayError, UnsupportedError):
        raise
    except DriverError as exc:
        raise GuestError(
            f"cloud-init cannot be asked in {name}; is it installed there? Install it in the image, or do not wait for"
            f" cloud_init. {exc}"
        ) from exc
    if status is None:
        raise GuestError(f"cloud-init in {name} does not say its status, but {_last_words(answer)!r}.")
    return status


def read_json(output: bytes) -> CloudInitStatus | None:
    """Return what ``cloud-init status --format=json`` says; None for anything else."""
    text = output.decode("utf-8", "replace")
    try:
        answer = json.loads(text[max(text.find("{"), 0) :])
    except ValueError:
        return None
    status = answer.get("status") if isinstance(answer, dict) else None
    if not isinstance(status, str):
        return None
    recovered = answer.get("recoverable_errors")
    levels = recovered.values() if isinstance(recovered, dict) else ()
    return CloudInitStatus(
        status=status,
        errors=_texts(answer.get("errors")) or (_texts([answer.get("detail")]) if status == "error" else ()),
        warnings=tuple(text for level in levels for text in _texts(level)),
    )


def read_words(output: bytes) -> CloudInitStatus | None:
    """Return what ``cloud-init status --long`` says; None for anything else."""
    lines = output.decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines):
        key, colon, value = line.partition(":")
        if colon and key.strip() == "status":
            status = value.strip()
            rest = (line.strip() for line in lines[number + 1 :])
            return CloudInitStatus(status, errors=tuple(filter(None, rest)) if status == "error" else ())
    return None


def _texts(values: t.Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values if value) if isinstance(values, list) else ()


def _last_words(answer: ExecResult) -> str:
    lines = (answer.stderr or answer.stdout).decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
