# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The exact engine: proves for small fleets that nothing places more or, where hosts are to be few, on fewer hosts.

It starts from what the search has found and decides by the same rules; only evenness is left to the search. Who solves
the whole-number program is a seam: OR-tools, where it is installed.
"""
