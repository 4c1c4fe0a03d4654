# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of an instance; keep in step with ``module_utils/_options.py``. More is in ``_hardware.py``.

The same options stand at the top of compute_instance and in every item of compute_fleet's list, so they are written
once, for the former, and moved one level down for the latter.
"""

from __future__ import annotations

import textwrap

from ansible_collections.kilonova.compute.plugins.doc_fragments._first_boot import ModuleDocFragment as FirstBoot
from ansible_collections.kilonova.compute.plugins.doc_fragments._hardware import ModuleDocFragment as Hardware


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
  uuid:
    description:
      - UUID of a new instance. If not set, it is a random one. An instance keeps the UUID that it was created with; another
        one is refused.
    type: str
  flavor:
    description:
      - How much of a host the instance gets. A new instance needs it.
      - vCPUs are added at once as far as O(max_vcpus) goes, memory is added at once as far as O(max_memory_mb) goes and
        taken at once unless some was plugged in, and a larger disk is seen by the guest at once. The rest takes effect at
        the next boot. A smaller disk is refused.
      - Fewer vCPUs always wait for the next boot, because libvirt does not reliably learn that a guest let go of one. QEMU
        7.2 without KVM does not tell it.
      - More memory than the instance booted with is plugged in. The guest has to take that into use. Its guest agent is
        asked to do so; without one, the guest has to do it by itself, now and when it boots again by itself, as
        most distributions do, and Debian with the kernel parameter C(memhp_default_state=online). The result has a warning if
        it does not. At the next power cycle all of it is plain memory.
      - Once some was plugged in, less memory waits for the next boot, since a guest that boots by itself may leave unused
        what was plugged in, and what its balloon driver keeps comes out of the rest. So the driver keeps no more than what
        was plugged in too much, which comes in pieces of 128 MiB, or of 2 GiB for a guest that booted with 62 GiB or more.
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
          - Nova's extra specs, which mean what options of the instance mean. An option that is declared wins.
          - Supported are C(hw:cpu_sockets), C(hw:cpu_cores) and C(hw:cpu_threads) (O(cpu.topology)), C(hw:pmu) (O(cpu.pmu)),
            C(hw:numa_nodes), C(hw:numa_cpus.N) and C(hw:numa_mem.N) (O(numa)), C(hw:cpu_policy), C(hw:cpu_thread_policy),
            C(hw:emulator_threads_policy), C(hw:pci_numa_affinity_policy), C(hw:mem_page_size) (O(hugepages)), C(hw:watchdog_action), C(hw:tpm_model) and
            C(hw:tpm_version), C(hw:serial_port_count), C(os:secure_boot), C(hw_rng:allowed), C(hw_rng:rate_bytes) and
            C(hw_rng:rate_period), C(quota:cpu_shares), C(quota:cpu_period) and C(quota:cpu_quota), C(quota:disk_) with the
            names of O(disk_limits), and for all declared NICs C(hw:vif_multiqueue_enabled) and the C(quota:vif_inbound_) and
            C(quota:vif_outbound_) of C(average), C(peak) and C(burst).
          - C(hw:cpu_policy=mixed) gives the vCPUs that C(hw:cpu_dedicated_mask) names, or all but those after a C(^), a CPU of the host each;
            the others float over the host, as those of an instance without such a policy do. With C(hw:cpu_realtime), which is not
            supported, Nova would take its mask.
          - C(hw:pci_numa_affinity_policy) is about an instance that lies in NUMA cells. With C(required) its O(pci_devices) are attached to
            those very cells, with C(socket) to cells of their sockets, with C(legacy) to those cells or to none that is known, and with
            C(preferred), as without it, to the nearest that are free. Nova does C(legacy) without it.
        type: dict
        default: {}
  max_vcpus:
    description:
      - How many vCPUs the instance can have without being powered off.
      - If not set, a new instance can have four times as many as it begins with, and no more than the host has CPUs, or none
        more where it has a topology, NUMA cells, or CPUs or huge pages of its own.
    type: int
  max_memory_mb:
    description:
      - How much memory in MiB the instance can have without being powered off. It boots with what its flavor promises and
        has room to plug in the rest.
      - If not set, a new instance with 4096 MiB or more can have four times as much as it begins with, and no more than the
        host has or 512 GiB. One with less can have no more than it begins with, because room costs it something. Linux on
        x86 keeps 64 MiB for itself as soon as there may be memory above 4 GiB, which a larger guest does anyway.
      - Memory can't be plugged into an instance with less than 512 MiB, without ACPI, of other machine types than V(q35), V(pc)
        and V(virt), or with NUMA cells, huge pages or locked memory of its own, nor into one that was made with another kind
        of headroom. If this is set, such an instance boots with that much, of which its balloon driver gives back at once
        what its flavor does not promise; so the guest needs that driver.
    type: int
  image:
    description:
      - Name of an image that M(kilonova.compute.compute_image) published in the same pool. The root disk is made on it.
      - Without an image the root disk of a new instance is blank.
      - An instance keeps the image it was created from. Another name is refused.
    type: str
  power_state:
    description:
      - What the instance does. If not set, it is V(running), or stays as it was found if it was adopted.
      - With V(stopped) a running guest is asked to power off. With V(paused) its CPUs stand still. With V(suspended) its
        memory is saved to the host's disk, and it goes on from there at the next start.
    type: str
    choices: [running, stopped, paused, suspended]
  autostart:
    description:
      - Whether libvirt starts the instance when its host boots. A new one is not started unless this is set.
    type: bool
  disk_bus:
    description:
      - The bus of the root disk. V(ide) needs O(machine_type=pc). A new instance has V(virtio) if this is not set.
    type: str
    choices: [virtio, scsi, sata, ide]
  disk_format:
    description:
      - V(qcow2) makes an overlay with the image as its backing file, which takes no time and little room. It is what a
        new instance has if this is not set.
      - V(raw) makes a full copy of the image.
    type: str
    choices: [qcow2, raw]
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
      - Names of volumes of the pool that are put in as read-only CD-ROMs, one drive for each. Another disc in a drive is
        changed at once, and a drive that is no longer declared is emptied at once and gone at the next boot. A new drive
        waits for the next boot. The volumes are never deleted. At most 20.
      - A drive that was added by hand stays with what is in it, unless its disc is declared here, which makes it one of these.
    type: list
    elements: str
  volumes:
    description:
      - More disks, which are plugged in and unplugged while the instance runs.
      - A volume that is no longer declared is unplugged and stays in its pool with its data, also one that was made for the
        instance. A disk that was added by hand stays, unless its volume was declared once.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the volume in its pool. One that is there is attached, and stays when the instance is removed.
          - If not set, it is the instance's name, a hyphen and the O(volumes[].serial). So instances that are declared at once
            by a C(count) have a volume each.
        type: str
      pool:
        description:
          - The volume's pool. If not set, that of the root disk.
        type: str
      size_gb:
        description:
          - If there is no such volume, an empty one of so many GiB is made for the instance, and removed with it. One that is
            there must have that size when it is attached. Later a larger value makes it grow at once, and a smaller one is
            refused.
        type: int
      format:
        description:
          - What the volume holds. If not set, V(qcow2) for a new one in a pool of files, and V(raw) otherwise; one that
            is there is taken as what it is.
          - One that is there is not attached where its content would make the hypervisor read other files than images, as a
            guest can write to a raw disk.
        type: str
        choices: [qcow2, raw]
      bus:
        description:
          - The bus. V(virtio) if not set, and V(sata) can't be plugged in while the instance runs.
        type: str
        choices: [virtio, scsi, sata]
      serial:
        description:
          - The serial number that the guest sees, by which it finds the disk below C(/dev/disk/by-id). If not set, the first
            20 characters of the volume's name.
        type: str
      cache:
        description:
          - Cache mode. If not set, the hypervisor's default is used.
        type: str
        choices: [none, writeback, writethrough, directsync, unsafe]
      discard:
        description:
          - Whether discard requests of the guest reach the volume.
        type: str
        choices: [unmap, ignore]
      readonly:
        description:
          - Whether the guest can only read it.
        type: bool
        default: false
      shareable:
        description:
          - Whether other instances may have the volume too. Without that, a volume that is another's disk is refused.
        type: bool
        default: false
  networks:
    description:
      - The NICs, in order. Each has exactly one of O(networks[].network), O(networks[].bridge)
        and O(networks[].user). They are plugged in and unplugged while the instance runs.
      - A NIC that was declared once and is no longer is unplugged. One that somebody else plugged in stays.
    type: list
    elements: dict
    suboptions:
      network:
        description:
          - Name of a libvirt network on the host, which must be active. Another one takes effect at once where both are on Linux
            bridges, else with the next boot.
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
          - Port group of the network. Another one takes effect at once, also on Open vSwitch.
        type: str
      mac:
        description:
          - MAC address. If not set, one is derived from the fleet, the instance's name and the NIC's place in the list,
            so that it is the same in every run and on every host.
        type: str
      model:
        description:
          - Model of the NIC. A new one is V(virtio) if this is not set.
        type: str
        choices: [virtio, e1000, e1000e, rtl8139]
      link_state:
        description:
          - Whether the cable is plugged in.
        type: str
        choices: [up, down]
      fixed_ip:
        description:
          - The IPv4 address that the NIC shall have. An empty one gives it back; if not set, a NIC keeps what it had, as long as it
            stays in its network.
          - In a network of libvirt's with DHCP for IPv4, the address is kept for the NIC's MAC address, and the network's DNS knows it
            by the instance's name where that begins with a letter and has no dots. It is made before the guest starts, follows the
            declaration, and is given back when the NIC or the instance goes. M(kilonova.compute.compute_network) leaves it alone.
          - With O(networks[].port_security), which is told of the address, the guest is heard only at it, and security groups hold from
            its first packet on. On a bridge, which has no DHCP of libvirt's, this is all it is good for. The guest takes the address
            itself there.
          - A guest that runs gets another address when it asks for one anew, and with port security is not heard before. An address
            that is still leased to another NIC is refused until that lease ends.
        type: str
      security_groups:
        description:
          - Names of the security groups that the NIC is in, see M(kilonova.compute.compute_security_group). What none of them lets in
            stays out. With none of them, nothing is kept out. Another list changes the running guest.
          - The NIC needs a Linux bridge, its own or its network's, and a libvirt that runs as the system's.
        type: list
        elements: str
      port_security:
        description:
          - Whether the guest is kept from posing as another one. It can only send from its own MAC address and its O(networks[].fixed_ip),
            or the one IPv4 address that libvirt has seen it take, and neither answer DHCP requests nor tell routes as an IPv6 router does, nor tag VLANs.
          - If not set, a new NIC has it wherever it can. A guest that routes for others, or has several addresses on one NIC, needs
            V(false).
        type: bool
      queues:
        description:
          - Number of queues, for O(networks[].model=virtio).
        type: int
      mtu:
        description:
          - MTU that the guest is told.
        type: int
      vlan:
        description:
          - VLAN tag, where the bridge can. On Open vSwitch another one takes effect at once, and comes before the port group's.
        type: int
      isolated:
        description:
          - Whether the bridge keeps the NIC apart from other isolated ones.
        type: bool
      inbound:
        description:
          - How fast the guest may receive.
        type: dict
        suboptions:
          average: {description: KiB per second. V(0) is no limit., type: int}
          peak: {description: KiB per second in a burst., type: int}
          burst: {description: KiB that may pass at the peak., type: int}
      outbound:
        description:
          - How fast the guest may send.
        type: dict
        suboptions:
          average: {description: KiB per second. V(0) is no limit., type: int}
          peak: {description: KiB per second in a burst., type: int}
          burst: {description: KiB that may pass at the peak., type: int}
  boot:
    description:
      - From what the instance boots.
    type: dict
    suboptions:
      devices:
        description:
          - Boot order. A new instance boots from V(hd) if this is not set.
        type: list
        elements: str
        choices: [hd, cdrom, network]
      menu:
        description:
          - Whether the firmware offers a boot menu.
        type: bool
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
          - V(vnc), V(spice), or V(none) for no graphical console and no video device. A new instance has V(vnc) if this is not set.
            One of a kind that the hypervisor does not have is refused. Another kind waits for the next boot.
        type: str
        choices: [vnc, spice, none]
      listen:
        description:
          - Address to listen on; 127.0.0.1 if not set. It has no password here, so think before you open it.
        type: str
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
            pool's directory. It does for a new instance if this is not set. Pools of block devices have no place for it,
            there it has no effect.
        type: bool
  cpu:
    description:
      - The virtual CPU.
    type: dict
    suboptions:
      mode:
        description:
          - CPU mode. If not set, a new instance has V(host-model) under KVM and the emulator's default otherwise.
        type: str
        choices: [host-model, host-passthrough, maximum, custom]
      model:
        description:
          - CPU model for O(cpu.mode=custom).
        type: str
      features:
        description:
          - CPU features by name, each V(force), V(require), V(optional), V(disable) or V(forbid).
          - The features are one value. One that is no longer declared goes. Where no mode is declared and the emulator's default would
            be used, it is V(maximum).
        type: dict
      topology:
        description:
          - How the guest sees its vCPUs. The product of the parts must be the number of vCPUs, and there is no
            room for more. Parts that are not set are V(1).
        type: dict
        suboptions:
          sockets: {description: Sockets., type: int}
          dies: {description: Dies per socket., type: int}
          cores: {description: Cores per die., type: int}
          threads: {description: Threads per core., type: int}
      migratable:
        description:
          - Whether features that prevent a live migration are left out, for O(cpu.mode=host-passthrough) and O(cpu.mode=maximum).
        type: bool
      pmu:
        description:
          - Whether the guest sees performance counters.
        type: bool
  features:
    description:
      - Features of the firmware and the chip set. A new instance has ACPI and APIC if they are not set.
    type: dict
    suboptions:
      acpi:
        description:
          - ACPI, which a guest needs to power off when asked.
        type: bool
      apic:
        description:
          - APIC. It has no effect on other architectures than x86.
        type: bool
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
      - What the hardware clock shows. A new instance has V(utc) if this is not set.
    type: str
    choices: [utc, localtime]
  on_poweroff:
    description:
      - What libvirt does when the guest powers off; V(destroy) for a new instance if this is not set.
    type: str
    choices: [destroy, restart]
  on_reboot:
    description:
      - What libvirt does when the guest reboots; V(restart) for a new instance if this is not set.
      - QEMU can't do V(destroy) together with O(on_poweroff=restart).
    type: str
    choices: [destroy, restart]
  on_crash:
    description:
      - What libvirt does when the guest crashes; V(destroy) for a new instance if this is not set.
    type: str
    choices: [destroy, restart, preserve, coredump-destroy, coredump-restart]
  video:
    description:
      - Video device. If not set, a new instance has V(virtio) where the host has it and V(vga) otherwise, and none without
        graphics.
    type: str
    choices: [virtio, vga, qxl, cirrus, bochs, none]
  rng:
    description:
      - A virtio random number generator fed from the host's C(/dev/urandom). A new instance has one if this is not set.
    type: bool
  balloon:
    description:
      - A virtio memory balloon, which also reports the guest's memory use. A new instance has one if this is not set.
    type: bool
  guest_agent:
    description:
      - A channel for the QEMU guest agent. A new instance has one if this is not set.
    type: bool
  metadata:
    description:
      - Free labels, kept with the instance on its hypervisor.
    type: dict
  protected:
    description:
      - A protected instance is not removed until it is declared unprotected.
    type: bool
  group:
    description:
      - The server group that the instance belongs to. It is written down in the domain, where M(kilonova.compute.compute_facts) finds it;
        P(kilonova.compute.schedule#filter) is what heeds it.
      - If not set, an instance stays in the group that it is in. With an empty text it is in none.
    type: str
  group_policy:
    description:
      - Whether the group's members are kept together on a host, or apart; the soft ones are wishes.
    type: str
    choices:
      - affinity
      - anti-affinity
      - soft-affinity
      - soft-anti-affinity
  xml_patch:
    description:
      - Changes of the domain's XML, made in this order after everything else that is declared, for what no option is there
        for yet. Where one contradicts an option, it wins.
      - They take effect at the next boot. A patch that is no longer declared is not undone.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - XPath expression, from the element C(domain) on, of the elements that are changed, such as
            C(devices/disk[target/@dev='vda']/driver). One that matches nothing is refused. The prefixes C(qemu), C(lxc),
            C(xen) and C(libosinfo) are known.
        type: str
        required: true
      action:
        description:
          - V(set) gives O(xml_patch[].attribute), or the element's text, the value O(xml_patch[].value). V(add) adds
            O(xml_patch[].xml) inside the elements that have no such child yet. V(remove) removes O(xml_patch[].attribute) or
            the elements.
        type: str
        choices: [set, add, remove]
        default: set
      attribute:
        description:
          - Name of an attribute.
        type: str
      value:
        description:
          - What it shall be.
        type: str
      xml:
        description:
          - An element, such as C(<driver iommu='on'/>).
        type: str
  first_boot_change:
    description:
      - What another declaration of the first boot does to an instance that is there; O(user_data), O(meta_data),
        O(network_config), O(ssh_keys), O(password) and O(hostname). In both ways it waits for the next boot, and what a guest
        made of the old declaration is not undone.
      - With V(next_boot), the next boot finds the new declaration but is no first boot; of cloud-init only what it does at
        every boot is done anew. With V(first_boot), the guest gets a new instance-id and cloud-init takes the next boot for the
        first, which for example makes new SSH host keys.
    type: str
    choices: [next_boot, first_boot]
    default: next_boot
  adopt:
    description:
      - Whether a domain of that name which the collection did not create is taken over. Nothing of it changes that is not
        declared, and its disks are never deleted.
    type: bool
    default: false
"""

    LIMITS = r"""
options:
  limits:
    description:
      - How much of a host may be promised, in Nova's terms. It is checked again right before an instance takes room, under
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
"""

    LIFECYCLE = r"""
options:
  pool:
    description:
      - Storage pool of the host that holds images and disks. It is of a type that has a path, such as C(dir). Those of type C(rbd)
        have none. Volumes there are declared with C(volumes), and an instance that has no other disk boots from the first of them.
    type: str
    default: default
  virt_type:
    description:
      - How new instances are run; those that are there keep what they have. V(auto) takes KVM where it really works, which is tried with a tiny guest unless
        a KVM guest runs already, and software emulation (V(qemu)) otherwise.
    type: str
    choices: [auto, kvm, qemu]
    default: auto
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
  allow_power_cycle:
    description:
      - Whether a running guest is asked to power off and started again, where a change can't be made while it runs. Without
        that such changes wait for its next boot.
    type: bool
    default: false
  keep_disks:
    description:
      - Whether the disks that were made for an instance stay in their pool when it is removed.
      - With them stay the firmware's variables and the state of an emulated TPM, since disks may be encrypted with keys that
        are sealed in it. Libvirt finds the former by the instance's name, and the latter by the UUID that the result names.
        So the disks come back to life in an instance of that name with C(flavor.disk_gb=0), without an image, with the kept
        volumes in C(volumes), and with that C(uuid). When it is removed without this option, both go, and the volumes stay.
      - Where libvirt is older than 8.9 and can't keep the state of a TPM, this is refused for an instance that has one.
      - It is refused as well while there are external snapshots, which M(kilonova.compute.compute_snapshot) deletes.
    type: bool
    default: false
  forget:
    description:
      - Whether of an instance that is removed only the definition goes. Its guest is powered off, and nothing in any pool is touched, so that
        this does no harm to the same instance on another host, whose disks these may be. C(protected) does not keep it then.
    type: bool
    default: false
  root_disk:
    description:
      - With V(existing), an instance that is not there is not made anew. Its root disk is the volume of the pool that has its name, as an
        earlier instance of that name left it, which was removed with O(keep_disks) or whose host is lost. It needs the same
        C(image), and C(uuid) where the guest shall take itself for the same machine.
      - B(Never) say so while another host may run a guest on that volume. Nothing here can see that.
      - Data volumes that are there are attached in any case.
    type: str
    choices: [new, existing]
    default: new
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
""" + "".join(_in_a_list(text) for text in (DOCUMENTATION, Hardware.DOCUMENTATION, FirstBoot.DOCUMENTATION))
