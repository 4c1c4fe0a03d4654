# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the scheduler cannot work with."""

from __future__ import annotations


class ScheduleError(ValueError):
    """The input is wrong: one sentence with the instance, host or option, and the remedy."""
