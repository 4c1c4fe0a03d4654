# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Run the module of the same name, and show meanwhile how far it is."""

from __future__ import annotations

from ..plugin_utils._watched_action import WatchedAction


class ActionModule(WatchedAction):
    """What Ansible looks for by this name."""
