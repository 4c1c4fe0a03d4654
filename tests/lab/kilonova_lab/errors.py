# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Errors of the lab."""

from __future__ import annotations


class LabError(Exception):
    """A problem that the user can act on, told in one sentence."""


class InterruptedLab(BaseException):
    """A signal asked to stop; derives from BaseException so that no handler of errors swallows it."""
