# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The bench's command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .create import Report, create
from .environment import WORK, Environment, prepared
from .errors import BenchError
from .image import image
from .migration import migration
from .moves import moves
from .moves import show as show_moves
from .noop import noop
from .scheduler import scheduler, show


def main(arguments: list[str]) -> int:
    """Run the benchmarks that were asked for."""
    options = _parser().parse_args(arguments)
    try:
        if options.what in ("all", "scheduler"):
            WORK.mkdir(parents=True, exist_ok=True)
            report = scheduler()
            show(report)
            (WORK / "scheduler.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        if options.what in ("all", "moves"):
            WORK.mkdir(parents=True, exist_ok=True)
            report = moves()
            show_moves(report)
            (WORK / "moves.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        if options.what not in ("scheduler", "moves"):
            with prepared(options.pipelining) as environment:
                _measure(environment, options)
    except BenchError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench.py", description="Measure the collection against bare libvirt, community.libvirt and a plain copy."
    )
    parser.add_argument(
        "what", nargs="?", choices=("all", "create", "noop", "image", "migration", "scheduler", "moves"), default="all"
    )
    parser.add_argument("--rounds", type=_positive, default=5, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--size", type=_positive, default=20, help="instances of create (default: %(default)s)")
    parser.add_argument("--noop-size", type=_positive, default=100, help="instances of noop (default: %(default)s)")
    parser.add_argument(
        "--looped",
        type=_positive,
        default=20,
        help="instances of noop that community.libvirt loops over, scaled up from (default: %(default)s)",
    )
    parser.add_argument(
        "--image-mib", type=_positive, default=400, help="data of image, in MiB of 2048 (default: %(default)s)"
    )
    parser.add_argument(
        "--disk-mib", type=_positive, default=200, help="data on the disk of migration, in MiB (default: %(default)s)"
    )
    parser.add_argument("--pipelining", action="store_true", help="let Ansible pipeline, for every playbook alike")
    parser.add_argument(
        "--json", type=Path, default=WORK / "bench.json", help="where figures go (default: %(default)s)"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _measure(environment: Environment, options: argparse.Namespace) -> None:
    about: dict[str, Any] = {
        "versions": environment.versions(),
        "cpus": os.cpu_count(),
        "pipelining": options.pipelining,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "load_before": os.getloadavg()[0],
    }
    reports: dict[str, Report] = {}
    if options.what in ("all", "create"):
        reports["create"] = create(environment, options.rounds, options.size)
    if options.what in ("all", "noop"):
        reports["noop"] = noop(environment, options.rounds, options.noop_size, options.looped)
    if options.what in ("all", "image"):
        reports["image"] = image(environment, options.rounds, options.image_mib)
    if options.what in ("all", "migration"):
        reports["migration"] = migration(environment, options.rounds, options.disk_mib)
    print("  ".join(f"{name} {version}" for name, version in about["versions"].items()))
    print(f"{about['cpus']} CPUs, load {about['load_before']:.1f} before the run, pipelining {options.pipelining}")
    for report in reports.values():
        _show(report)
    data = {**about, **{name: asdict(report) for name, report in reports.items()}}
    options.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    print(f"\nAs JSON: {options.json}")


def _show(report: Report) -> None:
    print(f"\n{report.title}; median of {len(report.details['rounds'])} rounds (least - most)")
    for figure in report.times + report.ratios:
        print(figure.row())
    calls = report.details.get("calls")
    if calls:
        print(f"  libvirt calls of one run: {sum(calls.values())}")
        for name, count in sorted(calls.items(), key=lambda entry: -entry[1]):
            print(f"    {name:<28} {count}")
        print(f"  calls for each further instance: {report.details['calls_per_further_instance']:.2f}")
        print(f"  calls whose number grows: {', '.join(report.details['calls_that_grow']) or 'none'}")
