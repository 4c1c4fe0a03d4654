# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Benchmark ``image``: an image brought to a hypervisor whose pool is empty, and once more when it is there."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import fleet
from .create import Report
from .environment import BENCH, WORK, Environment, run
from .errors import BenchError
from .figures import Figure, interleave, ratio, times_of, whole, without_startup
from .subjects import Outcome, Subject, expect_no_change, module, playbook, timed

_MIB = 1024**2
_VIRTUAL_MIB = 2048
_SMALL_PART = 10
"""The smaller image, whose peak of memory is put beside, has this part of the data."""
_MOST_READ_BYTES = 16 * _MIB
"""Of a second run, which has to read Python's own files as well."""
_UPLOAD = "upload_volume"
_THROUGH_VIRSH = (
    'sha256sum "$2"; virsh -q -c "$1" vol-create-as default bench-virsh "$3" --format qcow2;'
    ' virsh -q -c "$1" vol-upload bench-virsh "$2" --pool default'
)


@dataclass(frozen=True)
class _Source:
    """A qcow2 image that is brought to the hypervisor."""

    path: Path
    digest: str

    @property
    def size_bytes(self) -> int:
        """Return how long the file is."""
        return self.path.stat().st_size


class _Bench:
    """The subjects, and what is there when each has done its work."""

    def __init__(self, environment: Environment, source: _Source) -> None:
        self._environment = environment
        self._hypervisor = environment.hypervisor
        self._source = source

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the options of compute_image."""
        return _arguments(self._environment, self._source)

    def copy(self) -> Outcome:
        """Copy the file into the pool's directory, past libvirt."""
        target = Path(self._hypervisor.pool_path()) / "bench-copy"
        command = [str(self._environment.python), str(BENCH / "payload" / "plain_copy.py"), str(self._source.path)]
        return timed(self._environment, [*command, str(target)])

    def virsh(self) -> Outcome:
        """Hash the file and send it through libvirt."""
        size = f"{self._source.size_bytes}b"
        command = ["sh", "-ec", _THROUGH_VIRSH, "sh", self._hypervisor.uri, str(self._source.path), size]
        return timed(self._environment, command)

    def ours(self) -> Outcome:
        """Publish the image."""
        return module(self._environment, "compute_image", self.arguments)

    def again(self) -> Outcome:
        """Publish it once more, of which the first time is not timed."""
        self.ours()
        return self.ours()

    def there(self, unused_outcome: Outcome) -> None:
        """Refuse a figure unless the pool has one volume that is the image byte by byte."""
        volumes = {name for name in self._hypervisor.volumes() if self._hypervisor.length(name) >= _MIB}
        digests = {_digest(Path(self._hypervisor.path(name))) for name in volumes}
        if len(volumes) != 1 or digests != {self._source.digest}:
            raise BenchError(f"The pool does not hold the image alone but {', '.join(sorted(volumes)) or 'nothing'}.")

    def unchanged(self, outcome: Outcome) -> None:
        """Refuse a figure of a second run that changed anything."""
        expect_no_change(outcome)
        self.there(outcome)

    def nothing(self, unused_outcome: Outcome) -> None:
        """Refuse a figure of the empty playbook if it left anything."""
        if self._hypervisor.volumes():
            raise BenchError("The playbook that does nothing made volumes.")

    def reset(self) -> None:
        """Empty the pool, and have nobody pay for what others wrote."""
        self._hypervisor.clear(set())
        os.sync()


def image(environment: Environment, rounds: int, data_mib: int) -> Report:
    """Time a plain copy, virsh and ours, and look at the second run's work and at the peak of memory."""
    source = _made(data_mib)
    bench = _Bench(environment, source)
    ours = fleet.write_playbook(
        environment, "image-ours", [{"name": "Publish an image", "kilonova.compute.compute_image": bench.arguments}]
    )
    idle = fleet.write_playbook(environment, "idle", fleet.idle_tasks())
    subjects = [
        Subject("idle", "playbook whose one task does nothing", lambda: playbook(environment, idle), bench.nothing),
        Subject("copy", "plain copy with its digest, past libvirt", bench.copy, bench.there),
        Subject("virsh", "sha256sum and virsh vol-upload", bench.virsh, bench.there),
        Subject("module", "compute_image alone", bench.ours, bench.there),
        Subject("ours", "playbook with one compute_image task", lambda: playbook(environment, ours), bench.there),
        Subject("again", "compute_image alone, second run", bench.again, bench.unchanged),
    ]
    found = interleave(subjects, rounds, bench.reset)
    ratios = [
        ratio("compute_image alone / plain copy", found, whole("module"), whole("copy")),
        ratio("ours without Ansible's start-up / plain copy", found, without_startup("ours"), whole("copy")),
        ratio("compute_image alone / sha256sum and virsh", found, whole("module"), whole("virsh")),
        ratio("second run / first run, compute_image alone", found, whole("again"), whole("module")),
    ]
    figures, details = _work(bench, environment, source, data_mib)
    title = f"image: qcow2 of {data_mib} MiB of data in {_VIRTUAL_MIB} MiB, brought to one hypervisor"
    details["rounds"] = [asdict(taken) for taken in found]
    return Report(title, times_of(subjects, found), ratios + figures, details)


def _work(
    bench: _Bench, environment: Environment, source: _Source, data_mib: int
) -> tuple[list[Figure], dict[str, Any]]:
    """Return what a first and a second run take besides time, and the first of a smaller image."""
    small = _made(data_mib // _SMALL_PART)
    bench.reset()
    log_small = _logged(environment, small)
    bench.reset()
    log_first = _logged(environment, source)
    log_second = _logged(environment, source)
    bench.reset()
    if log_second["read_bytes"] > _MOST_READ_BYTES or _UPLOAD in log_second["calls"]:
        raise BenchError(f"A second run read {log_second['read_bytes']} bytes and called {log_second['calls']}.")
    if _UPLOAD not in log_first["calls"]:
        raise BenchError(f"A first run called no {_UPLOAD}, so nobody knows whether a second one did.")
    figures = [
        _mib("peak memory, first run", log_first["peak_bytes"]),
        _mib(f"peak memory, first run of an image a {_SMALL_PART}th as large", log_small["peak_bytes"]),
        _mib("peak memory, second run", log_second["peak_bytes"]),
        _mib("read by the first run", log_first["read_bytes"]),
        _mib("read by the second run, most of it Python's modules", log_second["read_bytes"]),
    ]
    return figures, {"first": log_first["calls"], "second": log_second["calls"]}


def _mib(title: str, size_bytes: int) -> Figure:
    return Figure.over(title, [size_bytes / _MIB], "MiB")


def _logged(environment: Environment, source: _Source) -> dict[str, Any]:
    log = WORK / "image.json"
    module(environment, "compute_image", _arguments(environment, source), log)
    found: dict[str, Any] = json.loads(log.read_text(encoding="utf-8"))
    return found


def _arguments(environment: Environment, source: _Source) -> dict[str, Any]:
    return {"uri": environment.hypervisor.uri, "name": "bench", "src": str(source.path)}


@functools.cache
def _made(data_mib: int) -> _Source:
    """Return an image with so much data all over its disk, the same in every run; it is kept."""
    path = WORK / f"image-{data_mib}.qcow2"
    if not path.exists():
        raw, unfinished = path.with_suffix(".raw"), path.with_suffix(".new")
        chance = random.Random(data_mib)  # what can't be compressed, and no secret
        with raw.open("wb") as file:
            for number in range(data_mib):
                file.seek(number * _VIRTUAL_MIB // data_mib * _MIB)
                file.write(chance.randbytes(_MIB))
            file.truncate(_VIRTUAL_MIB * _MIB)
        run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(unfinished)])
        raw.unlink()
        unfinished.rename(path)
    return _Source(path, _digest(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
