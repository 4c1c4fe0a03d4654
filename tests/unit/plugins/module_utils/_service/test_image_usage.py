# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for chains of backing files."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.kilonova.compute.plugins.module_utils._service.chains import DomainUse
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_usage import Usage

USAGE = Usage(
    labels={"/p/base": "volume base of pool p", "/p/mid": "volume mid of pool p", "/q/top": "volume top of pool q"},
    backing={"/p/mid": "/p/base", "/q/top": "/p/mid", "/p/loop": "/p/loop"},
    domains=(
        DomainUse("web", frozenset({"/q/top"})),
        DomainUse("plain", frozenset({"/p/other"})),
        DomainUse("far", frozenset({"/elsewhere"}), ("/elsewhere",)),
    ),
)


def test_chains_are_followed_across_pools() -> None:
    """Everything above counts, however far, and the domain at the top."""
    assert USAGE.users("/p/base") == ["volume mid of pool p", "volume top of pool q", "domain web"]
    assert USAGE.users("/q/top") == ["domain web"]
    assert USAGE.users("/p/other") == ["domain plain"]
    assert USAGE.users("/p/unknown") == []


def test_domains_are_found_by_what_they_lie_on_and_by_what_they_name() -> None:
    """Through chains that lead into a pool, and where the pool does not run and nothing of it is known."""
    named = replace(USAGE, domains=(*USAGE.domains, DomainUse("named", frozenset(), pools=frozenset({"p"}))))
    assert named.domains_on({"/p/base", "/p/other"}) == ["domain web", "domain plain"]
    assert named.domains_on(set()) == []
    assert named.domains_naming("p") == ["domain named"]


def test_a_loop_ends() -> None:
    """A volume that claims to lie on itself hangs nothing."""
    assert USAGE.users("/p/loop") == []


def test_unreadable_disks_are_named() -> None:
    """A disk in no pool may lie on anything."""
    assert USAGE.unreadable == ["/elsewhere of domain far"]
    doubtful = replace(USAGE, doubts=("storage pool old, which is not running",))
    spots = ["/elsewhere of domain far, which is in no running pool", "storage pool old, which is not running"]
    assert doubtful.blind_spots == spots
    assert doubtful.possible_users("/p/unknown") == [f"perhaps {spot}" for spot in spots]
    assert doubtful.possible_users("/q/top") == ["domain web"]


def test_names_and_paths() -> None:
    """The same as plain data."""
    assert USAGE.names_on("/p/base") == ["web"]
    assert USAGE.paths_on("/p/base") == ["/p/mid", "/q/top"]


def test_a_domain_claims_what_it_is_defined_to_be_made_from() -> None:
    """Though no disk of it is there yet."""
    claiming = replace(USAGE, domains=(*USAGE.domains, DomainUse("new", frozenset(), claims=frozenset({"sha256:aa"}))))
    assert claiming.claimed_by("sha256:aa") == ["domain new"]
    assert claiming.claimed_by("sha256:bb") == []
