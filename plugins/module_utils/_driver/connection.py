# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One connection to one hypervisor, and the translation of libvirt's errors into ours.

Every libvirt call of the collection goes through ``Connection.call`` or the ``calling`` context, so that an error
names what was tried, and so that tests can count the calls.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .._errors import (
    AgentAwayError,
    DriverError,
    ExistsError,
    MissingLibraryError,
    NotFoundError,
    UnreachableError,
    UnsupportedError,
)

try:
    import libvirt

    LIBVIRT_IMPORT_ERROR: str | None = None
except ImportError as exc:
    libvirt = None  # type: ignore[assignment]
    LIBVIRT_IMPORT_ERROR = str(exc)


def _codes(*names: str) -> frozenset[int]:
    return frozenset(getattr(libvirt, name) for name in names if hasattr(libvirt, name))


_NOT_FOUND = _codes(
    "VIR_ERR_NO_DOMAIN",
    "VIR_ERR_NO_STORAGE_POOL",
    "VIR_ERR_NO_STORAGE_VOL",
    "VIR_ERR_NO_NETWORK",
    "VIR_ERR_NO_NETWORK_PORT",
    "VIR_ERR_NO_INTERFACE",
    "VIR_ERR_NO_NWFILTER",
    "VIR_ERR_NO_DOMAIN_METADATA",
    "VIR_ERR_NO_NODE_DEVICE",
    "VIR_ERR_NO_SECRET",
    "VIR_ERR_NO_DOMAIN_SNAPSHOT",
    "VIR_ERR_NO_DOMAIN_BACKUP",
    "VIR_ERR_NO_DOMAIN_CHECKPOINT",
)
_EXISTS = _codes("VIR_ERR_DOM_EXIST", "VIR_ERR_STORAGE_VOL_EXIST", "VIR_ERR_NETWORK_EXIST")
_UNSUPPORTED = _codes("VIR_ERR_NO_SUPPORT", "VIR_ERR_OPERATION_UNSUPPORTED", "VIR_ERR_ARGUMENT_UNSUPPORTED")
_AGENT_AWAY = _codes("VIR_ERR_AGENT_UNRESPONSIVE", "VIR_ERR_AGENT_UNSYNCED", "VIR_ERR_AGENT_COMMAND_TIMEOUT")


def translate(exc: Exception, doing: str) -> DriverError:
    """Make our error out of libvirt's ``exc``, met while ``doing`` something (words that follow "cannot")."""
    code = exc.get_error_code() if hasattr(exc, "get_error_code") else None
    kind = DriverError
    if code in _NOT_FOUND:
        kind = NotFoundError
    elif code in _EXISTS:
        kind = ExistsError
    elif code in _UNSUPPORTED:
        kind = UnsupportedError
    elif code in _AGENT_AWAY:
        kind = AgentAwayError
    return kind(f"Cannot {doing}: {exc}", {"libvirt_code": code})


class Connection:
    """An open connection; use it as a context manager. Safe to use from several threads."""

    def __init__(self, uri: str, option: str = "uri") -> None:
        """Open ``uri``, which ``option`` holds, or raise :class:`UnreachableError`."""
        if libvirt is None:
            raise MissingLibraryError(
                "The Python library libvirt is not installed where the module runs"
                f" ({LIBVIRT_IMPORT_ERROR}): install python3-libvirt (Debian, Ubuntu, Fedora, EL) or libvirt-python."
            )
        self.uri = uri
        self.calls: dict[str, int] = {}
        self._lock = threading.Lock()
        libvirt.registerErrorHandler(lambda *unused: None, None)
        try:
            self.raw = libvirt.open(uri)
        except libvirt.libvirtError as exc:
            raise UnreachableError(
                f"Cannot connect to the hypervisor at {uri}: {exc}; check option {option} and that libvirtd"
                " (or virtqemud) runs there.",
                {"uri": uri},
            ) from exc

    def __enter__(self) -> Connection:
        """Give the connection itself."""
        return self

    def __exit__(self, *unused: object) -> None:
        """Close the connection; a connection that broke meanwhile is closed already."""
        with contextlib.suppress(libvirt.libvirtError):
            self.raw.close()

    def keep_alive(self, interval: int, count: int) -> None:
        """Let calls fail when the daemon gave no sign of life ``count`` times, ``interval`` seconds apart.

        Events must have been enabled before the connection was opened; one that no network is in needs none of it.
        """
        with contextlib.suppress(libvirt.libvirtError):
            self.raw.setKeepAlive(interval, count)

    def call(self, doing: str, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        """Call a libvirt ``function`` and translate its errors; ``doing`` completes the sentence "Cannot ..."."""
        name = getattr(function, "__name__", str(function))
        with self._lock:
            self.calls[name] = self.calls.get(name, 0) + 1
        try:
            return function(*args)
        except libvirt.libvirtError as exc:
            raise translate(exc, doing) from exc
        except (SystemError, UnicodeDecodeError) as exc:
            # libvirt-python stumbles over an error message that is not UTF-8, as some of QEMU's helpers write it.
            raise DriverError(f"Cannot {doing}: the hypervisor's reason is not readable text ({exc}).") from exc
