# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The one error of the bench."""

from __future__ import annotations


class BenchError(Exception):
    """Something is missing, or a subject did not do its work; no figure counts then."""
