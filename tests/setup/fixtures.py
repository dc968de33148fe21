# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines made of files, for "vfioctl setup --root=DIR": one per family of distributions.

What makes a family is what vfioctl looks at: programs that are installed, the files with the kernel's
parameters, the maker of the initramfs. Hardware is the same everywhere: the host's picture on 0000:00:02.0,
a spare card 0000:0a:00.0 with sound, the disk of / on 0000:01:00.0.
"""

import hashlib
import os
import shutil
import stat

GPU = "0000:0a:00.0"
IDS = "10de:1b80,10de:10f0"

RELEASE = "6.1.0-56-amd64"
MODULES_ALIAS = """\
# Aliases extracted from modules themselves.
alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau
alias pci:v*d*sv*sd*bc04sc03i00* snd_hda_intel
alias pci:v00001002d0000164Esv*sd*bc*sc*i* amdgpu
"""


class Root:
    """A folder that is filled file by file."""

    def __init__(self, path):
        self.path = path

    def outside(self, path):
        return os.path.join(self.path, path.lstrip("/"))

    def file(self, path, text="", mode=0o644):
        full = self.outside(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(full, mode)

    def read(self, path):
        with open(self.outside(path), encoding="utf-8") as file:
            return file.read()

    def exists(self, path):
        return os.path.lexists(self.outside(path))

    def link(self, path, target):
        full = self.outside(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        os.symlink(target, full)

    def remove(self, path):
        full = self.outside(path)
        if os.path.isdir(full) and not os.path.islink(full):
            shutil.rmtree(full)
        else:
            os.unlink(full)

    def program(self, name, text="#!/bin/sh\n"):
        self.file(f"/usr/bin/{name}", text, 0o755)

    # --- hardware

    def pci(self, address, behind, cls, vendor, device, driver, group, boot_vga=None):
        folder = f"/sys/devices/pci0000:00{behind}/{address}"
        modalias = (f"pci:v{vendor:08X}d{device:08X}sv00001043sd00008510bc{cls >> 16:02X}"
                    f"sc{cls >> 8 & 0xff:02X}i{cls & 0xff:02X}")
        for name, value in (("class", f"0x{cls:06x}"), ("vendor", f"0x{vendor:04x}"), ("device", f"0x{device:04x}"),
                            ("modalias", modalias)):
            self.file(f"{folder}/{name}", value + "\n")
        if boot_vga is not None:
            self.file(f"{folder}/boot_vga", f"{boot_vga}\n")
        if driver:
            self.link(f"{folder}/driver", f"../../../../bus/pci/drivers/{driver}")
        if group is not None:
            self.link(f"{folder}/iommu_group", f"../../../../kernel/iommu_groups/{group}")
            os.makedirs(self.outside(f"/sys/kernel/iommu_groups/{group}/devices"), exist_ok=True)
        self.link(f"/sys/bus/pci/devices/{address}", f"../../..{folder.removeprefix('/sys')}")

    def hardware(self):
        self.pci("0000:00:01.0", "", 0x060400, 0x1022, 0x1483, "pcieport", 1)
        self.pci("0000:00:02.0", "", 0x030000, 0x1002, 0x164E, "amdgpu", 2, 1)
        self.pci("0000:00:03.0", "", 0x060400, 0x1022, 0x1483, "pcieport", 3)
        self.pci("0000:01:00.0", "/0000:00:01.0", 0x010802, 0x144D, 0xA808, "nvme", 4)
        self.pci(GPU, "/0000:00:03.0", 0x030000, 0x10DE, 0x1B80, "nouveau", 5, 0)
        self.pci("0000:0a:00.1", "/0000:00:03.0", 0x040300, 0x10DE, 0x10F0, "snd_hda_intel", 5)
        self.file("/sys/firmware/acpi/tables/IVRS")
        self.file("/sys/devices/system/cpu/online", "0-3\n")
        for cpu, threads in ((0, "0,2"), (1, "1,3"), (2, "0,2"), (3, "1,3")):
            folder = f"/sys/devices/system/cpu/cpu{cpu}"
            self.file(f"{folder}/topology/thread_siblings_list", threads + "\n")
            self.file(f"{folder}/cache/index3/level", "3\n")
            self.file(f"{folder}/cache/index3/shared_cpu_list", "0-3\n")
        self.file("/proc/cpuinfo", "vendor_id\t: AuthenticAMD\nflags\t\t: fpu svm\n")
        self.file("/proc/cmdline", "root=/dev/nvme0n1p2 ro quiet\n")
        self.file("/proc/sys/kernel/osrelease", RELEASE + "\n")
        self.file("/proc/self/mountinfo", "27 1 259:2 / / rw shared:1 - ext4 /dev/nvme0n1p2 rw\n")
        for name in ("/sys/dev/block/259:2", "/sys/class/block/nvme0n1p2"):
            self.link(name, "../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2")

    def intel_without_iommu(self):
        """The firmware offers it, the kernel does not use it."""
        self.file("/proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\n")
        self.remove("/sys/firmware/acpi/tables/IVRS")
        self.file("/sys/firmware/acpi/tables/DMAR")
        self.remove("/sys/kernel/iommu_groups")
        os.makedirs(self.outside("/sys/kernel/iommu_groups"))

    def kernel(self, built_in=False, release=RELEASE, virqfd=True):
        folder = f"/usr/lib/modules/{release}"
        self.file("/proc/sys/kernel/osrelease", release + "\n")
        vfio = "kernel/drivers/vfio/pci/vfio-pci.ko"
        self.file(f"{folder}/modules.builtin", f"kernel/fs/ext4/ext4.ko\n{vfio if built_in else ''}\n")
        lines = [] if built_in else [f"{vfio}:"]
        if virqfd:
            lines.append("kernel/drivers/vfio/vfio_virqfd.ko:")
        self.file(f"{folder}/modules.dep", "\n".join(lines) + "\n")
        self.file(f"{folder}/modules.alias", MODULES_ALIAS)

    def virtualisation(self):
        self.program("qemu-system-x86_64")
        self.program("libvirtd")
        self.file("/usr/share/qemu/firmware/60-edk2-x86_64.json", "{}\n")
        self.link("/etc/systemd/system/sockets.target.wants/libvirtd.socket", "/usr/lib/systemd/system/libvirtd.socket")
        self.file("/usr/lib/systemd/system/vfio-inputd.service", "[Unit]\n")
        self.link("/etc/systemd/system/multi-user.target.wants/vfio-inputd.service",
                  "/usr/lib/systemd/system/vfio-inputd.service")

    # --- boot loaders and makers of initramfs

    def grub(self, dropins, defaults='GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n'):
        text = 'for x in ${sysconfdir}/default/grub.d/*.cfg ; do\n' if dropins else ". ${sysconfdir}/default/grub\n"
        self.program("grub-mkconfig", "#!/bin/sh\n" + text)
        self.file("/etc/default/grub", defaults)

    def initramfs_tools(self):
        self.program("update-initramfs", "#!/bin/sh\nmkinitramfs -o x\n")
        self.program("mkinitramfs")
        self.file("/etc/initramfs-tools/modules",
                  "# List of modules that you want to include in your initramfs.\n# raid1\n# sd_mod\n")

    def mkinitcpio(self):
        self.program("mkinitcpio", "#!/bin/bash\n_d_config=/etc/mkinitcpio.conf.d\n")
        self.file("/etc/mkinitcpio.d/linux.preset", "ALL_kver=/boot/vmlinuz-linux\n")
        self.file("/etc/mkinitcpio.conf", "MODULES=()\nHOOKS=(base udev modconf block filesystems)\n")


def debian(root):
    root.kernel()
    root.grub(dropins=True)
    root.program("update-grub")
    root.program("apt-get")
    root.initramfs_tools()


def ubuntu_built_in(root):
    """vfio-pci is part of the kernel."""
    root.kernel(built_in=True, release="6.8.0-45-generic", virqfd=False)
    root.grub(dropins=True, defaults="GRUB_CMDLINE_LINUX_DEFAULT='quiet splash'  # as shipped\nGRUB_CMDLINE_LINUX=\n")
    root.program("update-grub")
    root.program("apt-get")
    root.initramfs_tools()


def ubuntu_dracut(root):
    root.kernel(release="6.17.0-5-generic", virqfd=False)
    root.grub(dropins=True)
    root.program("update-grub")
    root.program("apt-get")
    root.program("dracut")
    root.program("update-initramfs", "#!/bin/sh\nexec dracut --force\n")


def fedora(root):
    root.kernel(release="6.11.4-301.fc41.x86_64", virqfd=False)
    root.grub(dropins=False)
    root.program("grubby")
    root.program("dnf")
    root.program("dracut")
    root.file("/boot/loader/entries/1-6.11.4.conf", "title Fedora\noptions root=UUID=1 ro rhgb quiet\n")


def arch_systemd_boot(root):
    root.kernel(release="6.12.1-arch1-1", virqfd=False)
    root.mkinitcpio()
    root.program("pacman")
    root.program("kernel-install")
    root.file("/etc/kernel/cmdline", "root=UUID=1 rw quiet\n")


def arch_grub(root):
    root.kernel(release="6.12.1-arch1-1", virqfd=False)
    root.mkinitcpio()
    root.program("pacman")
    root.grub(dropins=False, defaults='GRUB_CMDLINE_LINUX_DEFAULT="loglevel=3 quiet"\nGRUB_CMDLINE_LINUX=""\n')


def cachyos(root):
    root.kernel(release="6.12.1-2-cachyos", virqfd=False)
    root.mkinitcpio()
    root.program("pacman")
    root.program("limine-mkinitcpio")
    root.file("/etc/default/limine", 'ESP_PATH="/boot"\nKERNEL_CMDLINE[default]+="quiet splash rw"\nBOOT_ORDER="*"\n')


def popos(root):
    root.kernel(release="6.9.3-76060903-generic", virqfd=False)
    root.program("kernelstub")
    root.program("apt-get")
    root.file("/etc/kernelstub/configuration", '{"user": {"kernel_options": ["quiet", "splash"]}}\n')
    root.initramfs_tools()


def opensuse(root):
    root.kernel(release="6.11.5-1-default", virqfd=False)
    root.program("sdbootutil")
    root.program("zypper")
    root.program("dracut")
    root.file("/etc/kernel/cmdline", "root=UUID=1 splash=silent quiet")


def silverblue(root):
    root.kernel(release="6.11.4-301.fc41.x86_64", virqfd=False)
    root.file("/run/ostree-booted")
    root.program("rpm-ostree")
    root.program("dracut")


def nixos(root):
    root.kernel(release="6.6.60", virqfd=False)
    root.file("/etc/NIXOS")
    root.file("/etc/nixos/configuration.nix", "{ }\n")


def unknown(root):
    root.kernel(release="6.6.60", virqfd=False)


FAMILIES = {f.__name__: f for f in (debian, ubuntu_built_in, ubuntu_dracut, fedora, arch_systemd_boot, arch_grub, cachyos,
                                    popos, opensuse, silverblue, nixos, unknown)}


def build(path, family):
    root = Root(path)
    root.link("/lib", "usr/lib")
    root.link("/sbin", "usr/bin")
    root.hardware()
    root.virtualisation()
    FAMILIES[family](root)
    return root


def tree(root):
    """All that can be changed, as text: paths, modes, owners, contents. Not what the kernel shows, nor our own store."""
    found = []
    for top in sorted(set(os.listdir(root.path)) - {"proc", "sys", "var"}):
        for folder, folders, files in os.walk(os.path.join(root.path, top)):
            found += (describe(root, os.path.join(folder, name)) for name in folders + files)
    return sorted(found)


def describe(root, full):
    info = os.lstat(full)
    content = ""
    if stat.S_ISLNK(info.st_mode):
        content = os.readlink(full)
    elif stat.S_ISREG(info.st_mode):
        with open(full, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()[:16]
    return f"/{os.path.relpath(full, root.path)} {info.st_mode:o} {info.st_uid}:{info.st_gid} {content}"
