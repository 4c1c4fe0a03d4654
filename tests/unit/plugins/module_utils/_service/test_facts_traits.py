# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of traits."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service.facts_traits import check_traits, derive_traits


def test_traits_of_a_cpu() -> None:
    """Libvirt's names of features become OpenStack's; what has no trait is left out."""
    assert derive_traits("x86_64", ["avx2", "sse4.1", "fma", "aes", "xsavec", "pni"]) == (
        "HW_ARCH_X86_64",
        "HW_CPU_X86_AESNI",
        "HW_CPU_X86_AVX2",
        "HW_CPU_X86_FMA3",
        "HW_CPU_X86_SSE3",
        "HW_CPU_X86_SSE41",
    )


def test_other_architectures_have_no_x86_traits() -> None:
    """An ARM CPU has a feature called sha2, too."""
    assert derive_traits("aarch64", ["avx2", "aes"]) == ("HW_ARCH_AARCH64",)
    assert derive_traits("", ["avx2"]) == derive_traits("no-arch", []) == ()


@pytest.mark.parametrize("bad", ["ssd", "CUSTOM SSD", "", "CUSTOM-SSD", "1X"])
def test_what_is_no_trait_is_refused(bad: str) -> None:
    """It is named, with what would be right."""
    with pytest.raises(SpecError, match=r"Option traits: .* is not a trait; write capitals"):
        check_traits(["CUSTOM_SSD", bad])


def test_good_traits_stay() -> None:
    """As they are."""
    assert check_traits(["CUSTOM_SSD", "HW_X"]) == ("CUSTOM_SSD", "HW_X")
