# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A web server for images, for this machine and its lab alone, that also breaks off or dawdles when asked to.

``/NAME`` serves a file, ``/break/NAME`` ends the connection after half of it, ``/slow/NAME`` takes some seconds over it.
``/SHA256SUMS`` lists the files' checksums, unless there is a file of that name.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from http import HTTPStatus
from pathlib import Path

from .errors import LabError
from .layout import MARKER, Layout, make_private
from .processes import end_all

_START_LIMIT = 20.0
_PIECE = 64 * 1024
_SLOW_PIECES = 20
_SLOW_PAUSE = 0.2


def start(layout: Layout, root: Path) -> str:
    """Start the server in the background, in place of one that runs, and return its URL."""
    if not root.is_dir():
        raise LabError(f"{root} is no directory.")
    short = layout.short / "http"
    end_all(short)
    make_private(layout.short)
    make_private(short)
    url_file = short / "url"
    url_file.unlink(missing_ok=True)
    # Whole hosts reach this machine only at its address on their own network.
    address = f"{layout.subnet}.1" if layout.subnet else "127.0.0.1"
    command = [sys.executable, "-m", __name__, str(root.resolve()), str(url_file), address]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), MARKER: f"{short}/"}
    with open(layout.directory / "http.log", "wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + _START_LIMIT
    while not url_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            end_all(short)
            raise LabError(f"The web server did not start: see {layout.directory / 'http.log'}.")
        time.sleep(0.02)
    return url_file.read_text(encoding="ascii")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer GET and HEAD for the files of one directory."""

    root = Path()
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a file, or part of it."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Send a file's size."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        words = [urllib.parse.unquote(word) for word in urllib.parse.urlsplit(self.path).path.split("/") if word]
        fault = words.pop(0) if len(words) > 1 and words[0] in ("break", "slow") else ""
        content = self._content(words)
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/octet-stream")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            if with_body:
                self._send(content, fault)

    def _content(self, words: list[str]) -> bytes | None:
        path = self.root.joinpath(*words).resolve()
        if path.is_file() and path.is_relative_to(self.root):
            return path.read_bytes()
        if words == ["SHA256SUMS"]:
            files = sorted(entry for entry in self.root.iterdir() if entry.is_file())
            return "".join(
                f"{hashlib.sha256(entry.read_bytes()).hexdigest()}  {entry.name}\n" for entry in files
            ).encode()
        return None

    def _send(self, content: bytes, fault: str) -> None:
        if fault == "break":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        size = max(1, len(content) // _SLOW_PIECES) if fault == "slow" else _PIECE
        for place in range(0, len(content), size):
            self.wfile.write(content[place : place + size])
            if fault == "slow":
                time.sleep(_SLOW_PAUSE)


def serve(root: Path, url_file: Path, address: str) -> None:
    """Serve a directory for ever, and say at which URL."""
    Handler.root = root.resolve()
    with http.server.ThreadingHTTPServer((address, 0), Handler) as running:
        draft = url_file.with_suffix(".new")
        draft.write_text(f"http://{address}:{running.server_port}", encoding="ascii")
        os.replace(draft, url_file)
        running.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
