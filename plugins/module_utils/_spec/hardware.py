# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of an instance's hardware in detail. None is "not declared": nothing is done about it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, fields

from .._errors import SpecError
from .extra_specs import is_about_placement, options_of
from .machine import Filesystem, Sev, Tpm
from .names import check_uuid
from .placement import FLOATING, Placement
from .tuning import IoTune, Rate

FEATURE_POLICIES = ("force", "require", "optional", "disable", "forbid")
THREAD_POLICIES = ("prefer", "isolate", "require")
EMULATOR_POLICIES = ("share", "isolate")
WATCHDOG_ACTIONS = ("disabled", "reset", "poweroff", "pause", "none")
SOUND_MODELS = ("ich9", "ich6", "ac97")
TABLET_BUSES = ("usb", "virtio")
TPM_MODELS = ("tpm-crb", "tpm-tis")
TPM_VERSIONS = ("2.0", "1.2")
_MOST_QUEUES = 256
_MOST_SERIAL_PORTS = 4
_MOST_IOTHREADS = 64
_LONGEST_TAG = 36
_FEATURE = re.compile(r"[A-Za-z0-9_.-]+")
_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_ID = re.compile(r"[0-9a-f]{4}")


@dataclass(frozen=True)
class PciRequest:
    """``count`` PCI devices of one product, or the one at ``address``. Ids are four hexadecimal digits."""

    option: str
    vendor_id: str | None = None
    product_id: str | None = None
    address: str | None = None
    count: int = 1


@dataclass(frozen=True)
class DiskTuning:
    """How the root disk is driven."""

    io: str | None = None
    detect_zeroes: str | None = None
    queues: int | None = None
    limits: IoTune | None = None


@dataclass(frozen=True)
class NicTuning:
    """How a NIC is driven."""

    queues: int | None = None
    mtu: int | None = None
    vlan: int | None = None
    isolated: bool | None = None
    inbound: Rate | None = None
    outbound: Rate | None = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], option: str, model: str = "virtio") -> NicTuning:
        """Make it of one item of option ``networks``, or raise :class:`SpecError`."""
        queues = _within(params.get("queues"), f"{option}.queues", 1, _MOST_QUEUES)
        if queues is not None and model != "virtio":
            raise SpecError(f"{option}.queues", f"a NIC of model {model} has one queue", "take model: virtio")
        return cls(
            queues=queues,
            mtu=_within(params.get("mtu"), f"{option}.mtu", 68, 65535),
            vlan=_within(params.get("vlan"), f"{option}.vlan", 1, 4094),
            isolated=params.get("isolated"),
            inbound=_rate(params.get("inbound"), f"{option}.inbound"),
            outbound=_rate(params.get("outbound"), f"{option}.outbound"),
        )


UNTUNED = NicTuning()
"""Nothing is declared."""


@dataclass(frozen=True)
class Hardware:
    """One instance's hardware in detail."""

    placement: Placement
    cpu_features: tuple[tuple[str, str], ...] | None = None
    sockets: int | None = None
    dies: int | None = None
    cores: int | None = None
    threads: int | None = None
    migratable: bool | None = None
    pmu: bool | None = None
    cpu_shares: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    iothreads: int | None = None
    secure_boot: bool | None = None
    tpm: Tpm | None = None
    watchdog: str | None = None
    """An action, or disabled for no watchdog."""
    sound: str | None = None
    tablet: str | None = None
    serial_ports: int | None = None
    rng_allowed: bool | None = None
    """False: the flavor has no random numbers of the host."""
    rng_rate_bytes: int | None = None
    rng_rate_period_ms: int | None = None
    disk: DiskTuning = DiskTuning()
    nic_multiqueue: bool | None = None
    """True: a virtio NIC without declared queues has one for each vCPU."""
    nic_inbound: Rate | None = None
    """For each NIC that declares no rate of its own, as ``nic_outbound``."""
    nic_outbound: Rate | None = None
    pci: tuple[PciRequest, ...] | None = None
    mdevs: tuple[str, ...] | None = None
    pci_affinity: str | None = None
    """How near to the guest's NUMA cells PCI devices have to be; None for as near as can be had."""
    shares: tuple[Filesystem, ...] | None = None
    sev: Sev | None = None

    @property
    def has_topology(self) -> bool:
        """Tell whether the guest is told how its vCPUs are made up."""
        return self.sockets is not None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], vcpus: int, memory_mb: int) -> Hardware:
        """Make it of the options of ``_options_hardware`` and the flavor's extra specs, or raise :class:`SpecError`.

        An option that is declared wins over the extra spec that means the same, so that one instance may differ from
        its flavor; what cannot stand together is refused, whichever of the two it comes from.
        """
        flavor = params.get("flavor") or {}
        options = _merged(options_of(flavor.get("extra_specs") or {}), params)
        cpu = options.get("cpu") or {}
        limits = options.get("cpu_limits") or {}
        rng = options.get("rng_rate") or {}
        nic = options.get("nic_limits") or {}
        sockets, dies, cores, threads = _topology(cpu.get("topology") or {}, vcpus)
        own = _resources(options, vcpus, memory_mb)
        return cls(
            placement=own.placement,
            cpu_features=_features(cpu.get("features")),
            sockets=sockets,
            dies=dies,
            cores=cores,
            threads=threads,
            migratable=cpu.get("migratable"),
            pmu=cpu.get("pmu"),
            cpu_shares=_within(limits.get("shares"), "cpu_limits.shares", 2, 262144),
            cpu_period=_within(limits.get("period"), "cpu_limits.period", 1000, 1000000),
            cpu_quota=_quota(limits.get("quota")),
            iothreads=_within(options.get("iothreads"), "iothreads", 0, _MOST_IOTHREADS),
            secure_boot=options.get("secure_boot"),
            tpm=_tpm(options.get("tpm")),
            watchdog=options.get("watchdog"),
            sound=options.get("sound"),
            tablet=options.get("tablet"),
            serial_ports=_within(options.get("serial_ports"), "serial_ports", 1, _MOST_SERIAL_PORTS),
            rng_allowed=options.get("rng_allowed"),
            rng_rate_bytes=_within(rng.get("bytes"), "rng_rate.bytes", 1, 2**31 - 1),
            rng_rate_period_ms=_within(rng.get("period_ms"), "rng_rate.period_ms", 1, 2**31 - 1),
            disk=_disk(options),
            nic_multiqueue=options.get("nic_multiqueue"),
            nic_inbound=_rate(nic.get("inbound"), "flavor.extra_specs[quota:vif_inbound]"),
            nic_outbound=_rate(nic.get("outbound"), "flavor.extra_specs[quota:vif_outbound]"),
            pci=own.pci,
            mdevs=own.mdevs,
            pci_affinity=own.pci_affinity,
            shares=_several(options.get("shares"), "shares", _share, lambda share: share.target),
            sev=_sev(options.get("sev")),
        )


class Resources(t.NamedTuple):
    """What an instance wants of its host to itself."""

    placement: Placement
    pci: tuple[PciRequest, ...] | None
    mdevs: tuple[str, ...] | None
    pci_affinity: str | None = None


def resources_of(params: t.Mapping[str, t.Any], vcpus: int, memory_mb: int) -> Resources:
    """Return what an instance wants of its host to itself, or raise :class:`SpecError`: all else is not looked at."""
    flavor = params.get("flavor") or {}
    specs = {key: value for key, value in (flavor.get("extra_specs") or {}).items() if is_about_placement(key)}
    return _resources(_merged(options_of(specs), params), vcpus, memory_mb)


def _resources(options: t.Mapping[str, t.Any], vcpus: int, memory_mb: int) -> Resources:
    return Resources(
        Placement.from_options(options, vcpus, memory_mb),
        _several(options.get("pci_devices"), "pci_devices", _pci, lambda request: request.address),
        _several(options.get("mdevs"), "mdevs", _mdev, lambda uuid: uuid),
        options.get("pci_numa_affinity_policy"),
    )


PLAIN = Hardware(FLOATING)
"""Nothing is declared."""


def _merged(below: t.Mapping[str, t.Any], above: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return both trees as one: a group of which ``above`` says anything is its own as a whole, the CPU part by part."""
    merged = dict(below)
    for name, value in above.items():
        if name == "cpu" and isinstance(value, dict):
            merged[name] = _merged(merged.get(name) or {}, value)
        elif _declares(value) or name not in merged:
            merged[name] = value
    return merged


def _declares(value: t.Any) -> bool:
    return any(map(_declares, value.values())) if isinstance(value, dict) else value is not None


def _within(value: int | None, option: str, least: int, most: int) -> int | None:
    if value is not None and not least <= value <= most:
        raise SpecError(option, f"{value} is out of range", f"it may be {least} to {most}")
    return value


def _quota(value: int | None) -> int | None:
    if value == -1:
        return value
    if value is not None and value < 1000:  # noqa: PLR2004 - libvirt's own least
        raise SpecError(
            "cpu_limits.quota", f"{value} is too small", "give at least 1000 (microseconds), or -1 for no limit"
        )
    return value


def _features(features: t.Mapping[str, t.Any] | None) -> tuple[tuple[str, str], ...] | None:
    if features is None:
        return None
    for name, policy in features.items():
        if not _FEATURE.fullmatch(str(name)):
            raise SpecError("cpu.features", f"{name!r} is no CPU feature's name", "write for example aes: require")
        if policy not in FEATURE_POLICIES:
            remedy = f"it may be {', '.join(FEATURE_POLICIES)}"
            raise SpecError(f"cpu.features[{name}]", f"{policy!r} is no policy", remedy)
    return tuple(sorted((str(name), str(policy)) for name, policy in features.items()))


def _topology(topology: t.Mapping[str, t.Any], vcpus: int) -> tuple[int | None, int | None, int | None, int | None]:
    """Return sockets, dies, cores and threads; parts that are not declared are 1, but for dies."""
    if all(value is None for value in topology.values()):
        return None, None, None, None
    parts = {name: topology.get(name) for name in ("sockets", "dies", "cores", "threads")}
    product = 1
    for name, value in parts.items():
        _within(value, f"cpu.topology.{name}", 1, 4096)
        product *= value or 1
    if product != vcpus:
        raise SpecError(
            "cpu.topology",
            f"sockets x dies x cores x threads is {product}, the flavor has {vcpus} vCPUs",
            "they must be equal",
        )
    return parts["sockets"] or 1, parts["dies"], parts["cores"] or 1, parts["threads"] or 1


def _tpm(tpm: t.Mapping[str, t.Any] | None) -> Tpm | None:
    if tpm is None:
        return None
    version = tpm.get("version") or "2.0"
    model = tpm.get("model") or ("tpm-crb" if version == "2.0" else "tpm-tis")
    if (model, version) == ("tpm-crb", "1.2"):
        raise SpecError("tpm", "tpm-crb has no version 1.2", "take model: tpm-tis or version: '2.0'")
    return Tpm(model, version)


def _disk(options: t.Mapping[str, t.Any]) -> DiskTuning:
    declared = options.get("disk_limits")
    limits = None
    if declared is not None:
        limits = IoTune(**{field.name: declared.get(field.name) for field in fields(IoTune)})
        for field in fields(IoTune):
            _within(getattr(limits, field.name), f"disk_limits.{field.name}", 0, 10**15)
        for what in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"):
            parts = [f"{direction}_{what}" for direction in ("read", "write") if getattr(limits, f"{direction}_{what}")]
            if parts and getattr(limits, f"total_{what}"):
                raise SpecError(
                    f"disk_limits.total_{what}", f"{parts[0]} is limited too", "give a total, or reads and writes"
                )
        for field in fields(IoTune):
            plain = field.name.rpartition("_max")[0]
            if plain and getattr(limits, field.name) and not getattr(limits, plain):
                raise SpecError(f"disk_limits.{plain}", "it is missing", f"{field.name} is nothing without it")
    return DiskTuning(
        io=options.get("disk_io"),
        detect_zeroes=options.get("disk_detect_zeroes"),
        queues=_within(options.get("disk_queues"), "disk_queues", 1, _MOST_QUEUES),
        limits=limits,
    )


def _rate(rate: t.Mapping[str, t.Any] | None, option: str) -> Rate | None:
    if rate is None:
        return None
    declared = Rate(*(rate.get(field.name) for field in fields(Rate)))
    for field in fields(Rate):
        _within(getattr(declared, field.name), f"{option}.{field.name}", 0, 2**32 - 1)
    if not declared.average and (declared.peak or declared.burst):
        raise SpecError(f"{option}.average", "it is missing", "peak and burst are nothing without it")
    return Rate(0, 0, 0) if declared.average == 0 else declared


_Item = t.TypeVar("_Item")


def _several(
    items: t.Sequence[t.Any] | None,
    option: str,
    make: t.Callable[[t.Any, str], _Item],
    identity: t.Callable[[_Item], t.Any],
) -> tuple[_Item, ...] | None:
    if items is None:
        return None
    made = tuple(make(item, f"{option}[{index}]") for index, item in enumerate(items))
    seen: set[t.Any] = set()
    for index, item in enumerate(made):
        key = identity(item)
        if key is not None and key in seen:
            raise SpecError(f"{option}[{index}]", f"{key} is there twice", "each may be given once")
        seen.add(key)
    return made


def _pci(params: t.Mapping[str, t.Any], option: str) -> PciRequest:
    address, vendor, product = (params.get(name) for name in ("address", "vendor_id", "product_id"))
    count = params.get("count")
    if (address is None) == (vendor is None and product is None):
        raise SpecError(
            option, "it names no device, or names one in two ways", "give address, or vendor_id and product_id"
        )
    if address is not None:
        if not _PCI.fullmatch(address.lower()):
            raise SpecError(f"{option}.address", f"{address!r} is no PCI address", "write it as 0000:3b:00.1")
        if count is not None:
            raise SpecError(f"{option}.count", "there is one device at an address", "leave count out")
        return PciRequest(option, address=address.lower())
    for name, value in (("vendor_id", vendor), ("product_id", product)):
        if value is None or not _ID.fullmatch(value.lower()):
            raise SpecError(f"{option}.{name}", f"{value!r} is not four hexadecimal digits", "write it as '8086'")
    _within(count, f"{option}.count", 1, 64)
    return PciRequest(option, str(vendor).lower(), str(product).lower(), count=count or 1)


def _mdev(uuid: str, option: str) -> str:
    return check_uuid(option, uuid, "give that of a mediated device, see virsh nodedev-list --cap mdev")


def _share(params: t.Mapping[str, t.Any], option: str) -> Filesystem:
    source, target = params["source"], params["target"]
    if not source.startswith("/"):
        raise SpecError(f"{option}.source", f"{source!r} is no absolute path", "name a directory of the hypervisor")
    if not 1 <= len(target.encode()) <= _LONGEST_TAG:
        raise SpecError(f"{option}.target", f"{target!r} is no tag", f"give 1 to {_LONGEST_TAG} bytes")
    return Filesystem(target, source, "virtiofs", params.get("readonly"))


def _sev(sev: t.Mapping[str, t.Any] | None) -> Sev | None:
    if sev is None:
        return None
    policy = sev["policy"]
    _within(policy, "sev.policy", 0, 0xFFFF)
    _within(sev.get("cbitpos"), "sev.cbitpos", 0, 63)
    _within(sev.get("reduced_phys_bits"), "sev.reduced_phys_bits", 0, 63)
    return Sev(policy, sev.get("cbitpos"), sev.get("reduced_phys_bits"), sev.get("kernel_hashes"))
