# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a connection can do: asked of it once, when it is first needed, and kept as long as the connection lives."""

from __future__ import annotations

import threading
import typing as t
import weakref

from .._errors import UnsupportedError
from .connection import Connection

Answer = t.TypeVar("Answer")


class _Memory:
    """The answers of one connection; two threads that ask the same at once get the same answer."""

    def __init__(self) -> None:
        # The answer to one question may need that to another.
        self.lock = threading.RLock()
        self.answers: dict[t.Hashable, t.Any] = {}


_memories: weakref.WeakKeyDictionary[Connection, _Memory] = weakref.WeakKeyDictionary()
_memories_lock = threading.Lock()


def once(connection: Connection, question: t.Hashable, ask: t.Callable[[], Answer]) -> Answer:
    """Return the answer to ``question``, which ``ask`` gives the first time; an error is not kept."""
    with _memories_lock:
        memory = _memories.setdefault(connection, _Memory())
    with memory.lock:
        if question not in memory.answers:
            memory.answers[question] = ask()
        return t.cast(Answer, memory.answers[question])


def supported(connection: Connection, doing: str, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
    """Call a libvirt ``function``, or return None where this hypervisor has no such call; that is asked once."""
    name = getattr(function, "__name__", str(function))
    if once(connection, ("lacks", name), lambda: [False])[0]:
        return None
    try:
        return connection.call(doing, function, *args)
    except UnsupportedError:
        once(connection, ("lacks", name), lambda: [False])[0] = True
        return None
