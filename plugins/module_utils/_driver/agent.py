# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is asked of the agent in a guest, with a limit to every wait; commands in the guest are in ``agent_exec``.

An agent that is not connected yet is an :class:`AgentAwayError`, a domain without a channel for one an
:class:`AgentAbsentError`. The same error also comes when an agent took a command and then fell silent, so nothing but
:func:`ping` is safe to repeat.
"""

from __future__ import annotations

import contextlib
import json
import math
import typing as t

from .._errors import AgentAbsentError, AgentAwayError, DriverError, GuestError, MissingLibraryError, UnsupportedError
from .._xml.domain_guest import GuestSide, read_guest_side
from .capabilities import supported
from .connection import Connection, libvirt

try:
    import libvirt_qemu
except ImportError:
    libvirt_qemu = None  # type: ignore[assignment]

PING_SECONDS = 5
ANSWER_SECONDS = 60
_REFUSED_CODES = frozenset(
    getattr(libvirt, name)
    for name in ("VIR_ERR_INTERNAL_ERROR", "VIR_ERR_AGENT_COMMAND_FAILED")
    if hasattr(libvirt, name)
)
_RHEL_DISABLES = frozenset({"guest-exec", "guest-exec-status"})


def guest_side(connection: Connection, handle: t.Any) -> GuestSide:
    """Read the NICs' MAC addresses and the state of the agent's channel."""
    return read_guest_side(connection.call(f"read domain {handle.name()}", handle.XMLDesc, 0))


def ping(connection: Connection, handle: t.Any, patience: int = PING_SECONDS) -> None:
    """Return if the agent is connected and answers; a channel that is not connected is not waited for."""
    side = guest_side(connection, handle)
    if side.agent is None:
        raise AgentAbsentError(_absent(handle.name()))
    if side.agent == "disconnected":
        raise AgentAwayError(f"The guest agent of {handle.name()} is not connected.")
    command(connection, handle, "guest-ping", patience=patience)


def command(
    connection: Connection,
    handle: t.Any,
    name: str,
    arguments: dict[str, t.Any] | None = None,
    patience: int = ANSWER_SECONDS,
) -> t.Any:
    """Have the agent do its command ``name`` and return the answer."""
    if libvirt_qemu is None:
        raise MissingLibraryError(
            "The Python library libvirt_qemu is not installed where the module runs; it comes with python3-libvirt"
            " (Debian, Ubuntu, Fedora, EL) and libvirt-python."
        )
    text = json.dumps({"execute": name, "arguments": arguments} if arguments else {"execute": name})
    doing = f"have the guest agent of {handle.name()} do {name}"
    answer = _ask(connection, handle, name, doing, libvirt_qemu.qemuAgentCommand, handle, text, patience, 0)
    try:
        parsed = json.loads(answer)
    except ValueError as exc:
        raise DriverError(f"The guest agent of {handle.name()} answered {name} with what cannot be read.") from exc
    return field(handle, name, parsed, "return")


def field(handle: t.Any, name: str, answer: t.Any, key: str) -> t.Any:
    """Return one field of the answer to command ``name``; what the guest makes of its answers is not to be trusted."""
    try:
        return answer[key]
    except (KeyError, TypeError, IndexError) as exc:
        raise DriverError(f"The guest agent of {handle.name()} answered {name} without a {key!r}.") from exc


def check_enabled(connection: Connection, handle: t.Any, name: str) -> None:
    """Raise unless the agent does the command ``name``, now and as it is configured."""
    domain = handle.name()
    info = command(connection, handle, "guest-info")
    try:
        enabled = {entry["name"] for entry in info["supported_commands"] if entry["enabled"]}
    except (KeyError, TypeError) as exc:
        raise DriverError(f"The guest agent of {domain} answered guest-info with what cannot be read.") from exc
    if name in enabled:
        return
    if name != "guest-fsfreeze-status" and is_frozen(connection, handle):
        raise GuestError(
            f"The filesystems of {domain} are frozen, and until they are thawed its guest agent does not do {name}."
        )
    remedy = "allow it in the agent's configuration in the guest, or update the agent, and restart it"
    if name in _RHEL_DISABLES:
        remedy = (
            "RHEL and its relatives disable it: allow guest-exec and guest-exec-status in /etc/sysconfig/qemu-ga in the"
            " guest, and restart its service qemu-guest-agent"
        )
    raise UnsupportedError(f"The guest agent of {domain} does not do {name}; {remedy}.")


def set_password(connection: Connection, handle: t.Any, user: str, password: str, crypted: bool) -> None:
    """Set a user's password; a ``crypted`` one is as the guest stores it."""
    flags = libvirt.VIR_DOMAIN_PASSWORD_ENCRYPTED if crypted else 0
    doing = f"set the password of user {user} in {handle.name()}"
    with _answers_within(connection, handle):
        _ask(connection, handle, "guest-set-user-password", doing, handle.setUserPassword, user, password, flags)


def set_time(connection: Connection, handle: t.Any, seconds: float | None) -> None:
    """Set the guest's clock to ``seconds`` since the epoch; None takes the time of its own hardware clock."""
    flags = libvirt.VIR_DOMAIN_TIME_SYNC if seconds is None else 0
    time = None
    if seconds is not None:
        fraction, whole = math.modf(seconds)
        time = {"seconds": int(whole), "nseconds": int(fraction * 1e9)}
    with _answers_within(connection, handle):
        _ask(connection, handle, "guest-set-time", f"set the clock of {handle.name()}", handle.setTime, time, flags)


def get_time(connection: Connection, handle: t.Any) -> float:
    """Return the guest's clock in seconds since the epoch."""
    with _answers_within(connection, handle):
        time = _ask(connection, handle, "guest-get-time", f"read the clock of {handle.name()}", handle.getTime)
    return float(time["seconds"]) + float(time["nseconds"]) / 1e9


def is_frozen(connection: Connection, handle: t.Any) -> bool:
    """Tell whether any filesystem of the guest is frozen, as far as its agent knows."""
    return bool(command(connection, handle, "guest-fsfreeze-status") == "frozen")


def freeze(connection: Connection, handle: t.Any, mountpoints: t.Sequence[str] | None) -> int:
    """Freeze the filesystems at ``mountpoints``, or all that can be, and return how many there are."""
    doing = f"freeze the filesystems of {handle.name()}"
    name = "guest-fsfreeze-freeze-list" if mountpoints else "guest-fsfreeze-freeze"
    with _answers_within(connection, handle):
        return int(_ask(connection, handle, name, doing, handle.fsFreeze, list(mountpoints or ()) or None, 0))


def thaw(connection: Connection, handle: t.Any) -> int:
    """Thaw all frozen filesystems and return how many there were."""
    doing = f"thaw the filesystems of {handle.name()}"
    with _answers_within(connection, handle):
        return int(_ask(connection, handle, "guest-fsfreeze-thaw", doing, handle.fsThaw, None, 0))


def mountpoints(connection: Connection, handle: t.Any) -> tuple[str, ...]:
    """Return where the guest's filesystems with a device are mounted."""
    doing = f"list the filesystems of {handle.name()}"
    with _answers_within(connection, handle):
        return tuple(entry[0] for entry in _ask(connection, handle, "guest-get-fsinfo", doing, handle.fsInfo, 0))


def guest_info(connection: Connection, handle: t.Any) -> dict[str, t.Any]:
    """Return what the guest's operating system is, in libvirt's words such as ``os.id``; what is not known is left out."""
    doing = f"read the operating system of {handle.name()}"
    with _answers_within(connection, handle):
        answer = _ask(
            connection, handle, "guest-get-osinfo", doing, handle.guestInfo, libvirt.VIR_DOMAIN_GUEST_INFO_OS, 0
        )
    return dict(answer)


@contextlib.contextmanager
def _answers_within(connection: Connection, handle: t.Any, seconds: int = ANSWER_SECONDS) -> t.Iterator[None]:
    """Let libvirt's own calls of the agent end after ``seconds``: without that they wait for ever.

    The limit belongs to the domain and not to the call, so it is taken back.
    """
    doing = f"limit the wait for the guest agent of {handle.name()}"
    supported(connection, doing, handle.agentSetResponseTimeout, seconds, 0)
    try:
        yield
    finally:
        with contextlib.suppress(DriverError):
            block = libvirt.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK
            supported(connection, doing, handle.agentSetResponseTimeout, block, 0)


def _ask(
    connection: Connection, handle: t.Any, name: str, doing: str, function: t.Callable[..., t.Any], *args: t.Any
) -> t.Any:
    """Call a libvirt ``function`` that makes the agent do its command ``name``."""
    try:
        return connection.call(doing, function, *args)
    except UnsupportedError as exc:
        if exc.details.get("libvirt_code") == libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED:
            raise AgentAbsentError(_absent(handle.name()), exc.details) from exc
        raise
    except DriverError as exc:
        if exc.details.get("libvirt_code") in _REFUSED_CODES and name != "guest-info":
            # Better words than the refusal's own, if the agent does not do that at all, or not now.
            check_enabled(connection, handle, name)
        raise


def _absent(domain: str) -> str:
    return f"The domain {domain} has no channel to a guest agent; declare the instance with guest_agent: true."
