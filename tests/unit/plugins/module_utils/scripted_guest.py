# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A stand-in for libvirt's domain object, whose guest and agent answer as a test has scripted them.

Libvirt's test driver knows no agents, so its own objects can't serve.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import agent
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import STATES

MAC = "52:54:00:00:00:01"
OTHER_MAC = "52:54:00:00:00:02"
RECORD = "<metadata><k:instance xmlns:k='https://kilonova.example/xmlns/compute/1' schema='1'/></metadata>"


class Fault(libvirt.libvirtError):
    """An error as a daemon would give it, by the name of its code."""

    def __init__(self, code: str, words: str = "refused") -> None:
        """Keep the error."""
        super().__init__(words)
        self.err = (getattr(libvirt, code), 0, words, 2, "", "", "", -1, -1)


AWAY = Fault("VIR_ERR_AGENT_UNRESPONSIVE", "Guest agent is not responding")
REFUSED = Fault("VIR_ERR_INTERNAL_ERROR", "the command has been disabled")


def domain_xml(channel: str | None = "connected", macs: t.Sequence[str] = (MAC,), ours: bool = True) -> str:
    """Return a running domain's XML; ``channel`` None is none."""
    state = f" state='{channel}'" if channel else ""
    target = f"<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'{state}/></channel>"
    nics = "".join(f"<interface type='user'><mac address='{mac.upper()}'/></interface>" for mac in macs)
    devices = f"<devices>{nics}{'' if channel is None else target}</devices>"
    return f"<domain type='kvm'><name>web</name>{RECORD if ours else ''}{devices}</domain>"


class ScriptedGuest:
    """Answers calls by their name, each with the next of its ``script``, the last one for ever; errors are raised."""

    def __init__(self, **script: t.Any) -> None:
        """Take the script: agent commands and libvirt calls, with underscores for hyphens."""
        self.script: dict[str, list[t.Any]] = {
            "state": ["running"],
            "XMLDesc": [domain_xml()],
            "guest_ping": [{}],
            "agentSetResponseTimeout": [0],
            "interfaceAddresses": [{}],
            "guest_fsfreeze_status": ["thawed"],
            "guestInfo": [{"os.id": "debian"}],
            **{name: list(answers) for name, answers in script.items()},
        }
        self.calls: list[tuple[str, t.Any]] = []

    def name(self) -> str:
        """Return the domain's name."""
        return "web"

    def state(self) -> list[int]:
        """Return the state's number."""
        return [STATES.index(self._answer("state", None)), 0]

    def agent(self, text: str) -> str:
        """Answer a command to the agent."""
        command = json.loads(text)
        answer = self._answer(command["execute"].replace("-", "_"), command.get("arguments"))
        return json.dumps({"return": answer})

    def __getattr__(self, name: str) -> t.Callable[..., t.Any]:
        """Return any other of libvirt's calls that the script knows."""
        if name.startswith("_") or name not in self.script:
            raise AttributeError(name)

        def call(*args: t.Any) -> t.Any:
            return self._answer(name, args)

        call.__name__ = name
        return call

    def asked(self, name: str) -> list[t.Any]:
        """Return the arguments of all calls of that name."""
        return [arguments for called, arguments in self.calls if called == name]

    def _answer(self, name: str, arguments: t.Any) -> t.Any:
        self.calls.append((name, arguments))
        answers = self.script[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def let_agents_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send what libvirt would pass to an agent to scripted guests."""

    def qemu_agent_command(domain: ScriptedGuest, text: str, unused_timeout: int, unused_flags: int) -> str:
        return domain.agent(text)

    monkeypatch.setattr(agent.libvirt_qemu, "qemuAgentCommand", qemu_agent_command)
