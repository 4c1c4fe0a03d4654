# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Write what an instance takes into the argument specs of the role fleet, out of the modules' documentation.

python3 tools/role_options.py          writes roles/fleet/meta/argument_specs.yml
python3 tools/role_options.py --check  tells by its exit code whether that would change anything
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SPECS = ROOT / "roles" / "fleet" / "meta" / "argument_specs.yml"
FRAGMENTS = ("_instance", "_hardware", "_first_boot")
THE_ROLES_OWN = (
    *("name", "count", "flavor", "image", "host", "availability_zone", "max_server_per_host"),
    *("traits", "require", "scheduler_hints"),
)
"""These mean more in a fleet, and are written by hand."""
THE_PLANS_OWN = ("placement",)
"""These are nobody's to declare."""
SECRET = ("user_data", "meta_data", "network_config", "password")
_BEGIN = "      fleet_instances:\n"
_INDENT = " " * 10


class _Dumper(yaml.SafeDumper):
    """Indents lists as yamllint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> t.Any:
        """Never write a list at its key's own column."""
        del indentless
        return super().increase_indent(flow, False)


def documented() -> dict[str, t.Any]:
    """Return the options of an instance as the modules document them."""
    options: dict[str, t.Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        # The fragments import each other by the collection's name, wherever this clone lies.
        namespace = Path(folder) / "ansible_collections" / "kilonova"
        namespace.mkdir(parents=True)
        (namespace / "compute").symlink_to(ROOT)
        sys.path.insert(0, folder)
        for name in FRAGMENTS:
            module = importlib.import_module(f"ansible_collections.kilonova.compute.plugins.doc_fragments.{name}")
            options.update(yaml.safe_load(module.ModuleDocFragment.DOCUMENTATION)["options"])
    return options


def for_role(option: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a documented option as an argument spec's."""
    written = {key: value for key, value in option.items() if key != "suboptions"}
    # Argument specs have no markup for options, values and modules.
    written["description"] = [
        re.sub(r"\b[OVMP]\(([^)#]*)(?:#\w+)?\)", r"C(\1)", line) for line in option["description"]
    ]
    if "suboptions" in option:
        written["options"] = {name: for_role(suboption) for name, suboption in option["suboptions"].items()}
    return written


def spliced(text: str) -> str:
    """Return the argument specs ``text`` with the instances' options written anew."""
    begin = text.index("        options:\n", text.index(_BEGIN)) + len("        options:\n")
    end = begin + re.search(r"^ {6}\S", text[begin:], re.MULTILINE).start()  # type: ignore[union-attr]
    present = yaml.safe_load(text[begin:end])
    options = {name: present[name] for name in THE_ROLES_OWN}
    for name, option in documented().items():
        if name not in THE_ROLES_OWN + THE_PLANS_OWN:
            options[name] = {**for_role(option), **({"no_log": True} if name in SECRET else {})}
    written = yaml.dump(options, Dumper=_Dumper, sort_keys=False, width=130, allow_unicode=True)
    return text[:begin] + "".join(f"{_INDENT}{line}\n" for line in written.splitlines()) + text[end:]


def main() -> int:
    """Write or check."""
    before = SPECS.read_text(encoding="utf-8")
    after = spliced(before)
    if sys.argv[1:] == ["--check"]:
        return int(before != after)
    SPECS.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
