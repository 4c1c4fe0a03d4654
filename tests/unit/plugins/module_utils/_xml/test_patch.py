# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of patches: what they do, what they refuse, and that twice is as good as once."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.patch import PatchSpec
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import read, render
from ansible_collections.kilonova.compute.plugins.module_utils._xml.patch import apply_patches
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.examples import CLASSIC, EXAMPLES
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from lxml import etree

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
TEXT = render(CLASSIC)


def _set(path: str, value: str, attribute: str | None = None) -> PatchSpec:
    return PatchSpec("xml_patch[0]", path, "set", attribute, value)


def _add(path: str, xml: str) -> PatchSpec:
    return PatchSpec("xml_patch[0]", path, "add", xml=xml)


def _remove(path: str, attribute: str | None = None) -> PatchSpec:
    return PatchSpec("xml_patch[0]", path, "remove", attribute)


def _patched(*patches: PatchSpec, text: str = TEXT) -> str:
    once = apply_patches(text, patches)
    assert apply_patches(once, patches, [patch.digest() for patch in patches]) == once
    return once


def test_no_patch_changes_nothing() -> None:
    """Not even white space."""
    assert _patched() == TEXT.rstrip("\n")


def test_sets_attributes_and_texts_of_all_that_is_selected() -> None:
    """Relative to the domain or from the root, and only of what is selected."""
    edited = _patched(
        _set("devices/disk[target/@bus='ide']/driver", "directsync", "cache"),
        _set("/domain/vcpu", "7"),
        _set(".", "x", "a"),
    )
    caches = [disk.cache for disk in read(edited).disks]
    assert caches == [None, None, None, "directsync", "directsync"]
    assert read(edited).vcpus == 7
    assert etree.fromstring(edited).get("a") == "x"


def test_adds_an_element_once() -> None:
    """In a namespace as in none; what is there, also with what libvirt adds to it, is not added again."""
    command = f"<qemu:commandline xmlns:qemu='{QEMU}'><qemu:arg value='-newarg'/></qemu:commandline>"
    shmem = "<shmem name='s'>\n  <model type='ivshmem-plain'/>\n</shmem>"
    patches = (_add("/domain", command), _add("devices", shmem))
    edited = _patched(*patches)
    assert len(etree.fromstring(edited).findall(f"{{{QEMU}}}commandline")) == 1
    placed = edited.replace("<model type='ivshmem-plain'", '<model type="ivshmem-plain"')
    placed = placed.replace("</shmem>", "<size unit='M'>4</size><address type='pci' slot='0x09'/></shmem>")
    assert apply_patches(placed, patches).count("<shmem") == 1
    selected = _patched(_set("qemu:commandline/qemu:arg", "-other", "value"), text=edited)
    assert 'value="-other"' in selected


def test_adds_beside_what_only_resembles() -> None:
    """Another attribute, another text, or a part missing makes another element."""
    text = "<domain><name>n</name><a x='1'/><a>t</a><a><b/></a><c/></domain>"
    edited = _patched(_add(".", "<a x='1'><b/><b/></a>"), text=text)
    assert edited == '<domain><name>n</name><a x="1"/><a>t</a><a><b/></a><c/><a x="1"><b/><b/></a></domain>'


def test_removes_elements_and_attributes() -> None:
    """What is around them stays; what was removed before is no error."""
    edited = _patched(_remove("devices/memballoon"), _remove("vcpu", "current"))
    assert "memballoon" not in edited
    assert "current=" not in edited
    assert read(edited).rng == "/dev/urandom"


@pytest.mark.parametrize("patch", [_remove("devices/redirdev"), _set("devices/redirdev", "x", "bus")])
def test_refuses_a_path_that_matches_nothing(patch: PatchSpec) -> None:
    """It is a mistake, unless it is known to have been done."""
    with pytest.raises(SpecError, match=r"^Option xml_patch\[0\]\.path: 'devices/redirdev' matches nothing in the"):
        apply_patches(TEXT, [patch])
    assert apply_patches(TEXT, [patch], [patch.digest()]) == TEXT.rstrip("\n")


def test_refuses_to_add_to_nothing() -> None:
    """Also when it is said to have been done."""
    patch = _add("devices/redirdev", "<a/>")
    with pytest.raises(SpecError, match="matches nothing"):
        apply_patches(TEXT, [patch], [patch.digest()])


@pytest.mark.parametrize(
    ("patch", "problem"),
    [
        (_remove("devices/["), "is no XPath expression that can be evaluated"),
        (_remove("unknown:thing"), "known prefixes are kilonova, qemu, lxc, xen, libosinfo"),
        (_remove("nothing()"), "is no XPath expression that can be evaluated"),
        (_remove("devices/disk/@type"), "selects something else than elements"),
        (_remove("count(devices/disk)"), "selects something else than elements"),
        (_remove("//comment()"), "selects something else than elements"),
        (_set("devices", "text"), "selects an element with others inside"),
        (_set("vcpu", "a\x00"), r"Option xml_patch\[0\]\.value: it holds a control character"),
        (_set("vcpu", "a\x00", "current"), r"Option xml_patch\[0\]\.value: it holds a control character"),
        (_remove("/domain"), "selects the whole definition"),
        (_add("devices", "<a>"), r"Option xml_patch\[0\]\.xml: The XML cannot be read"),
        (_add("devices", "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"), "it has a document type"),
    ],
)
def test_refuses_what_cannot_be_done(patch: PatchSpec, problem: str) -> None:
    """One sentence that names the option."""
    with pytest.raises(SpecError, match=problem):
        apply_patches(
            f"<domain><!-- {0} --><name>n</name><vcpu>1</vcpu><devices><disk type='file'/></devices></domain>", [patch]
        )


@pytest.mark.parametrize(
    "patch",
    [
        _set("name", "other"),
        _set("uuid", "b6c7e0b6-1f8d-4a52-8c3d-0c8c19cf8c01"),
        _add("/domain", "<name>second</name>"),
        _remove("uuid"),
        _remove("metadata"),
        _remove("metadata/kilonova:instance/kilonova:disk"),
        _set("metadata/kilonova:instance/kilonova:fleet", "other", "name"),
        _add("metadata/kilonova:instance", "<thing/>"),
        _add("metadata", "<thing xmlns='https://kilonova.example/xmlns/compute/1'/>"),
        _set("//*", "x", "everything"),
    ],
)
def test_leaves_alone_what_makes_an_instance_ours(patch: PatchSpec) -> None:
    """The name, the UUID and the record: losing them loses the instance."""
    with pytest.raises(SpecError, match="changes the name, the UUID or the record"):
        apply_patches(TEXT, [patch])


@pytest.mark.parametrize(
    "patches",
    [
        (_add("devices", "<shmem name='s'/>"), _set("devices/shmem", "t", "name")),
        (_add("devices", "<shmem name='s'/>"), _remove("devices/shmem")),
        (_set("vcpu", "2"), _set("vcpu", "3")),
    ],
)
def test_refuses_patches_that_undo_each_other(patches: tuple[PatchSpec, ...]) -> None:
    """Every run would change something."""
    with pytest.raises(SpecError, match="applied a second time, after all patches, it would change something again"):
        apply_patches(TEXT, patches)


_PATHS = st.sampled_from(
    (
        "devices/*",
        "devices/disk",
        "devices/disk/driver",
        "features",
        "features/*",
        "os",
        ".",
        "vcpu",
        "cpu/topology",
        "//target",
    )
)
_PATCHES = st.one_of(
    st.builds(_set, _PATHS, st.sampled_from(("a", "b")), st.sampled_from((None, "x", "type"))),
    st.builds(_add, _PATHS, st.sampled_from(("<a/>", "<a x='1'/>", "<acpi/>", "<a><b>t</b></a>"))),
    st.builds(_remove, _PATHS, st.sampled_from((None, "x", "type"))),
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(EXAMPLES)), st.lists(_PATCHES, max_size=4))
def test_twice_is_as_good_as_once(name: str, patches: list[PatchSpec]) -> None:
    """Whatever patches are taken, applied to their own result they change nothing, and the instance stays ours."""
    text = render(EXAMPLES[name])
    done = [patch.digest() for patch in patches]
    try:
        once = apply_patches(text, patches, done)
    except SpecError:
        reject()
    assert apply_patches(once, patches, done) == once
    before, after = read(text), read(once)
    assert (after.name, after.uuid, after.record) == (before.name, before.uuid, before.record)
