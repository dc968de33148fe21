"""A test machine that is set up: it boots from its own disk by its own GRUB, has an IOMMU and spare cards, and keeps
what is written to its disk from one boot to the next.

    image = get_setup_image("bookworm", debs, progress)
    disk = new_disk(image, directory)
    with SetupMachine(image, disk, files=...) as machine:
        ...
"""

import os
import shutil
import subprocess
from pathlib import Path

from image import BUILD, IMAGE_SPACE, Image, building, base_key, digest, drop_old, get_base, newest, one_builder, \
    require_root, require_space, require_tools, run_logged, unpacked
from vm import Machine

MORE_PACKAGES = ("grub-pc", "ovmf")
START = 1 << 20  # where the partition begins
SIZE_MB = 4096
# Main picture first: it is the boot VGA. The spare card has ids of its own, its twin those of the main one.
SPARE, TWIN = "cirrus-vga", "bochs-display"
# no_timer_check: a busy machine outside fails the kernel's test of the timer, and with interrupt remapping, which vfio
# needs, it then panics.
GRUB = """\
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="console=ttyS0 net.ifnames=0 mitigations=off apparmor=1 security=apparmor panic=-1 no_timer_check \
intel_iommu=off vmtest vmlog"
GRUB_TERMINAL=console
GRUB_DISABLE_OS_PROBER=true
"""
# The initramfs as well: one made outside has not what one made here has.
INSTALL = "grub-install --target=i386-pc /dev/vda && update-grub && update-initramfs -u -k all && sync"


def get_setup_image(suite, debs, progress):
    require_tools()
    require_root()
    key = digest(base_key(suite), Path(__file__), *MORE_PACKAGES, *(Path(deb) for deb in debs))
    directory = BUILD / f"setup-{suite}-{key}"
    if not directory.exists():
        with one_builder():
            base = get_base(suite, progress, "setup-base", MORE_PACKAGES)
            if not directory.exists():
                require_space(IMAGE_SPACE)
                with building(directory) as partial:
                    build(suite, base, debs, partial, progress)
        drop_old(f"setup-{suite}-*", keep=2)
    os.utime(directory)
    return image_of(suite, directory)


def image_of(suite, directory):
    return Image(directory / "disk.img", directory / "vmlinuz", directory / "initrd.img", suite)


def build(suite, base, debs, directory, progress):
    with unpacked(base, debs, directory, progress) as root:
        Path(root, "etc/default/grub").write_text(GRUB)
        shutil.copy(newest(Path(root, "boot"), "vmlinuz-*"), directory / "vmlinuz")
        shutil.copy(newest(Path(root, "boot"), "initrd.img-*"), directory / "initrd.img")
        progress("making the disk")
        make_disk(root, directory / "disk.img", directory / "log")
    progress("installing GRUB")
    image = image_of(suite, directory)
    with InstallMachine(image, image.disk) as machine:
        machine.wait_until_up()
        said = []
        if machine.run(["sh", "-c", INSTALL], output=said.append) != 0:
            raise RuntimeError("GRUB could not be installed: " + "".join(said))
        power_off(machine)


def make_disk(root, disk, log):
    failure = "the disk image could not be made"
    with open(disk, "wb") as file:
        file.truncate(SIZE_MB << 20)
    subprocess.run(["sfdisk", "--quiet", disk], input="label: dos\nstart=2048, type=83, bootable\n", text=True, check=True)
    run_logged(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "vfio-host", "-d", root, "-E", f"offset={START}", disk,
                f"{SIZE_MB - 1}M"], log, failure)


def new_disk(image, directory):
    """An overlay that outlives one boot."""
    disk = Path(directory) / "setup.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image.disk, disk], check=True)
    return disk


def power_off(machine):
    machine.run(["sh", "-c", "sync; systemctl --no-block poweroff"])
    machine.wait_until_off()


class KeptDisk(Machine):
    def __init__(self, image, disk, **options):
        super().__init__(image, **options)
        self._disk = disk

    def _make_disk(self):
        return self._disk


class InstallMachine(KeptDisk):
    """The first boot, which must have its kernel from outside, and writes to the image itself."""

    def __init__(self, image, disk):
        super().__init__(image, disk, files={"tests/vm": Path(__file__).resolve().parents[1]})

    def _boot_options(self):
        options = super()._boot_options()
        return [option.replace("root=LABEL=vfio-host", "root=/dev/vda1") for option in options]


class SetupMachine(KeptDisk):
    def _boot_options(self):
        return ["-machine", "q35,kernel-irqchip=off", "-device", "intel-iommu"]

    def __init__(self, image, disk, **options):
        more = ["-cpu", "max,vendor=GenuineIntel", "-device", f"{SPARE},id=spare", "-device", f"{TWIN},id=twin"]
        super().__init__(image, disk, qemu_args=more, memory=3072, **options)
