# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Traits as OpenStack's os-traits names them, derived from what libvirt calls the features of a CPU. Pure."""

from __future__ import annotations

import re
import typing as t

from .._errors import SpecError

_X86_ARCHS = frozenset({"x86_64", "i686"})
_ARCH_TRAITS = {
    arch: f"HW_ARCH_{arch.upper()}" for arch in ("aarch64", "i686", "ppc64", "ppc64le", "s390", "s390x", "x86_64")
}
_NAME = re.compile("[A-Z][A-Z0-9_]{0,254}")
_X86_FEATURES = {
    "3dnow": "3DNOW",
    "abm": "ABM",
    "aes": "AESNI",
    "avx": "AVX",
    "avx2": "AVX2",
    "avx512-vpopcntdq": "AVX512VPOPCNTDQ",
    "avx512bitalg": "AVX512BITALG",
    "avx512bw": "AVX512BW",
    "avx512cd": "AVX512CD",
    "avx512dq": "AVX512DQ",
    "avx512er": "AVX512ER",
    "avx512f": "AVX512F",
    "avx512ifma": "AVX512IFMA",
    "avx512pf": "AVX512PF",
    "avx512vbmi": "AVX512VBMI",
    "avx512vbmi2": "AVX512VBMI2",
    "avx512vl": "AVX512VL",
    "avx512vnni": "AVX512VNNI",
    "bmi1": "BMI",
    "bmi2": "BMI2",
    "f16c": "F16C",
    "fma": "FMA3",
    "fma4": "FMA4",
    "gfni": "AVX512GFNI",
    "mmx": "MMX",
    "mpx": "MPX",
    "pclmuldq": "CLMUL",
    "pdpe1gb": "PDPE1GB",
    "rtm": "TSX",
    "sgx": "SGX",
    "sha-ni": "SHA",
    "sse": "SSE",
    "sse2": "SSE2",
    "pni": "SSE3",
    "sse4.1": "SSE41",
    "sse4.2": "SSE42",
    "sse4a": "SSE4A",
    "ssse3": "SSSE3",
    "stibp": "STIBP",
    "svm": "SVM",
    "tbm": "TBM",
    "vaes": "AVX512VAES",
    "vmx": "VMX",
    "vpclmulqdq": "AVX512VPCLMULQDQ",
    "xop": "XOP",
}


def derive_traits(arch: str, features: t.Iterable[str]) -> tuple[str, ...]:
    """Return the traits that a CPU of that architecture and with these features has."""
    found = {_ARCH_TRAITS[arch]} if arch in _ARCH_TRAITS else set()
    if arch in _X86_ARCHS:
        found.update(f"HW_CPU_X86_{_X86_FEATURES[name]}" for name in features if name in _X86_FEATURES)
    return tuple(sorted(found))


def check_traits(declared: t.Iterable[str]) -> tuple[str, ...]:
    """Return the user's own traits, or say which is no name for one."""
    traits = tuple(declared)
    for trait in traits:
        if not _NAME.fullmatch(trait):
            raise SpecError(
                "traits", f"{trait!r} is not a trait", "write capitals, digits and underscores such as CUSTOM_SSD"
            )
    return traits
