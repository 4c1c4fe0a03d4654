# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""How few moves make hosts alike, beside Ganeti's hbal, and how quickly room is told, beside hspace."""

from __future__ import annotations

import importlib
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from . import ganeti
from .environment import REPOSITORY, WORK, link_collection
from .errors import BenchError
from .scheduler_cases import Amounts, Case, case

_KINDS = ("uniform", "cloud")
_SIZES = ((20, 100), (40, 200), (200, 1000))
_HBAL_HOSTS = 40
"""On more hosts hbal takes hours."""
_GANETI_SECONDS = 45
"""How much CPU time it gets."""
_MANY = 1_000_000
"""Ganeti counts spindles too; of so many, no matter how many are used."""
_CROWDED = 0.3
"""The part of the hosts on which most instances are."""
_CROWD = 0.8
_SLOTS: tuple[Amounts, ...] = ((1, 12_000, 100), (4, 12_000, 100))
"""Of the first one memory runs out, of the second one vCPUs."""
_MAX_CPU = "--max-cpu=1.0"
"""In its text format Ganeti's tools read a policy's ratio of vCPUs, and reckon with 4.0 all the same."""
_HSPACE_HOSTS = 20
_MOVE = re.compile(r"^\s*\d+\.\s+(i\d+)\s+(hv\d+)\s+=>\s+(hv\d+)", re.MULTILINE)
_PACKAGE = "ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.commands"

Places = dict[int, int]
"""The host of each instance, by their numbers."""


@dataclass(frozen=True)
class Row:
    """One engine on one fleet; the score is what hbal and we both lower: the deviations of memory and of vCPUs added up."""

    fleet: str
    engine: str
    moves: int
    memory_mb: int
    before: float
    after: float
    cpu_seconds: float
    remark: str = ""


def moves(*, with_ganeti: bool = True) -> dict[str, Any]:
    """Run everything; return the figures."""
    link_collection()
    sys.path.insert(0, str(WORK / "collections"))
    if with_ganeti:
        subprocess.run([str(REPOSITORY / "tools" / "packages.sh"), "--bench"], check=True, stdout=sys.stderr)
    has_ganeti = with_ganeti and ganeti.is_there()
    rows = []
    for kind in _KINDS:
        for hosts, instances in _SIZES:
            for row in _compare(case(kind, hosts, instances), has_ganeti):
                rows.append(row)
                print(_text(row), file=sys.stderr)
    return {"rows": [asdict(row) for row in rows], "table": [_HEAD, *map(_text, rows)], "room": _room(has_ganeti)}


def show(report: Mapping[str, Any]) -> None:
    """Print the figures."""
    print("\nMoves that make hosts alike, one run each")
    print("\n".join(report["table"]))
    print("\nHow many more of one size fit")
    print("\n".join(report["room"]))


def _crowd(fleet: Case) -> Places:
    """Put most instances on few hosts."""
    chance = random.Random(fleet.title)
    everywhere = range(len(fleet.hosts))
    few = everywhere[: int(len(fleet.hosts) * _CROWDED)]
    used = [[0, 0, 0] for _host in everywhere]
    places: Places = {}
    for number, amounts in enumerate(fleet.requests):
        wanted = few if chance.random() < _CROWD else everywhere
        for host in (*chance.sample(wanted, len(wanted)), *everywhere):
            total = fleet.hosts[host][0]
            if all(old + amount < whole for old, amount, whole in zip(used[host], amounts, total)):
                places[number] = host
                used[host] = [old + amount for old, amount in zip(used[host], amounts)]
                break
    return places


def _compare(fleet: Case, has_ganeti: bool) -> list[Row]:
    places = _crowd(fleet)
    rows = []
    target = None
    if has_ganeti and len(fleet.hosts) <= _HBAL_HOSTS:
        row = _hbal(fleet, places)
        rows.append(row)
        target = row.after if not row.remark else None
    rows.append(_ours(fleet, places, "ours"))
    if target is not None:
        rows.append(_ours(fleet, places, "ours, no further", target=target))
    rows.append(_ours(fleet, places, "ours, memory", prefer="memory"))
    return rows


def _ask(name: str, options: dict[str, Any]) -> tuple[dict[str, Any], float]:
    ask = importlib.import_module(_PACKAGE).ask
    before = time.process_time()
    answer: dict[str, Any] = ask(name, options)
    return answer, time.process_time() - before


def _ours(fleet: Case, places: Places, engine: str, **options: Any) -> Row:
    plan, seconds = _ask(
        "rebalance", {**_facts(fleet, places), "weights": {"disk_gb": 0}, "min_gain": 0.001, **options}
    )
    after = dict(places)
    for move in plan["moves"]:
        after[int(move["name"][1:])] = int(move["to"][2:])
    waves = f"{plan['waves']} waves"
    before, score = _score(fleet, places), _score(fleet, after)
    return Row(fleet.title, engine, len(plan["moves"]), plan["memory_mb"], before, score, seconds, waves)


def _facts(fleet: Case, places: Places) -> dict[str, Any]:
    hosts: dict[str, Any] = {}
    for number, (total, _used) in enumerate(fleet.hosts):
        names = ("vcpus", "memory_mb", "local_gb")
        hosts[f"hv{number}"] = {**dict(zip(names, total)), **{f"{name}_used": 0 for name in names}, "instances": []}
    for number, host in places.items():
        vcpus, memory_mb, disk_gb = fleet.requests[number]
        node = hosts[f"hv{host}"]
        sizes = {"vcpus": vcpus, "memory_mb": memory_mb, "disk_gb": disk_gb}
        node["instances"].append({"name": f"i{number}", "fleet": "bench", **sizes})
        for key, amount in (("vcpus_used", vcpus), ("memory_mb_used", memory_mb), ("local_gb_used", disk_gb)):
            node[key] += amount
    return {"hosts": hosts, "limits": {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 1}}


def _score(fleet: Case, places: Places) -> float:
    used = [[0, 0] for _host in fleet.hosts]
    for number, host in places.items():
        for index in (0, 1):
            used[host][index] += fleet.requests[number][index]
    return sum(
        statistics.pstdev(amounts[index] / total[index] for (total, _used), amounts in zip(fleet.hosts, used))
        for index in (0, 1)
    )


def _hbal(fleet: Case, places: Places) -> Row:
    """Let hbal balance, on shared storage, since it moves nothing else."""
    scratch = WORK / "hbal.data"
    scratch.write_text(_cluster(fleet, places), encoding="ascii")
    said, seconds = _run(["hbal", "-t", str(scratch), "--ignore-dynu", _MAX_CPU])
    if said is None:
        score = _score(fleet, places)
        return Row(fleet.title, "Ganeti hbal", 0, 0, score, score, seconds, "not done by then")
    after = dict(places)
    steps = [(int(name[1:]), int(host[2:])) for name, _from, host in _MOVE.findall(said)]
    for number, host in steps:
        after[number] = host
    memory_mb = sum(fleet.requests[number][1] for number, _host in steps)
    before, score = _score(fleet, places), _score(fleet, after)
    return Row(fleet.title, "Ganeti hbal", len(steps), memory_mb, before, score, seconds)


def _cluster(fleet: Case, places: Places) -> str:
    """Return the fleet in Ganeti's text format; as a question, in JSON, hbal counts every instance twice, as hail does not."""
    free = [list(total) for total, _used in fleet.hosts]
    instances = []
    for number, host in places.items():
        vcpus, memory_mb, disk_gb = fleet.requests[number]
        disk_mb = disk_gb * 1024
        instances.append(f"i{number}|{memory_mb}|{disk_mb}|{vcpus}|running|Y|hv{host}||rbd||1|-|N")
        free[host] = [left - amount for left, amount in zip(free[host], fleet.requests[number])]
    spare = ganeti.SPARE
    nodes = [
        f"hv{number}|{total[1] + spare}|0|{left[1] + spare}|{total[2] * 1024 + spare}|{left[2] * 1024 + spare}|{total[0]}|N|g|{_MANY}||N|{_MANY}|0|1.0"
        for number, ((total, _used), left) in enumerate(zip(fleet.hosts, free))
    ]
    sizes = f"1,1,1,1,1,1|1,1,1,1,0,1;{','.join([str(10**9)] * 3)},16,16,{10**9}|rbd,plain|1.0|1000000.0"
    sections = (["default|g|preferred||"], nodes, instances, [""], [f"|{sizes}", f"default|{sizes}"])
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _run(command: Sequence[str]) -> tuple[str | None, float]:
    """Return what a tool of Ganeti's says, nothing if it takes too long."""
    before = ganeti.child_seconds()
    limited = ["prlimit", f"--cpu={_GANETI_SECONDS}", *command]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return None, ganeti.child_seconds() - before
    if done.returncode:
        raise BenchError(f"{command[0]} said {done.stdout[-300:]!r} {done.stderr[-300:]!r}")
    return done.stdout, ganeti.child_seconds() - before


def _hspace(fleet: Case, slot: Amounts) -> str:
    """Return how many instances of one size hspace finds room for on empty hosts."""
    scratch = WORK / "hspace.data"
    scratch.write_text(_cluster(fleet, {}), encoding="ascii")
    size = f"{slot[2] * 1024},{slot[1]},{slot[0]}"
    words = [
        "--disk-template=plain",
        f"--standard-alloc={size}",
        "--machine-readable",
        "--no-capacity-checks",
        _MAX_CPU,
    ]
    said, seconds = _run(["hspace", "-t", str(scratch), *words])
    found = re.search(r"HTS_ALLOC_INSTANCES='?(\d+)", said or "")
    return f"Ganeti hspace {found[1] if found else 'not done'} ({seconds:.2f} s CPU)"


_HEAD = f"  {'fleet':<17} {'engine':<17} {'moves':>6} {'memory MB':>10} {'before':>8} {'after':>8} {'CPU s':>8}  remark"


def _text(row: Row) -> str:
    return (
        f"  {row.fleet:<17} {row.engine:<17} {row.moves:>6} {row.memory_mb:>10} {row.before:>8.4f} {row.after:>8.4f} "
        f"{row.cpu_seconds:>8.3f}  {row.remark}"
    ).rstrip()


def _room(has_ganeti: bool) -> list[str]:
    """Return how many of one size fit, by our figures and by hspace's."""
    lines = []
    for hosts, instances in _SIZES:
        fleet = case("uniform", hosts, instances)
        flavors = {f"{slot[0]}-vcpu": dict(zip(("vcpus", "memory_mb", "disk_gb"), slot)) for slot in _SLOTS}
        figures, seconds = _ask("capacity", {**_facts(fleet, _crowd(fleet)), "flavors": flavors})
        for name, row in figures["flavors"].items():
            lines.append(
                f"  {fleet.title}, {name}: {row['now']} now, {row['after_failure']} if a host fails, at most"
                f" {row['at_most']}, {seconds:.2f} s CPU for all of it"
            )
        empty = Case("empty", fleet.hosts, ())
        for (name, flavor), slot in zip(flavors.items(), _SLOTS):
            figures, seconds = _ask("capacity", {**_facts(empty, {}), "flavors": {name: flavor}})
            line = f"  {hosts} empty hosts, {name}: ours {figures['flavors'][name]['now']} ({seconds:.3f} s CPU)"
            if has_ganeti and hosts <= _HSPACE_HOSTS:
                line += f", {_hspace(empty, slot)}"
            lines.append(line)
    return lines
