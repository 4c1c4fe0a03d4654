# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance's hardware in detail; keep in step with ``module_utils/_options_hardware.py``.

The suboptions of ``cpu`` and ``networks`` are in ``_instance.py``, as fragments cannot add to another's options.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragments for hardware."""

    DOCUMENTATION = r"""
options:
  numa:
    description:
      - The guest's NUMA cells. Give O(numa.nodes) or O(numa.cells).
      - Each cell lies in one cell of the host, which is chosen from what is free and kept afterwards. Memory never comes
        from another cell.
    type: dict
    suboptions:
      nodes:
        description:
          - Number of cells that share vCPUs and memory evenly.
        type: int
      cells:
        description:
          - The cells one by one. Together they have all vCPUs and all memory of the flavor.
        type: list
        elements: dict
        suboptions:
          vcpus:
            description:
              - The vCPUs of the cell, from 0.
            type: list
            elements: int
            required: true
          memory_mb:
            description:
              - Memory of the cell in MiB.
            type: int
            required: true
  cpu_policy:
    description:
      - With V(dedicated) each vCPU gets a CPU of the host to itself, on which no other pinned instance runs.
    type: str
    choices: [shared, dedicated]
  cpu_thread_policy:
    description:
      - What dedicated vCPUs make of the threads of a core. V(prefer) uses threads of the same cores where it can,
        V(isolate) leaves the other threads of each core idle, V(require) takes only hosts that have such threads and
        fills them.
    type: str
    choices: [prefer, isolate, require]
  emulator_threads_policy:
    description:
      - With V(isolate) the emulator gets one more CPU of the host, with V(share) it runs on those of the vCPUs.
    type: str
    choices: [share, isolate]
  cpu_limits:
    description:
      - How much of the host's CPUs the instance gets when there is not enough for all.
    type: dict
    suboptions:
      shares:
        description:
          - Weight against others, 2 to 262144.
        type: int
      period:
        description:
          - Microseconds in which O(cpu_limits.quota) is counted, 1000 to 1000000.
        type: int
      quota:
        description:
          - Microseconds that each vCPU may run in a period. V(-1) is no limit.
        type: int
  hugepages:
    description:
      - Size of the memory pages, V(small), V(large), V(any) or a number of KiB or with a unit such as V(2MB).
      - Huge pages are taken from what the host has free in the cells that were chosen.
    type: str
  iothreads:
    description:
      - Number of I/O threads. The root disk uses the first of them, where its bus can.
    type: int
  placement:
    description:
      - Where on its host an instance shall lie that has NUMA cells, CPUs, pages or devices to itself, as P(kilonova.compute.schedule#filter)
        planned it.
      - The host looks at it again. What others have by then, and what is not what the instance declares, is not used; then it lies as it does
        without this option. An instance that is there keeps what it has.
    type: dict
    suboptions:
      cells:
        description:
          - The cells of O(numa), in order. An instance that declares none and has CPUs or pages of its own has one.
        type: list
        elements: dict
        suboptions:
          host_cell:
            description:
              - The NUMA cell of the host.
            type: int
            required: true
          cpus:
            description:
              - The CPUs of the host for its vCPUs, in their order.
            type: list
            elements: int
          page_kb:
            description:
              - Size of its huge pages. If not set, it has ordinary ones.
            type: int
      emulator_cpu:
        description:
          - The CPU of the host that the emulator has to itself.
        type: int
      pci_devices:
        description:
          - Addresses of the host's devices, in the order of O(pci_devices).
        type: list
        elements: str
  secure_boot:
    description:
      - UEFI secure boot, with the keys that the distribution enrolled. It needs O(boot.firmware=efi) and machine type q35.
      - A new instance with UEFI has none if this is not set, and then also boots what nobody signed.
    type: bool
  tpm:
    description:
      - An emulated TPM. The hypervisor needs swtpm.
    type: dict
    suboptions:
      model:
        description:
          - Model. If not set, V(tpm-crb), and V(tpm-tis) for version 1.2.
        type: str
        choices: [tpm-crb, tpm-tis]
      version:
        description:
          - Version. If not set, V(2.0).
        type: str
        choices: ["2.0", "1.2"]
  watchdog:
    description:
      - What happens when the guest stops to feed its watchdog. V(disabled) is no watchdog, and takes away one that is there.
    type: str
    choices: [disabled, reset, poweroff, pause, none]
  sound:
    description:
      - Model of a sound card.
    type: str
    choices: [ich9, ich6, ac97]
  tablet:
    description:
      - Bus of a tablet, with which a graphical console follows the pointer.
    type: str
    choices: [usb, virtio]
  serial_ports:
    description:
      - Number of serial ports, 1 to 4. The first is the console. Those beyond are taken away.
    type: int
  rng_rate:
    description:
      - How much the guest may take of the host's random numbers.
    type: dict
    suboptions:
      bytes:
        description:
          - Bytes per period.
        type: int
        required: true
      period_ms:
        description:
          - Milliseconds. If not set, one second.
        type: int
  disk_io:
    description:
      - How the root disk is read and written. V(native) needs O(disk_cache=none) or O(disk_cache=directsync).
    type: str
    choices: [native, threads, io_uring]
  disk_detect_zeroes:
    description:
      - Whether zeroes that the guest writes are kept as holes.
    type: str
    choices: ["off", "on", unmap]
  disk_queues:
    description:
      - Number of queues of the root disk.
    type: int
  disk_limits:
    description:
      - What the root disk may do per second. V(0) is no limit. A total excludes reads and writes apart.
    type: dict
    suboptions:
      total_bytes_sec: {description: Bytes read and written., type: int}
      read_bytes_sec: {description: Bytes read., type: int}
      write_bytes_sec: {description: Bytes written., type: int}
      total_iops_sec: {description: Requests., type: int}
      read_iops_sec: {description: Requests to read., type: int}
      write_iops_sec: {description: Requests to write., type: int}
      total_bytes_sec_max: {description: Bytes read and written in a burst., type: int}
      read_bytes_sec_max: {description: Bytes read in a burst., type: int}
      write_bytes_sec_max: {description: Bytes written in a burst., type: int}
      total_iops_sec_max: {description: Requests in a burst., type: int}
      read_iops_sec_max: {description: Requests to read in a burst., type: int}
      write_iops_sec_max: {description: Requests to write in a burst., type: int}
  pci_devices:
    description:
      - PCI devices of the host that the instance gets, each by its address or so many of one product, taken from those
        that no instance has, in the NUMA cells of the instance where possible.
      - What an instance was given it keeps, as long as that is what is declared.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - PCI address such as V(0000:3b:00.1).
        type: str
      vendor_id:
        description:
          - Vendor, four hexadecimal digits.
        type: str
      product_id:
        description:
          - Product, four hexadecimal digits.
        type: str
      count:
        description:
          - How many. If not set, one.
        type: int
  mdevs:
    description:
      - UUIDs of mediated devices (vGPU) of the host that the instance gets.
    type: list
    elements: str
  shares:
    description:
      - Directories of the host that the guest mounts with virtiofs. They are not created and not removed.
    type: list
    elements: dict
    suboptions:
      source:
        description:
          - Directory on the hypervisor.
        type: path
        required: true
      target:
        description:
          - Tag under which the guest mounts it, at most 36 bytes.
        type: str
        required: true
      readonly:
        description:
          - Whether the guest may only read.
        type: bool
  sev:
    description:
      - Memory encrypted by an AMD processor.
    type: dict
    suboptions:
      policy:
        description:
          - Policy of the guest, a bit mask.
        type: int
        required: true
      cbitpos:
        description:
          - Position of the C-bit. If not set, the host's.
        type: int
      reduced_phys_bits:
        description:
          - Physical address bits lost. If not set, the host's.
        type: int
      kernel_hashes:
        description:
          - Whether the hashes of kernel and initrd are measured.
        type: bool
"""
