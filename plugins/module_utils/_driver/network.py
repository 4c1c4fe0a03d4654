# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Virtual networks: looked up, defined, changed, started, stopped, undefined, and who is plugged in."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from .._errors import DriverError, NotFoundError
from .capabilities import supported
from .connection import Connection, libvirt

_SECTIONS = {
    "dhcp_ranges": "IP_DHCP_RANGE",
    "dhcp_hosts": "IP_DHCP_HOST",
    "devices": "FORWARD_INTERFACE",
    "portgroups": "PORTGROUP",
    "dns.hosts": "DNS_HOST",
    "dns.txt": "DNS_TXT",
    "dns.srv": "DNS_SRV",
}
_COMMANDS = {"add": "ADD_LAST", "delete": "DELETE", "modify": "MODIFY"}


@dataclass(frozen=True)
class RunningGuest:
    """A domain that runs, as it runs."""

    name: str
    handle: t.Any
    xml: str


class ItemChange(t.NamedTuple):
    """What is done to one item: of how the network runs, of its definition, or of both."""

    verb: str
    section: str
    subnet: int
    """The number of the subnet that it belongs to, or -1."""
    xml: str
    live: bool
    persistent: bool


class Network:
    """One virtual network; use :func:`find_network`."""

    def __init__(self, connection: Connection, raw: t.Any) -> None:
        """Keep libvirt's own object."""
        self._connection = connection
        self._raw = raw
        self.name: str = raw.name()

    @property
    def uuid(self) -> str:
        """Return its UUID."""
        return str(self._raw.UUIDString())

    @property
    def is_active(self) -> bool:
        """Tell whether the network runs."""
        return bool(self._call("read the state of", self._raw.isActive))

    @property
    def is_persistent(self) -> bool:
        """Tell whether the network is there when it does not run."""
        return bool(self._call("read the state of", self._raw.isPersistent))

    @property
    def autostart(self) -> bool:
        """Tell whether the network starts with its host."""
        return bool(self._call("read autostart of", self._raw.autostart))

    def xml(self) -> str:
        """Return how the network runs, or where it does not, its definition."""
        return str(self._call("read", self._raw.XMLDesc, 0))

    def defined_xml(self) -> str:
        """Return the definition."""
        try:
            return str(self._call("read", self._raw.XMLDesc, libvirt.VIR_NETWORK_XML_INACTIVE))
        except DriverError as exc:
            # ESX and the test driver tell the two apart no more than by refusing the flag.
            if exc.details.get("libvirt_code") != libvirt.VIR_ERR_INVALID_ARG:
                raise
            return self.xml()

    def ports(self) -> dict[str, t.Any] | None:
        """Return the ports that something is plugged into, by UUID; None where this hypervisor does not count."""
        doing = f"list the ports of network {self.name}"
        ask = getattr(self._raw, "listAllPorts", None)
        found = supported(self._connection, doing, ask, 0) if ask else None
        return None if found is None else {port.UUIDString(): port for port in found}

    def port_xml(self, port: t.Any) -> str:
        """Return what a port is, which tells its owner."""
        return str(self._call("read a port of", port.XMLDesc, 0))

    def change(self, change: ItemChange) -> None:
        """Add, delete or modify one item without a new definition."""
        flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE if change.live else 0
        flags |= libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG if change.persistent else 0
        command = getattr(libvirt, f"VIR_NETWORK_UPDATE_COMMAND_{_COMMANDS[change.verb]}")
        section = getattr(libvirt, f"VIR_NETWORK_SECTION_{_SECTIONS[change.section]}")
        self._call(f"change {change.section} of", self._raw.update, command, section, change.subnet, change.xml, flags)

    def start(self) -> None:
        """Start the network."""
        self._call("start", self._raw.create)

    def stop(self) -> None:
        """Stop the network, which leaves guests in nothing."""
        self._call("stop", self._raw.destroy)

    def set_autostart(self, enabled: bool) -> None:
        """Have the network start with its host, or not."""
        self._call("set autostart of", self._raw.setAutostart, int(enabled))

    def undefine(self) -> None:
        """Forget the network."""
        with contextlib.suppress(NotFoundError):
            self._call("undefine", self._raw.undefine)

    def _call(self, doing: str, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        return self._connection.call(f"{doing} network {self.name}", function, *args)


def find_network(connection: Connection, name: str) -> Network | None:
    """Return the network ``name``, be it running or not, or None."""
    try:
        return Network(connection, connection.call(f"look up network {name}", connection.raw.networkLookupByName, name))
    except NotFoundError:
        return None


def all_networks(connection: Connection) -> list[Network]:
    """Return all networks, running or not."""
    handles = connection.call("list networks", connection.raw.listAllNetworks, 0)
    return [Network(connection, handle) for handle in handles]


def define_network(connection: Connection, name: str, text: str) -> Network:
    """Define a network, define it anew, or have one that runs and is not persistent stay."""
    return Network(connection, connection.call(f"define network {name}", connection.raw.networkDefineXML, text))


def interface_definitions(connection: Connection) -> list[str]:
    """Return the XML of the host's own interfaces; none where the hypervisor does not tell."""
    flag = libvirt.VIR_CONNECT_LIST_INTERFACES_ACTIVE
    found = []
    for handle in supported(connection, "list the host's interfaces", connection.raw.listAllInterfaces, flag) or ():
        # One that vanishes meanwhile is left out.
        with contextlib.suppress(NotFoundError):
            found.append(str(connection.call(f"read interface {handle.name()}", handle.XMLDesc, 0)))
    return found


def running_guests(connection: Connection) -> list[RunningGuest]:
    """Return all domains that run, by name; one that vanishes meanwhile is left out."""
    flag = libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
    found = []
    for handle in connection.call("list running domains", connection.raw.listAllDomains, flag):
        with contextlib.suppress(NotFoundError):
            xml = str(connection.call(f"read domain {handle.name()}", handle.XMLDesc, 0))
            found.append(RunningGuest(handle.name(), handle, xml))
    return sorted(found, key=lambda guest: guest.name)


def defined_guests(connection: Connection) -> t.Iterator[tuple[str, str]]:
    """Give the name and the definition of every domain; one that vanishes meanwhile is left out."""
    for handle in connection.call("list domains", connection.raw.listAllDomains, 0):
        with contextlib.suppress(NotFoundError):
            yield handle.name(), definition_of(connection, handle)


def definition_of(connection: Connection, handle: t.Any) -> str:
    """Return the definition of a domain."""
    return str(connection.call(f"read domain {handle.name()}", handle.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
