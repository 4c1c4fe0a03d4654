# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of an instance; keep in step with ``module_utils/_options.py``.

The same options stand at the top of compute_instance and in every item of compute_fleet's list, so they are written
once, for the former, and moved one level down for the latter.
"""

from __future__ import annotations

import textwrap


def _in_a_list(fragment: str) -> str:
    """Make of a fragment's options the suboptions of compute_fleet's instances."""
    options = fragment.split("options:\n", 1)[1].replace("O(", "O(instances[].")
    return textwrap.indent(options, "    ")


class ModuleDocFragment:
    """Documentation fragments for instances."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - The instance's name, which is also its libvirt domain's name and its host name for cloud-init.
      - Letters, digits, dots, underscores and hyphens; at most 63 characters.
    type: str
    required: true
  image:
    description:
      - Name of an image that M(kilonova.compute.compute_image) published in the same pool. The root disk is made on it.
      - Without an image the root disk is blank.
      - An instance keeps the image it was created from. Another name is refused.
    type: str
  power_state:
    description:
      - Whether the instance runs.
      - With V(stopped) a running guest is asked to power off.
    type: str
    choices: [running, stopped]
    default: running
  disk_bus:
    description:
      - The bus of the root disk. V(ide) needs O(machine_type=pc).
    type: str
    choices: [virtio, scsi, sata, ide]
    default: virtio
  disk_format:
    description:
      - V(qcow2) makes an overlay with the image as its backing file, which takes no time and little room.
      - V(raw) makes a full copy of the image.
    type: str
    choices: [qcow2, raw]
    default: qcow2
  disk_cache:
    description:
      - Cache mode of the root disk. If not set, the hypervisor's default is used.
    type: str
    choices: [none, writeback, writethrough, directsync, unsafe]
  disk_discard:
    description:
      - Whether discard requests of the guest reach the volume.
    type: str
    choices: [unmap, ignore]
  cdroms:
    description:
      - Names of volumes of the pool that are put in as read-only CD-ROMs. They are never deleted, and one that is no
        longer declared stays in its drive. At most 20.
    type: list
    elements: str
    default: []
  networks:
    description:
      - The NICs, in order. Each has exactly one of O(networks[].network), O(networks[].bridge)
        and O(networks[].user).
      - A NIC that is no longer declared stays, also one whose O(networks[].mac) was changed.
    type: list
    elements: dict
    default: []
    suboptions:
      network:
        description:
          - Name of a libvirt network on the host, which must be active.
        type: str
      bridge:
        description:
          - Name of a Linux bridge on the host.
        type: str
      user:
        description:
          - QEMU's user-mode network, which needs no privileges and lets nothing in.
        type: bool
        default: false
      portgroup:
        description:
          - Port group of the network.
        type: str
      mac:
        description:
          - MAC address. If not set, one is derived from the fleet, the instance's name and the NIC's place in the list,
            so that it is the same in every run and on every host.
        type: str
      model:
        description:
          - Model of the NIC.
        type: str
        choices: [virtio, e1000, e1000e, rtl8139]
        default: virtio
  boot:
    description:
      - From what the instance boots.
    type: dict
    suboptions:
      devices:
        description:
          - Boot order.
        type: list
        elements: str
        choices: [hd, cdrom, network]
        default: [hd]
      menu:
        description:
          - Whether the firmware offers a boot menu.
        type: bool
        default: false
      firmware:
        description:
          - V(bios) or V(efi). If not set, BIOS is used where the machine type has it.
        type: str
        choices: [bios, efi]
  graphics:
    description:
      - The graphical console.
    type: dict
    suboptions:
      type:
        description:
          - V(vnc), or V(none) for no graphical console and no video device.
        type: str
        choices: [vnc, none]
        default: vnc
      listen:
        description:
          - Address to listen on. VNC has no password here, so think before you open it.
        type: str
        default: 127.0.0.1
      port:
        description:
          - TCP port, 5900 or above. If not set, libvirt picks a free one at every start.
        type: int
      keymap:
        description:
          - Keyboard layout such as V(de).
        type: str
  console:
    description:
      - The serial console.
    type: dict
    suboptions:
      log:
        description:
          - Whether libvirt keeps what the guest prints on its first serial port in the file C(NAME.console.log) of the
            pool's directory. Pools of block devices have no place for it, there it has no effect.
        type: bool
        default: true
  cpu:
    description:
      - The virtual CPU.
    type: dict
    suboptions:
      mode:
        description:
          - CPU mode. If not set, V(host-model) is used under KVM and the emulator's default otherwise.
        type: str
        choices: [host-model, host-passthrough, maximum, custom]
      model:
        description:
          - CPU model for O(cpu.mode=custom).
        type: str
  features:
    description:
      - Features of the firmware and the chip set.
    type: dict
    suboptions:
      acpi:
        description:
          - ACPI, which a guest needs to power off when asked.
        type: bool
        default: true
      apic:
        description:
          - APIC. It has no effect on other architectures than x86.
        type: bool
        default: true
      pae:
        description:
          - PAE.
        type: bool
  arch:
    description:
      - CPU architecture such as V(x86_64). If not set, the host's own.
    type: str
  machine_type:
    description:
      - Machine type such as V(q35) or V(pc). If not set, V(q35) on x86 and V(virt) on ARM.
      - The exact versioned type is recorded when the instance is created and stays. Another one is refused.
    type: str
  emulator:
    description:
      - Path of the emulator on the host. If not set, libvirt's choice.
    type: path
  clock:
    description:
      - What the hardware clock shows.
    type: str
    choices: [utc, localtime]
    default: utc
  on_poweroff:
    description:
      - What libvirt does when the guest powers off.
    type: str
    choices: [destroy, restart]
    default: destroy
  on_reboot:
    description:
      - What libvirt does when the guest reboots.
    type: str
    choices: [destroy, restart]
    default: restart
  on_crash:
    description:
      - What libvirt does when the guest crashes.
    type: str
    choices: [destroy, restart, preserve, coredump-destroy, coredump-restart]
    default: destroy
  video:
    description:
      - Video device. If not set, V(virtio) where the host has it and V(vga) otherwise; none without graphics.
    type: str
    choices: [virtio, vga, qxl, cirrus, bochs, none]
  rng:
    description:
      - A virtio random number generator fed from the host's C(/dev/urandom).
    type: bool
    default: true
  balloon:
    description:
      - A virtio memory balloon, which also reports the guest's memory use.
    type: bool
    default: true
  guest_agent:
    description:
      - A channel for the QEMU guest agent.
    type: bool
    default: true
  metadata:
    description:
      - Free labels, kept with the instance on its hypervisor.
    type: dict
    default: {}
  protected:
    description:
      - A protected instance is not removed until it is declared unprotected.
    type: bool
    default: false
  flavor:
    description:
      - How much of a host the instance gets.
      - More vCPUs or memory than a running instance was started with take effect at its next boot; a larger disk at once.
        A smaller disk is refused.
    type: dict
    suboptions:
      name:
        description:
          - Name of the flavor.
        type: str
        default: custom
      vcpus:
        description:
          - Number of virtual CPUs.
        type: int
        required: true
      memory_mb:
        description:
          - Memory in MiB.
        type: int
        required: true
      disk_gb:
        description:
          - Root disk in GiB. With V(0) it is as large as the image.
        type: int
        required: true
      extra_specs:
        description:
          - Nova's extra specs. Supported are C(hw:cpu_sockets), C(hw:cpu_cores) and C(hw:cpu_threads).
        type: dict
        default: {}
"""

    LIFECYCLE = r"""
options:
  pool:
    description:
      - Storage pool of the host that holds images and disks.
    type: str
    default: default
  virt_type:
    description:
      - How new instances are run; those that are there keep what they have. V(auto) takes KVM where it really works, which is tried with a tiny guest unless
        a KVM guest runs already, and software emulation (V(qemu)) otherwise.
    type: str
    choices: [auto, kvm, qemu]
    default: auto
  limits:
    description:
      - How much of a host may be promised, in Nova's terms. It is checked again right before an instance is defined, under
        a lock of the machine where the module runs, so that two runs there can't promise the same room.
      - Used plus asked must not exceed (total minus reserved) times ratio, and no instance may exceed the host itself.
    type: dict
    suboptions:
      cpu_allocation_ratio:
        description:
          - Virtual CPUs promised per CPU of the host.
        type: float
        default: 4.0
      ram_allocation_ratio:
        description:
          - Memory promised per memory of the host.
        type: float
        default: 1.0
      disk_allocation_ratio:
        description:
          - Disk promised per capacity of the pool.
        type: float
        default: 1.0
      reserved_host_cpus:
        description:
          - CPUs kept for the host.
        type: int
        default: 0
      reserved_host_memory_mb:
        description:
          - Memory kept for the host, in MiB.
        type: int
        default: 512
      reserved_host_disk_mb:
        description:
          - Disk kept for the host, in MiB.
        type: int
        default: 0
  force:
    description:
      - Whether a guest that did not power off within O(shutdown_timeout) is switched off hard, which may lose data.
    type: bool
    default: false
  shutdown_timeout:
    description:
      - How long a guest may take to power off after it was asked, in seconds. It is asked again every ten seconds.
    type: int
    default: 60
"""

    # Annotated, since linters that look at a fragment's text take every plain assignment for a literal.
    FLEET: str = """
options:
  instances:
    description:
      - The instances this host shall have, of this fleet.
      - With O(state=absent), the instances to remove, by name; without any, all of the fleet are removed.
    type: list
    elements: dict
    default: []
    suboptions:
""" + _in_a_list(DOCUMENTATION)
