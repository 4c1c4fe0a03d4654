# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""From any declaration to any other, on a real hypervisor: what the unit tests prove on a model of one.

The model only says which declarations are valid; what came of them is read with virsh.
"""

from __future__ import annotations

import typing as t
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instance import InstanceSpec
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.declarations import (
    DISCS,
    NAME,
    NEW_VOLUMES,
    USERS_VOLUMES,
    Declared,
    changed,
    new_instances,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import validated
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.facts import changed_paths, undone
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.model import GIB, Model, Volume, planned
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.told import (
    not_done,
    told_paths,
    undeclared,
    untold,
)
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from .conftest import Hypervisor, run_module
from .killing import Runs
from .subjects import LIMITS, SWITCHED_OFF, said

FEW = settings(
    deadline=None,
    max_examples=20,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
"""Spread wide, the same every time, and not made smaller when one fails, which would take long here."""
ELSEWHERE = ("power_state", "emulator", "shares")
"""What is tested with guests that run, and what this host has not."""
CPUS = 2
BY_LIBVIRT = {"pcie_ports", "video_heads", "video_vram_kib", "cpu.dies"}
"""What libvirt adds by itself, to a new device and for it."""
NETWORK = (
    "<network><name>{}</name><forward mode='bridge'/><bridge name='br0'/>"
    "<portgroup name='plain' default='yes'/><portgroup name='fast'/></network>"
)


class Actual:
    """The instance on a hypervisor."""

    def __init__(self, host: Hypervisor, runs: Runs) -> None:
        """Take what runs the module."""
        self.host, self._runs = host, runs
        self._theirs = host.volumes()

    def run(self, declared: Declared, check: bool = False) -> dict[str, t.Any]:
        """Declare the instance; return what the run says of it."""
        options = {"uri": self.host.uri, "virt_type": "qemu", "limits": LIMITS, **SWITCHED_OFF, **declared}
        ended = self._runs.run("compute_instance", check=check, **options)
        assert ended.result is not None
        return said(ended.result)

    def bring(self, declared: Declared) -> dict[str, t.Any]:
        """Declare the instance; see that check mode foretells that, and that a second run does nothing."""
        foretold = self.run(declared, check=True)
        done = self.run(declared)
        for key in ("changed", "changes", "actions", "restart_required"):
            assert foretold[key] == done[key]
        again = self.run(declared)
        assert (again["changed"], again["changes"], again["actions"]) == (False, [], []), again
        assert again["restart_required"] == done["restart_required"]
        return done

    def look(self) -> Model:
        """Return what virsh shows, and see that libvirt would take the definition as it is."""
        xml = self.host.virsh("dumpxml", "--inactive", "--security-info", NAME)
        self.host.feed(xml, "define", "--validate")
        autostart = self.host.virsh("dominfo", NAME).split("Autostart:")[1].split()[0]
        return Model(
            volumes=dict(self._volumes()),
            xml=xml,
            autostart=autostart == "enable",
            pools={"default": str(self.host.pool_path())},
        )

    def _volumes(self) -> t.Iterator[tuple[tuple[str, str], Volume]]:
        for name in sorted(self.host.volumes()):
            volume = ElementTree.fromstring(self.host.virsh("vol-dumpxml", name, "default"))
            size, kind = volume.findtext("capacity"), volume.find("target/format")
            assert size is not None
            yield ("default", name), Volume(int(size), kind.get("type", "") if kind is not None else "")

    def clear(self) -> None:
        """Remove the instance; of its volumes only those are left which it had let go of."""
        if NAME in self.host.domains():
            self.run({"name": NAME, "protected": False, "power_state": "stopped"})
            self.run({"name": NAME, "state": "absent"})
        assert NAME not in self.host.domains()
        for volume in self.host.volumes() & set(NEW_VOLUMES):
            self.host.virsh("vol-delete", volume, "default")
        assert self.host.volumes() == self._theirs


@pytest.fixture(scope="module")
def actual(lab: list[Hypervisor], guest_image: Path) -> t.Iterator[Actual]:
    """Return an instance that is not there yet, on a host with a user's networks, volumes and discs."""
    host = lab[0]
    host.clear()
    published = run_module("compute_image", uri=host.uri, name="tiny", src=str(guest_image))
    assert not published.failed, published.message
    for name in ("default", "storage"):
        host.feed(NETWORK.format(name), "net-define")
        host.virsh("net-start", name)
    for name in (*USERS_VOLUMES, *DISCS):
        host.virsh("vol-create-as", "default", name, "1G", "--format", "raw")
    with Runs("compute_instance") as runs:
        opened = Actual(host, runs)
        yield opened
        opened.clear()
    for name in ("default", "storage"):
        host.virsh("net-destroy", name)
        host.virsh("net-undefine", name)
    host.clear()


def fitting(declared: Declared) -> Declared:
    """Return the declaration with what a small host without hardware virtualization has."""
    flavor = {**declared["flavor"], "vcpus": min(declared["flavor"]["vcpus"], CPUS)} if "flavor" in declared else {}
    if "extra_specs" in flavor:
        flavor["extra_specs"] = {**flavor["extra_specs"], "hw:cpu_cores": str(flavor["vcpus"])}
    fits = {"flavor": flavor, "max_vcpus": CPUS}
    if "mode" in declared.get("cpu", {}):
        fits["cpu"] = {**declared["cpu"], "mode": declared["cpu"]["mode"].replace("host-passthrough", "maximum")}
    return {**declared, **{option: value for option, value in fits.items() if option in declared}}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Declared, Declared]:
    """Draw two declarations, of which the model refuses neither."""
    before = {**fitting(draw(new_instances(ELSEWHERE))), "power_state": "stopped"}
    after = fitting(draw(changed(before, ELSEWHERE)))
    model = Model(volumes={("default", name): Volume(GIB, "raw") for name in (*USERS_VOLUMES, *DISCS)})
    try:
        for declared in (before, after):
            job = planned(model, declared)
            for action in job.plan.actions:
                model.perform(action, job)
    except (SpecError, ConflictError):
        assume(False)
    return before, after


@FEW
@given(pairs())
def test_from_any_declaration_to_any_other(actual: Actual, pair: tuple[Declared, Declared]) -> None:
    """Both are taken, foretold, told, and done once and for all; what is not declared stays."""
    first, second = pair
    actual.clear()
    actual.bring(first)
    before = actual.look()
    assert_done(first, before)
    done = actual.bring(second)
    assert not done["restart_required"]
    after = actual.look()
    assert_done(second, after)
    told = told_paths((change["path"], change["after"]) for change in done["changes"])
    assert len(told) == len(set(told))
    differing = changed_paths(before, after) - BY_LIBVIRT
    assert untold(told, differing) == set()
    assert not_done(told, differing) <= {"xml_patch"}
    assert undeclared(differing, second, "power_state") == set()


def assert_done(declared: Declared, model: Model) -> None:
    """See that everything is as declared."""
    spec = InstanceSpec.from_params(validated(declared), None)
    assert undone(spec, model) <= ({"rng", "on_crash"} if spec.patches else set())


MACS = ("52:54:00:00:00:1a", "52:54:00:00:00:1b")
SMALL: Declared = {
    "name": NAME,
    "image": "tiny",
    "flavor": {"name": "small", "vcpus": 1, "memory_mb": 128, "disk_gb": 1},
    "max_vcpus": CPUS,
    "graphics": {"type": "none"},
    "networks": [{"user": True, "mac": MACS[0]}],
    "volumes": [{"name": "data", "size_gb": 1}, {"name": USERS_VOLUMES[1]}],
    "cdroms": [DISCS[0]],
    "disk_limits": {"total_bytes_sec": 10**8},
    "metadata": {"tier": "web"},
    "autostart": False,
}
LARGE: Declared = {
    **SMALL,
    "flavor": {"name": "large", "vcpus": 2, "memory_mb": 128, "disk_gb": 2},
    "networks": [{"bridge": "br0", "mac": MACS[0], "link_state": "down"}, {"user": True, "mac": MACS[1]}],
    "volumes": [{"name": "data", "size_gb": 2}, {"name": USERS_VOLUMES[0]}],
    "cdroms": [DISCS[1]],
    "disk_limits": {"read_bytes_sec": 2 * 10**8, "write_iops_sec": 10**4},
    "metadata": {"tier": "db", "owner": "a & b"},
    "autostart": True,
}
AGAIN: Declared = {
    **SMALL,
    "flavor": {**SMALL["flavor"], "vcpus": 2, "disk_gb": 2},
    "networks": [{"user": True, "mac": MACS[0], "link_state": "up"}],
    "volumes": [],
    "cdroms": [],
    "disk_limits": {"total_bytes_sec": 10**7, "write_iops_sec": 0},
    "metadata": {},
}

LIMITED = tuple(f"{what}_{unit}_sec" for what in ("total", "read", "write") for unit in ("bytes", "iops"))


def seen(host: Hypervisor, *scope: str) -> dict[str, t.Any]:
    """Return what virsh shows of the guest that runs, or with ``--config`` of its definition."""
    inactive = ["--inactive"] if scope else []
    domain = ElementTree.fromstring(host.virsh("dumpxml", NAME, *inactive))
    blocks = host.virsh("domblklist", NAME, *inactive).splitlines()
    limits = dict(
        line.replace(" ", "").split(":") for line in host.virsh("blkdeviotune", NAME, "vda", *scope).splitlines()
    )
    macs = [line.split()[-1] for line in host.virsh("domiflist", NAME, *inactive).splitlines()]
    return {
        "vcpus": int(host.virsh("vcpucount", NAME, "--current", *(scope or ["--live"]))),
        "disks": {Path(line.split()[1]).name for line in blocks} - {"-", f"{NAME}-vda.qcow2"},
        "limits": {limit: int(limits[limit]) for limit in LIMITED if int(limits[limit])},
        "labels": {label.get("name"): label.get("value") for label in domain.iterfind("metadata/*/{*}label")},
        "links": {mac: host.virsh("domif-getlink", NAME, mac, *scope).split()[-1] for mac in macs},
    }


def assert_seen(host: Hypervisor, **expected: t.Any) -> None:
    """See that the guest and its definition are so."""
    assert seen(host) == expected
    assert seen(host, "--config") == expected


def test_a_running_guest(actual: Actual) -> None:
    """From one declaration to the next, in the guest as in the definition; only a NIC that becomes another waits.

    Its memory stays, of which libvirt tells a second later than it is so.
    """
    actual.clear()
    host, nic = actual.host, MACS[0]
    actual.bring(SMALL)
    host.wait_for_console(NAME, f"kilonova-guest ready: {NAME}")
    number = host.virsh("domid", NAME)
    limits: dict[str, t.Any] = {"limits": {"total_bytes_sec": 10**8}, "labels": {"tier": "web"}, "links": {nic: "up"}}
    assert_seen(host, vcpus=1, disks={"data", "users-2", "a.iso"}, **limits)

    large = actual.bring(LARGE)
    assert large["restart_required"]
    waiting = {change["path"] for change in large["changes"] if change["effect"] != "live"}
    assert waiting == {f"nics[{nic}].type", f"nics[{nic}].source"}
    limits = {"limits": {"read_bytes_sec": 2 * 10**8, "write_iops_sec": 10**4}, "labels": LARGE["metadata"]}
    links = {nic: "down", MACS[1]: "up"}
    assert_seen(host, vcpus=2, disks={"data", "users-1", "b.iso"}, links=links, **limits)
    assert "br0" not in host.virsh("domiflist", NAME)
    assert "br0" in host.virsh("domiflist", NAME, "--inactive")
    sizes = {host.virsh("domblkinfo", NAME, disk).split()[1] for disk in ("vda", "vdb")}
    assert sizes == {str(2 * GIB)}

    again = actual.bring(AGAIN)
    assert not again["restart_required"]
    assert {change["effect"] for change in again["changes"]} == {"live"}
    limits = {"limits": {"total_bytes_sec": 10**7}, "labels": {}, "links": {nic: "up"}}
    assert_seen(host, vcpus=2, disks=set(), **limits)
    assert host.virsh("domid", NAME) == number
