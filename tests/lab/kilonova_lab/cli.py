# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The lab's command line."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import console, debian, guest, inventory, lifecycle, openvswitch, packages, server
from .errors import InterruptedLab, LabError
from .hostfiles import MOST_HOSTS
from .layout import DEFAULT_DIR, MACHINE_DIR, HostLayout, Layout
from .machine import Machine
from .state import KINDS, LabState

Command = Callable[[argparse.Namespace], int]


def main(arguments: list[str]) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except LabError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 1
    except InterruptedLab as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 130
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    except OSError as exc:
        print(f"lab: {exc.strerror or exc}: {exc.filename or 'no file'}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab.py", description="Simulated hypervisors: real libvirt and QEMU, on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Command, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about)
        made.set_defaults(command=run)
        made.add_argument("--dir", default=DEFAULT_DIR, help="the lab's own directory (default: %(default)s)")
        return made

    made = add("up", _up, "Start a lab, or what is missing of it.")
    made.add_argument(
        "--hosts", type=_host_count, default=3, metavar="N", help="how many hypervisors (default: %(default)s)"
    )
    made.add_argument(
        "--kind",
        choices=KINDS,
        default=KINDS[0],
        help="daemons of this user, or whole hosts in namespaces, which needs root",
    )
    add("down", _down, "End a lab and remove everything of it.")
    add("status", _status, "Say which hosts are up and what runs on them.")
    made = add("inventory", _inventory, "Print the lab as an Ansible inventory.")
    made.add_argument(
        "--python", default=inventory.default_python(), help="the Python that modules run with (default: %(default)s)"
    )
    made = add("console", _console, "Print the serial console log of a guest, on whichever host it is.")
    made.add_argument("name", metavar="NAME")
    made.add_argument("--follow", action="store_true", help="go on printing what comes, until interrupted")
    made.add_argument("--last", type=_count, nargs="?", const=1, metavar="N", help="only the last N lines (default: 1)")
    made.add_argument("--until", metavar="TEXT", help="wait until a line holds this text, and print up to there")
    made.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="how long --until waits (default: %(default)s)"
    )
    made = add(
        "serve", _serve, "Serve a directory over HTTP on 127.0.0.1 until the lab is taken down, and print its URL."
    )
    made.add_argument("--root", type=Path, required=True, metavar="PATH", help="the directory")
    made = add("image", _image, "Build the test guest's disk unless it is cached, and print its path.")
    made.add_argument("--output", type=Path, metavar="FILE", help="copy it to this file and print that path")
    made.add_argument(
        "--format", choices=guest.FORMATS, default=guest.FORMATS[0], help="the disk's format (default: %(default)s)"
    )
    made.add_argument(
        "--kernel", choices=sorted(packages.KERNELS), default="cloud", help="Debian's kernel (default: %(default)s)"
    )
    made.add_argument("--full", action="store_true", help="a whole Debian with systemd and cloud-init instead")
    made = add("uri", _uri, "Print the libvirt URI of a host.")
    made.add_argument("host", metavar="HOST")
    made = add("crash", _crash, "End a whole host as a power cut does; 'up' boots it again.")
    made.add_argument("host", metavar="HOST")
    made = add("switch", _switch, "Have a bridge of Open vSwitch on a whole host.")
    made.add_argument("host", metavar="HOST")
    made.add_argument("bridge", metavar="BRIDGE")
    made = add("machine", _machine, "Start or end a hypervisor with a kernel of its own, or run a program on it.")
    made.set_defaults(dir=MACHINE_DIR)
    made.add_argument("action", choices=("up", "down", "status", "uri", "exec"))
    made.add_argument("words", nargs=argparse.REMAINDER, metavar="-- PROGRAM", help="for exec, what to run")
    made = add("exec", _exec, "Run a program on a host.")
    made.add_argument("host", metavar="HOST")
    made.add_argument("words", nargs=argparse.REMAINDER, metavar="-- PROGRAM", help="the program and its arguments")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _host_count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_HOSTS:
        raise argparse.ArgumentTypeError(f"must be between 1 and {MOST_HOSTS}")
    return number


def _host(options: argparse.Namespace) -> tuple[Layout, LabState, HostLayout]:
    layout, found = lifecycle.attach(options.dir)
    by_name = {host.name: host for host in lifecycle.hosts(layout, found)}
    if options.host not in by_name:
        raise LabError(f"There is no host {options.host!r} in this lab, only {', '.join(by_name)}.")
    return layout, found, by_name[options.host]


def _up(options: argparse.Namespace) -> int:
    layout, found = lifecycle.up(options.dir, options.hosts, options.kind)
    names = ", ".join(host.name for host in lifecycle.hosts(layout, found))
    print(f"Up: {names} ({found.kind}) in {layout.directory}")
    return 0


def _down(options: argparse.Namespace) -> int:
    was_there = lifecycle.down(options.dir)
    print("Down." if was_there else "There was no lab.")
    return 0


def _status(options: argparse.Namespace) -> int:
    layout, found = lifecycle.attach(options.dir)
    work = lifecycle.driver(found.kind)
    all_up = True
    for host in lifecycle.hosts(layout, found):
        is_up = work.is_up(host)
        all_up = all_up and is_up
        print(f"{host.name}  {'up' if is_up else 'down'}  {work.uri(host)}")
    return 0 if all_up else 3


def _inventory(options: argparse.Namespace) -> int:
    layout, found = lifecycle.attach(options.dir)
    print(inventory.as_yaml(layout, found, options.python), end="")
    return 0


def _console(options: argparse.Namespace) -> int:
    layout, found = lifecycle.attach(options.dir)
    log = console.find_log(layout, found, options.name)
    if options.until:
        console.wait_for(log, options.until, options.timeout)
    console.show(log, last=options.last, follow=options.follow)
    return 0


def _serve(options: argparse.Namespace) -> int:
    layout, _found = lifecycle.attach(options.dir)
    print(server.start(layout, options.root))
    return 0


def _image(options: argparse.Namespace) -> int:
    path = debian.image(options.format) if options.full else guest.image(options.format, options.kernel)
    if options.output:
        draft = options.output.with_name(f".{options.output.name}.new")
        shutil.copyfile(path, draft)
        path = draft.replace(options.output)
    print(path)
    return 0


def _uri(options: argparse.Namespace) -> int:
    _layout, found, host = _host(options)
    print(lifecycle.driver(found.kind).uri(host))
    return 0


def _crash(options: argparse.Namespace) -> int:
    _layout, found, host = _host(options)
    lifecycle.driver(found.kind).crash(host)
    print(f"{host.name} has crashed.")
    return 0


def _exec(options: argparse.Namespace) -> int:
    _layout, found, host = _host(options)
    words = _words(options)
    command, environment = lifecycle.driver(found.kind).command(host, words)
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except FileNotFoundError:
        raise LabError(f"The program {words[0]} is missing.") from None


def _switch(options: argparse.Namespace) -> int:
    _layout, found, host = _host(options)
    if found.kind != "whole":
        raise LabError("Only a whole host has networks of its own.")
    openvswitch.start(host, options.bridge)
    return 0


def _words(options: argparse.Namespace) -> list[str]:
    words: list[str] = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise LabError("Say which program to run: exec ... -- PROGRAM ARGUMENTS")
    return words


def _machine(options: argparse.Namespace) -> int:
    machine = Machine.of(options.dir)
    if options.action == "exec":
        return subprocess.run(machine.command(_words(options)), check=False).returncode
    if options.action == "down":
        print("Down." if machine.down() else "There was no machine.")
        return 0
    if options.action == "status":
        print("up" if machine.is_up else "down")
        return 0
    if options.action == "up":
        machine.up()
    print(machine.uri)
    return 0
