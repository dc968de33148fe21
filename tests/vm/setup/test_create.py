"""From nothing to a running domain with the card and our input, by one command and the reboot that it asks for.

Each class is one boot of the machine, as in test_guide.py.

The medium is the boot sector of tests/vm/guest. A boot sector is for a BIOS, which the
plan has to say, and to give the domain; for other media it is UEFI.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

import libvirtd
from nodes import wait_for
from receiver import BOOT_SECTOR
from service import Service
from test_guide import GPU, differences, driver, listing, run

NAME = "fresh"
MEDIUM = Path("/var/lib/libvirt/images/medium.img")
DISK = Path("/var/lib/libvirt/images/disk.img")
FLOPPY_SIZE = 1440 * 1024
LOADED_AT = 0x7c00
CREATE = ("setup", "apply", "--yes", "--no-ask", f"--gpu={GPU}", f"--create={NAME}", f"--medium={MEDIUM}", "--memory=64",
          f"--disk={DISK}", "--accept-risk=display-gpu")


def hmp(command):
    """What the domain's QEMU answers in its monitor's human language."""
    done = subprocess.run(["virsh", "qemu-monitor-command", "--hmp", NAME, command], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def memory(address, length):
    """Bytes of the guest's memory."""
    lines = hmp(f"xp /{length}xb {address:#x}").splitlines()
    return bytes(int(word, 16) for line in lines for word in line.partition(":")[2].split())


def definition():
    with libvirtd.connection() as connected:
        return connected.lookupByName(NAME).XMLDesc()


class TestCreate:
    @pytest.fixture(autouse=True)
    def medium(self, libvirt):
        # It has no address of its own in this machine, and nothing to reach.
        subprocess.run(["virsh", "net-undefine", "default"], capture_output=True)
        shutil.copyfile(BOOT_SECTOR, MEDIUM)
        with open(MEDIUM, "r+b") as image:
            image.truncate(FLOPPY_SIZE)
        with open(DISK, "wb") as image:  # qemu-img, which would make one, is not in this machine
            image.truncate(1 << 30)

    def test_a_plan_creates_nothing(self):
        before = listing()
        plan = run("setup", "plan", *CREATE[3:]).stdout
        assert "BIOS" in plan and "<hostdev" in plan and f"vfio-inputd-{NAME}-event-kbd" in plan
        assert differences(before, listing()) == []

    def test_created(self):
        assert "reboot" in run(*CREATE).stdout.lower()
        assert f"vfio-inputd-{NAME}-event-mouse" in definition()


class TestCreated:
    def test_it_runs_what_is_on_the_medium(self, libvirt):
        run("setup", "check")
        with libvirtd.connection() as connected:
            connected.lookupByName(NAME).create()
        code = BOOT_SECTOR.read_bytes()[:64]
        wait_for(lambda: memory(LOADED_AT, len(code)) == code, 120, what="the boot sector in the guest's memory")

    def test_it_has_the_card(self):
        assert driver(GPU) == "vfio-pci"
        group = (Path("/sys/bus/pci/devices") / GPU / "iommu_group").resolve().name
        pid = Path(f"/run/libvirt/qemu/{NAME}.pid").read_text()
        assert Path(f"/dev/vfio/{group}") in [fd.resolve() for fd in Path(f"/proc/{pid}/fd").iterdir()]

    def test_both_ctrl_keys_switch_to_it(self, hw):
        service = Service()
        service.wait_ready(NAME)
        hw.chord("ctrl", "ctrl_r")
        service.wait_active(NAME)
        hw.chord("ctrl", "ctrl_r")
        service.wait_active("host")

    def test_undone(self, libvirt):
        with libvirtd.connection() as connected:
            connected.lookupByName(NAME).destroy()
        wait_for(lambda: driver(GPU) != "vfio-pci", 60, what="the card at its own driver, as libvirt had it only")
        run("setup", "undo", "--yes")
        with libvirtd.connection() as connected:
            assert NAME not in [domain.name() for domain in connected.listAllDomains()]
        assert DISK.exists(), "it was there before"
