# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Bring a lab up and take it down."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType, ModuleType

from . import rootless, state, whole
from .errors import InterruptedLab, LabError
from .layout import HostLayout, Layout, capabilities, make_private
from .processes import end_all
from .run import virsh
from .state import LabState

_AT_ONCE = 8
_PROBE_LIMIT = 180.0
_LOOK_AGAIN = 0.2


def driver(kind: str) -> ModuleType:
    """Return the module that knows how hosts of a kind are made."""
    return whole if kind == "whole" else rootless


def hosts(layout: Layout, found: LabState) -> list[HostLayout]:
    """Return the hosts of a lab."""
    return [layout.host(number) for number in range(1, found.hosts + 1)]


def attach(directory: str | os.PathLike[str]) -> tuple[Layout, LabState]:
    """Return an existing lab, at the places it was made with."""
    layout = Layout.of(directory)
    found = state.require(layout)
    return _placed(layout, found), found


def _placed(layout: Layout, found: LabState) -> Layout:
    return replace(layout, short=Path(found.short), subnet=found.subnet)


def up(directory: str | os.PathLike[str], count: int, kind: str) -> tuple[Layout, LabState]:
    """Make the lab, or start what is missing of it."""
    layout = Layout.of(directory)
    driver(kind).check(layout)
    with state.locked(layout):
        _forget_moved(layout)
        found = state.load(layout)
        if found is None:
            state.refuse_foreign(layout.directory)
            wanted = LabState(str(layout.directory), str(layout.short), kind, count, driver(kind).choose_subnet(layout))
        else:
            if found.kind != kind:
                raise LabError(
                    f"The lab in {layout.directory} is of kind {found.kind}, not {kind}: take it down first, or choose another --dir."
                )
            wanted = found.with_hosts(count)
        layout = _placed(layout, wanted)
        with _signals():
            try:
                _start(layout, wanted, is_new=found is None)
            except BaseException:
                if found is None:
                    with _no_signals():
                        _remove(layout, kind)
                elif wanted != found:
                    with _no_signals():
                        _shrink(layout, found, wanted)
                raise
    return layout, wanted


def down(directory: str | os.PathLike[str]) -> bool:
    """Take the lab down and remove everything of it; return whether there was one."""
    layout = Layout.of(directory)
    if not layout.directory.exists() and not layout.short.exists():
        end_all(layout.short)
        return False
    with state.locked(layout), _no_signals():
        _forget_moved(layout)
        found = state.load(layout)
        if found is not None:
            layout = _placed(layout, found)
        _remove(layout, found.kind if found else state.KINDS[0])
    return found is not None


def _start(layout: Layout, wanted: LabState, *, is_new: bool) -> None:
    work = driver(wanted.kind)
    if is_new:
        # Something of the same name may be left when somebody removed the directory under a running lab.
        end_all(layout.short)
        shutil.rmtree(layout.short, ignore_errors=True)
    state.save(layout, wanted)
    make_private(layout.short)
    work.start_shared(layout)
    _in_parallel(work.start, hosts(layout, wanted), layout)
    if not any(capabilities(wanted.kind).iterdir()):
        # Once for all, before they all need it at the same time.
        virsh(work.uri(layout.host(1)), "capabilities", limit=_PROBE_LIMIT)


def _in_parallel(task: Callable[[HostLayout], None], items: list[HostLayout], layout: Layout) -> None:
    """Run a task for every host at once; on a signal end what the tasks wait for, so that they end too."""
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=_AT_ONCE)
    try:
        # Interrupted between two of them, it would not be known what runs.
        with _signals_held():
            futures = [pool.submit(task, item) for item in items]
        pending = set(futures)
        while pending:
            # A signal is told of between two waits only.
            done, pending = concurrent.futures.wait(pending, _LOOK_AGAIN, concurrent.futures.FIRST_COMPLETED)
            for future in done:
                future.result()
    except BaseException as exc:
        pool.shutdown(wait=False, cancel_futures=True)
        with _no_signals():
            if isinstance(exc, InterruptedLab):
                _end_while_running(futures, layout)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_while_running(futures: list[concurrent.futures.Future[None]], layout: Layout) -> None:
    pending = [future for future in futures if not future.cancelled()]
    while concurrent.futures.wait(pending, timeout=0.05).not_done:
        end_all(layout.short, only_daemons=True)


def _remove(layout: Layout, kind: str) -> None:
    work = driver(kind)
    numbers = {int(path.name[4:]) for path in layout.directory.glob("host*") if path.name[4:].isdigit()}
    with concurrent.futures.ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        list(pool.map(work.stop, [layout.host(number) for number in sorted(numbers)]))
    work.stop_shared(layout)
    end_all(layout.short)
    shutil.rmtree(layout.short, ignore_errors=True)
    state.remove_own_files(layout)


def _shrink(layout: Layout, before: LabState, wanted: LabState) -> None:
    for number in range(before.hosts + 1, wanted.hosts + 1):
        driver(before.kind).stop(layout.host(number))
    state.save(layout, before)


def _forget_moved(layout: Layout) -> None:
    """End what still runs of a lab whose directory was moved here from elsewhere, and begin anew."""
    found = state.load_any(layout)
    if found is None or found.directory == str(layout.directory):
        return
    if not os.path.exists(found.directory):
        end_all(found.short)
        shutil.rmtree(found.short, ignore_errors=True)
    _remove(layout, found.kind)
    layout.directory.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into an exception, so that what was started is ended again."""
    with _handling(_stop):
        yield


def _stop(number: int, _frame: FrameType | None = None) -> None:
    raise InterruptedLab(f"Interrupted by {signal.Signals(number).name}: what was started has been ended.")


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Let a signal that comes meanwhile take effect only at the end."""
    came: list[int] = []
    with _handling(lambda number, _frame: came.append(number)):
        yield
    if came:
        _stop(came[0])


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """Let nothing interrupt the cleaning."""
    with _handling(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)
