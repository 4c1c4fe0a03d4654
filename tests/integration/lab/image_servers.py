# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Servers that the image tests look through: one of images that counts, one before libvirt's socket that stalls."""

from __future__ import annotations

import base64
import contextlib
import http.server
import socket
import threading
import typing as t
from http import HTTPStatus
from pathlib import Path

USER, PASSWORD = "reader", "only-for-images"


class ImageServer:
    """Serves bytes by path and remembers every request; ``/break/NAME`` breaks off, ``/private/NAME`` wants a password."""

    def __init__(self) -> None:
        """Listen on a free port of this machine."""
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.gate = threading.Event()
        """Bodies are sent once it is set."""
        self.gate.set()
        handler = type("Handler", (_Handler,), {"images": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Return host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    def url(self, name: str) -> str:
        """Return the URL of a file."""
        return f"http://{self.address}/{name}"

    def close(self) -> None:
        """Stop listening."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    images: ImageServer

    def do_GET(self) -> None:
        """Send a file."""
        path = self.path.partition("?")[0].lstrip("/")
        fault, _slash, name = path.rpartition("/")
        self.images.requests.append(path)
        if fault == "private" and self.headers.get("Authorization") != _authorization():
            self.send_response(HTTPStatus.UNAUTHORIZED)
            self.send_header("WWW-Authenticate", 'Basic realm="images"')
            self.end_headers()
            return
        if name not in self.images.files:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content = self.images.files[name]
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.images.gate.wait(60)
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content[: len(content) // 2] if fault == "break" else content)

    def log_message(self, *unused: t.Any) -> None:
        """Say nothing."""


def _authorization() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode("ascii")


class StallingProxy:
    """Stands before libvirt's socket and passes everything on, until clients sent, or were answered, ``limit`` bytes.

    A module has more than one connection, so what counts is what went over all of them.
    """

    def __init__(self, target: str, path: Path, limit: int, answers: bool = False) -> None:
        """Listen at ``path`` for what goes to ``target``."""
        self._limit = limit
        self._counts_answers = answers
        self._passed = 0
        self._lock = threading.Lock()
        self.stalled = threading.Event()
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.uri = f"qemu:///session?socket={path}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                threading.Thread(
                    target=self._pass_on, args=(client, server, not self._counts_answers), daemon=True
                ).start()
                threading.Thread(target=self._pass_on, args=(server, client, self._counts_answers), daemon=True).start()

    def _is_over(self, length: int) -> bool:
        with self._lock:
            self._passed += length
            if self._passed > self._limit:
                self.stalled.set()
        return self.stalled.is_set()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not (counts and self._is_over(len(data))):
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
