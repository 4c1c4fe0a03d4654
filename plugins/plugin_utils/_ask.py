# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The way from a filter's arguments to the scheduler's answer, with errors as Ansible wants them."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

from ._plain import PlainError, to_plain
from ._scheduler.commands import ask
from ._scheduler.errors import ScheduleError


def ask_filter(name: str, hosts: t.Any, options: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what the filter ``name`` returns for hosts."""
    try:
        plain = {option: to_plain(value, option) for option, value in options.items()}
        return ask(name, {"hosts": to_plain(hosts, "hosts"), **plain})
    except (PlainError, ScheduleError) as exc:
        raise AnsibleFilterError(str(exc)) from exc
