# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A user with an inventory and a fleet file, and a web server that has images."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

TINY = {"name": "tiny", "vcpus": 1, "memory_mb": 96, "disk_gb": 1}
SMALL = {"name": "small", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
LIMITS = {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 16.0}


class Server(http.server.ThreadingHTTPServer):
    """Serves a directory and remembers what was asked for."""

    def __init__(self, root: Path) -> None:
        """Listen on a free port of the loopback address."""
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(root)))

    def start(self) -> None:
        """Serve in a thread until :meth:`stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and free the port."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def url(self) -> str:
        """Return the address of the directory."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """Serve a file; below /broken/ only half of it."""
        t.cast("Server", self.server).requests.append(self.path)
        if not self.path.startswith("/broken/"):
            super().do_GET()
            return
        body = (Path(self.directory) / self.path[len("/broken/") :]).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])

    def log_message(self, *unused: t.Any) -> None:
        """Say nothing."""


class Operator:
    """Somebody with an inventory and a fleet file, in a directory of their own."""

    def __init__(self, directory: Path, inventory: str, images_url: str, image: Path) -> None:
        """Write the inventory and think of a fleet."""
        self.directory = directory
        (directory / "inventory.yml").write_text(inventory)
        digest = hashlib.sha256(image.read_bytes()).hexdigest()
        self.fleet: dict[str, t.Any] = {
            "fleet_name": "shop",
            "fleet_virt_type": "qemu",
            "fleet_limits": LIMITS,
            "fleet_flavors": [TINY, SMALL],
            "fleet_images": [{"name": "guest", "url": f"{images_url}/guest.qcow2", "checksum": f"sha256:{digest}"}],
            "fleet_instances": [declare("web", count=2), declare("db", flavor="small", host="host2")],
        }

    def play(self, playbook: str, *arguments: str) -> tuple[int, str]:
        """Run a playbook of the collection; return its exit status and what it printed."""
        (self.directory / "fleet.json").write_text(json.dumps(self.fleet))
        command = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            *("-i", "inventory.yml", "-e", "@fleet.json", f"kilonova.compute.{playbook}", *arguments),
        ]
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**os.environ, "ANSIBLE_PIPELINING": "true"},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        return done.returncode, done.stdout + done.stderr

    def deploy(self, *arguments: str) -> str:
        """Deploy the fleet, which has to succeed."""
        status, output = self.play("deploy", *arguments)
        assert status == 0, output
        return output

    def refused(self, *words: str) -> str:
        """Deploy the fleet, which has to fail with all ``words`` in what it prints."""
        status, output = self.play("deploy")
        assert status != 0, output
        flat = " ".join(output.replace("\\n", " ").split())
        for word in words:
            assert word in flat, output
        return output


def declare(name: str, **changes: t.Any) -> dict[str, t.Any]:
    """Declare an instance."""
    declared = {"flavor": "tiny", "image": "guest", "networks": [{"user": True}], "graphics": {"type": "none"}}
    return {"name": name, **declared, **changes}


def changes_in(output: str) -> int:
    """Return the sum of the recap's changed= figures, which must be there."""
    figures = re.findall(r"changed=(\d+)", output)
    assert figures, output
    return sum(int(figure) for figure in figures)
