# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Generated fleets for the scheduler: the same numbers give the same fleet."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

SIZES = ((40, 200), (200, 1000), (1000, 2000))
KINDS = ("uniform", "cloud", "tight", "skewed")
_HOST = (64, 262_144, 4000)
# vCPUs, MiB and GiB; small ones are asked for more often, as clouds report.
_FLAVORS = (
    *((1, 1024, 10), (1, 2048, 20), (2, 4096, 40), (2, 8192, 40), (4, 8192, 80), (4, 16384, 80), (8, 16384, 160)),
    *((8, 32768, 160), (16, 32768, 320), (16, 65536, 320), (1, 512, 5), (2, 2048, 20), (4, 4096, 40), (8, 8192, 80)),
    *((2, 16384, 30), (4, 32768, 60), (32, 65536, 640), (1, 4096, 10), (3, 6144, 25), (6, 12288, 100)),
)

Amounts = tuple[int, int, int]


@dataclass(frozen=True)
class Case:
    """A fleet and what is to be placed on it; nothing is promised twice and nothing is reserved."""

    kind: str
    hosts: tuple[tuple[Amounts, Amounts], ...]
    """Of each host how much there is, and how much is used."""
    requests: tuple[Amounts, ...]

    @property
    def title(self) -> str:
        """Return what people call it."""
        return f"{self.kind} {len(self.hosts)}/{len(self.requests)}"

    def question(self, policy: str) -> dict[str, Any]:
        """Return the arguments of the filter schedule."""
        return {
            "fleet": "bench",
            "policy": policy,
            "limits": {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 1},
            "hosts": {f"hv{number}": _node(*host) for number, host in enumerate(self.hosts)},
            "instances": [_instance(number, amounts) for number, amounts in enumerate(self.requests)],
        }


def _node(total: Amounts, used: Amounts) -> dict[str, Any]:
    names = ("vcpus", "memory_mb", "local_gb")
    node: dict[str, Any] = {"state": "up", "instances": []}
    node.update(zip(names, total))
    node.update({f"{name}_used": amount for name, amount in zip(names, used)})
    if any(used):
        guest = dict(zip(("vcpus", "memory_mb", "disk_gb"), used))
        node["instances"].append({"name": "old", "fleet": None, **guest})
    return node


def _instance(number: int, amounts: Amounts) -> dict[str, Any]:
    flavor = dict(zip(("vcpus", "memory_mb", "disk_gb"), amounts))
    return {"name": f"i{number}", "flavor": {"name": "f" + "-".join(map(str, amounts)), **flavor}}


def case(kind: str, hosts: int, requests: int, seed: int = 1) -> Case:
    """Return a fleet of the kind."""
    chance = random.Random(f"{kind} {hosts} {requests} {seed}")
    makers = {"uniform": _uniform, "cloud": _cloud, "tight": _tight, "skewed": _skewed}
    return Case(kind, *makers[kind](chance, hosts, requests))


Made = tuple[tuple[tuple[Amounts, Amounts], ...], tuple[Amounts, ...]]


def _empty(count: int) -> tuple[tuple[Amounts, Amounts], ...]:
    return ((_HOST, (0, 0, 0)),) * count


def _uniform(chance: random.Random, hosts: int, requests: int) -> Made:
    """Every request has a size of its own."""
    sizes = ((1, 12), (512, 49_152), (5, 600))
    return _empty(hosts), tuple(
        tuple(chance.randint(*size) for size in sizes) for _number in range(requests)  # type: ignore[misc]
    )


def _cloud(chance: random.Random, hosts: int, requests: int) -> Made:
    """Twenty flavors, the n-th asked for 1/n as often as the first."""
    weights = [1 / (number + 1) for number in range(len(_FLAVORS))]
    return _empty(hosts), tuple(chance.choices(_FLAVORS, weights, k=requests))


def _tight(chance: random.Random, hosts: int, requests: int) -> Made:
    """Hosts cut into pieces that fill them to the last MiB: all can be placed, in some way."""
    pieces: list[Amounts] = []
    for number in range(hosts):
        count = requests * (number + 1) // hosts - requests * number // hosts
        cut = [_cut(chance, whole, count) for whole in _HOST]
        pieces.extend(zip(*cut))
    chance.shuffle(pieces)
    return _empty(hosts), tuple(pieces)


def _cut(chance: random.Random, whole: int, count: int) -> list[int]:
    edges = sorted(chance.sample(range(1, whole), count - 1))
    return [right - left for left, right in zip([0, *edges], [*edges, whole])]


def _skewed(chance: random.Random, hosts: int, requests: int) -> Made:
    """Hosts of three sizes, a third of them mostly full, and flavors as in a cloud."""
    fleet = []
    for number in range(hosts):
        factor = (1, 2, 4)[number % 3]
        total = (_HOST[0] * factor // 2, _HOST[1] * factor // 2, _HOST[2] * factor // 2)
        part = chance.uniform(0.6, 0.9) if chance.random() < 1 / 3 else 0
        fleet.append((total, (int(total[0] * part), int(total[1] * part), int(total[2] * part))))
    return tuple(fleet), _cloud(chance, hosts, requests)[1]
