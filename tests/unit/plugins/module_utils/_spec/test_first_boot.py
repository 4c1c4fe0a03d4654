# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what is declared of a first boot: where it lands in the seed, what is refused, and what changes the digest."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._options_first_boot import first_boot_options
from ansible_collections.kilonova.compute.plugins.module_utils._spec.first_boot import FirstBootSpec, instance_id
from hypothesis import given
from hypothesis import strategies as st

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8v2aDn0oMZ0mmHCt5FIyZOmHUyQ6bWPnG3u4bKPZ1k me@there"
OTHER_KEY = KEY.replace("me@there", "you@there")
HASH = "$6$rounds=5000$saltsalt$" + "a" * 86
MACS = ("52:54:00:00:00:01", "52:54:00:00:00:02")
UUID = "4d1c1b3a-2a64-4a55-9c4f-3c7d54d2f8f1"
SECRET = "the-secret"


def declared(prefix: str = "", **options: t.Any) -> FirstBootSpec:
    """Return a declaration of only these options."""
    spec = FirstBootSpec.from_params({**dict.fromkeys(first_boot_options()), **options}, prefix)
    assert spec is not None
    return spec


def documents(spec: FirstBootSpec) -> dict[str, str]:
    """Return a declaration's documents for the instance of these tests."""
    return spec.documents(UUID, "web-1", MACS)


def test_nothing_declared_is_no_seed() -> None:
    """But an empty declaration is one."""
    assert FirstBootSpec.from_params(dict.fromkeys(first_boot_options())) is None
    assert documents(declared(user_data={})) == {
        "user-data": "",
        "meta-data": f'{{\n "instance-id": "{UUID}",\n "local-hostname": "web-1"\n}}\n',
    }


def test_each_option_has_one_place() -> None:
    """User data stay as they are, whatever else is declared."""
    script = "#!/bin/sh\ntrue\n"
    network = {"version": 2, "ethernets": {"eth0": {"dhcp4": True}}}
    spec = declared(
        user_data=script,
        meta_data={"role": "db", "rack": 3},
        network_config=network,
        ssh_keys=[KEY + "\n"],
        password=HASH,
        hostname="db.example.com",
    )
    found = documents(spec)
    assert list(found) == ["user-data", "meta-data", "vendor-data", "network-config"]
    assert found["user-data"] == script
    assert yaml.safe_load(found["meta-data"]) == {
        "instance-id": UUID,
        "local-hostname": "db.example.com",
        "public-keys": [KEY],
        "role": "db",
        "rack": 3,
    }
    assert found["vendor-data"].startswith("#cloud-config\n")
    assert yaml.safe_load(found["vendor-data"]) == {"password": HASH, "chpasswd": {"expire": False}}
    assert yaml.safe_load(found["network-config"]) == network
    assert spec.host_name("web-1") == "db.example.com"


def test_meta_data_may_say_what_is_ours() -> None:
    """Instance-id, host name and keys are the user's own then."""
    given_data = {"instance-id": "i-1", "local-hostname": "other", "public-keys": {"me": [KEY]}}
    spec = declared(meta_data=given_data)
    assert yaml.safe_load(documents(spec)["meta-data"]) == given_data
    assert spec.host_name("web-1") == "other"


def test_a_nic_is_found_by_its_place() -> None:
    """Its address is derived by the collection, so a user cannot know it; what a user matches is left alone."""
    mine = {"match": {"name": "en*"}, "dhcp4": True}
    network = {"version": "2", "ethernets": {"nic1": {"addresses": ["10.0.0.5/24"]}, "nic0": mine, "lan": {}}}
    found = yaml.safe_load(documents(declared(network_config=network))["network-config"])
    assert found == {
        "version": 2,
        "ethernets": {
            "nic0": mine,
            "nic1": {"addresses": ["10.0.0.5/24"], "match": {"macaddress": MACS[1]}},
            "lan": {},
        },
    }
    with pytest.raises(SpecError, match=r"^Option network_config: it configures nic1, and the instance has 1 NICs;"):
        declared(network_config=network).documents(UUID, "web-1", MACS[:1])


@pytest.mark.parametrize(
    ("options", "option", "problem"),
    [
        ({"user_data": {"password": SECRET}, "password": HASH}, "password", "user_data sets password"),
        ({"user_data": {"chpasswd": {"list": [SECRET]}}, "password": HASH}, "password", "user_data sets chpasswd"),
        ({"user_data": f"#cloud-config\npassword: {SECRET}\n", "password": HASH}, "password", "user_data sets"),
        ({"user_data": [{"content": {"password": SECRET}}], "password": HASH}, "password", "user_data sets"),
        ({"user_data": {"vendor_data": {"enabled": False}}, "password": HASH}, "password", "user_data sets vendor"),
        ({"user_data": {"fqdn": SECRET}, "hostname": "web"}, "hostname", "user_data sets fqdn"),
        ({"user_data": SECRET}, "user_data", "no header"),
        ({"meta_data": {"public-keys": []}, "ssh_keys": [KEY]}, "meta_data", "so does option ssh_keys"),
        ({"meta_data": {"local-hostname": "a"}, "hostname": "a"}, "meta_data", "so does option hostname"),
        ({"meta_data": {"instance-id": 3}}, "meta_data.instance-id", "not a text"),
        ({"meta_data": {"local-hostname": ""}}, "meta_data.local-hostname", "not a text"),
        ({"meta_data": {"local-hostname": "a b"}}, "meta_data.local-hostname", "not a host name"),
        ({"meta_data": {"x": float("nan")}}, "meta_data", "the number nan"),
        ({"network_config": {}}, "network_config", "version is not 2"),
        ({"network_config": {"version": 1, "config": []}}, "network_config", "version is not 2"),
        ({"network_config": {"network": {"version": 2}}}, "network_config", "wrapped in network"),
        ({"network_config": {"version": 2, "ethernets": []}}, "network_config.ethernets", "no dictionary of devices"),
        (
            {"network_config": {"version": 2, "ethernets": {"a": {"addresses": ["10.0.0.5"]}}}},
            "network_config.ethernets.a.addresses[0]",
            "'10.0.0.5' is no address with a prefix",
        ),
        ({"network_config": {"version": 2, "ethernets": {"a": None}}}, "network_config.ethernets", "no dictionary of"),
        ({"ssh_keys": [KEY, SECRET]}, "ssh_keys[1]", "not a public SSH key"),
        ({"password": SECRET}, "password", "not a hashed password; give a SHA-512 hash: mkpasswd"),
        ({"password": ""}, "password", "not a hashed password"),
        ({"password": "$6$salt$short"}, "password", "not a hashed password"),
        ({"password": "$6$salt$" + "a" * 43}, "password", "not a hashed password"),
        ({"password": "$5$salt$" + "a" * 86}, "password", "not a hashed password"),
        ({"password": "$1$salt$" + "a" * 43}, "password", "not a hashed password"),
        ({"password": f"{HASH}\n"}, "password", "not a hashed password"),
        ({"password": "$y$j9T$salt$" + "a" * 43}, "password", "takes a yescrypt hash for a plain password"),
        ({"hostname": ""}, "hostname", "not a host name"),
        ({"hostname": "-web"}, "hostname", "not a host name"),
        ({"hostname": "web..example"}, "hostname", "not a host name"),
        ({"hostname": "a" * 64}, "hostname", "not a host name"),
    ],
)
def test_bad_declarations_are_refused(options: dict[str, t.Any], option: str, problem: str) -> None:
    """The error names the option, also inside of another one's list, and never what may be secret."""
    with pytest.raises(SpecError) as caught:
        declared("instances[2].", **options)
    assert caught.value.message.startswith(f"Option instances[2].{option}: ")
    assert problem in caught.value.message
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("value", [HASH, "$6$s$" + "./9zZ" * 17 + "a", "$5$rounds=1000$0123456789abcdef$" + "b" * 43])
def test_hashes_are_taken(value: str) -> None:
    """SHA-512 and SHA-256, with rounds and without."""
    assert declared(password=value).password == value


def test_nothing_secret_is_shown() -> None:
    """Whoever prints a declaration prints its keys and host name."""
    spec = declared(
        user_data={"token": SECRET},
        meta_data={"token": SECRET},
        network_config={"version": 2, "wifis": {"wl": {"password": SECRET}}},
        password=HASH,
    )
    assert SECRET not in repr(spec)
    assert HASH not in repr(spec)


def test_instance_ids() -> None:
    """Each rebuilding makes another machine of it; nothing else does."""
    ids = [instance_id(UUID, generation) for generation in range(12)]
    assert ids[0] == UUID
    assert len(set(ids)) == len(ids)


def test_the_digest_is_of_what_the_guest_sees() -> None:
    """It does not depend on the instance-id of the moment, and differs from instance to instance."""
    spec = declared(user_data={"b": 1, "a": 2}, ssh_keys=[KEY])
    digest = spec.digest(UUID, "web-1", MACS)
    assert digest == declared(user_data={"a": 2, "b": 1}, ssh_keys=[KEY]).digest(UUID, "web-1", MACS)
    assert digest != spec.digest(UUID.replace("4", "5"), "web-1", MACS)
    assert digest != spec.digest(UUID, "web-2", MACS)
    assert digest == spec.digest(UUID, "web-1", MACS[:1])


def test_the_digest_stays_as_it_is() -> None:
    """It is kept with the instance: another one for the same declaration would look like a change."""
    spec = declared(
        user_data=[{"content": {"a": 1.5}}, {"content": "#!/bin/sh\n"}],
        meta_data={"x": [None, True]},
        network_config={"version": 2, "ethernets": {"nic0": {"dhcp4": True}}},
        ssh_keys=[KEY],
        password=HASH,
    )
    assert spec.digest(UUID, "web-1", MACS) == "f0b21ce3b035a4e3990998e25bf4884584d9074e878a3fa7622d6b8afff4a624"


WORDS = st.text("abcXYZ09-#: ü\n", max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
CLOUD_CONFIGS = st.dictionaries(WORDS.map(lambda word: f"x-{word}"), PLAIN, max_size=3)
CONTENTS = CLOUD_CONFIGS | WORDS.map(lambda word: f"#!/bin/sh\n{word}")
USER_DATA = CONTENTS | st.lists(st.fixed_dictionaries({"content": CONTENTS}), max_size=3)
NETWORKS = st.dictionaries(st.sampled_from(["nic0", "nic1", "eth0"]), CLOUD_CONFIGS, max_size=3).map(
    lambda ethernets: {"version": 2, "ethernets": ethernets}
)
OPTIONS = st.fixed_dictionaries(
    {
        "user_data": st.none() | USER_DATA,
        "meta_data": st.none() | CLOUD_CONFIGS,
        "network_config": st.none() | NETWORKS,
        "ssh_keys": st.none() | st.lists(st.sampled_from([KEY, OTHER_KEY]), max_size=2),
        "password": st.none() | st.sampled_from([HASH, HASH.replace("a", "b")]),
        "hostname": st.none() | st.sampled_from(["web", "web.example.com"]),
    }
).filter(lambda options: any(value is not None for value in options.values()))


@given(OPTIONS, OPTIONS)
def test_the_digest_changes_with_the_content_only(first: dict[str, t.Any], second: dict[str, t.Any]) -> None:
    """Whatever is declared, and in whichever order its keys were written."""
    specs = [declared(**options) for options in (first, second)]
    digests = [spec.digest(UUID, "web-1", MACS) for spec in specs]
    assert (digests[0] == digests[1]) == (documents(specs[0]) == documents(specs[1]))
    turned = json.loads(json.dumps(first, sort_keys=True))
    assert declared(**turned).digest(UUID, "web-1", MACS) == digests[0]


@given(OPTIONS)
def test_any_declaration_is_read_back(options: dict[str, t.Any]) -> None:
    """By the YAML parser that cloud-init uses, where the document is ours."""
    found = documents(declared(**options))
    meta_data = yaml.safe_load(found["meta-data"])
    assert {key: meta_data[key] for key in options["meta_data"] or {}} == (options["meta_data"] or {})
    assert meta_data.get("public-keys", []) == (options["ssh_keys"] or [])
    assert ("network-config" in found) == (options["network_config"] is not None)
    if isinstance(options["user_data"], dict) and options["user_data"]:
        assert yaml.safe_load(found["user-data"]) == options["user_data"]
