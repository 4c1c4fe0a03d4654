# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""How hypothesis runs: a machine that is slow by spells is no fault of a property.

Every run tries the same examples, so that what fails was broken by the change at hand, and only as many as a run of all
tests has the time for. To look for others: ``pytest --hypothesis-profile search``.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", _PATIENT, max_examples=300)
settings.register_profile("patient", _PATIENT, derandomize=True, max_examples=25)
if settings.get_current_profile_name() == "default":
    settings.load_profile("patient")
