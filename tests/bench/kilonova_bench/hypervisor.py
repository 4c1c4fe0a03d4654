# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The hypervisor as virsh sees it, so that what is verified is no subject's own word."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

_AT_ONCE = 20


@dataclass(frozen=True)
class Hypervisor:
    """A hypervisor with a pool called default."""

    uri: str

    def virsh(self, *words: str, commands: list[str] | None = None) -> str:
        """Run virsh, with one command or with many in one process, and return what it prints."""
        text = "\n".join(commands) + "\n" if commands is not None else None
        done = subprocess.run(
            ["virsh", "-q", "-c", self.uri, *words], input=text, check=False, capture_output=True, text=True
        )
        if done.returncode and commands is None:
            raise BenchError(f"virsh {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    def domains(self, *state: str) -> set[str]:
        """Return the names of the domains, all of them or those with ``state`` (such as --state-running)."""
        return set(self.virsh("list", "--name", *(state or ("--all",))).split())

    def volumes(self) -> set[str]:
        """Return the names of the volumes after a look at the directory."""
        self.virsh("pool-refresh", "default")
        return {line.split()[0] for line in self.virsh("vol-list", "default").splitlines() if line.strip()}

    def path(self, volume: str) -> str:
        """Return where a volume is."""
        return self.virsh("vol-path", volume, "--pool", "default")

    def length(self, volume: str) -> int:
        """Return how many bytes a volume has."""
        return Path(self.path(volume)).stat().st_size

    def pool_path(self) -> str:
        """Return the directory of the pool."""
        return self.virsh("pool-dumpxml", "default").split("<path>")[1].split("</path>")[0]

    def backing(self, volume: str) -> str:
        """Return the path of what a volume lies over, or nothing."""
        text = self.virsh("vol-dumpxml", volume, "default")
        return (
            text.split("<backingStore>")[1].split("<path>")[1].split("</path>")[0] if "<backingStore>" in text else ""
        )

    def clear(self, kept: set[str]) -> None:
        """Remove every domain, and every volume but ``kept``."""
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            list(pool.map(self._remove, sorted(self.domains())))
        self.virsh(commands=[f"vol-delete {name} default" for name in sorted(self.volumes() - kept)])
        left = self.domains() | (self.volumes() - kept)
        if left:
            raise BenchError(f"Not removed between rounds: {', '.join(sorted(left))}.")

    def _remove(self, name: str) -> None:
        # Where nobody reaps the processes of guests, libvirt waits for each as long as it ever does: hence all at once.
        self.virsh(commands=[f"destroy {name}", f"undefine {name}"])
