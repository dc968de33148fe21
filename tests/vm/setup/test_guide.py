"""The guide, executed for real: what "vfioctl setup" plans, applies, checks and takes back on a host that boots by GRUB.

Each class is one boot of the machine; guide.py reboots it in between. The disk keeps what one has left for the next.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

import libvirtd
from domain import Domain
from service import Service

UUID = "7f3c1b9a-5a1e-4b0e-9d5c-5e7d1c0a6b11"  # a later boot defines the same domain again
GPU, IDS, OWN_DRIVER = "0000:00:06.0", "1013:00b8", "cirrus"
TWIN = "0000:00:07.0"
STATE = Path("/var/lib/vm-guide.json")
STORE = "/var/lib/vfio-inputd/setup"
APPLY = ("setup", "apply", "--yes", f"--gpu={GPU}", "--bind=ids", "--iommu-pt", "--domain=win",
         # All of QEMU's cards say that a screen is plugged in.
         "--accept-risk=display-gpu")
# Emulated: there is no KVM, and no screen that could be missed. The rest of the checks is the machine's.
NOT_HERE = {"kvm.device", "gpu.boot-vga"}
LEFT_OUT = ("/boot/grub/grubenv", "/etc/apparmor.d/libvirt", "/var/lib/libvirt/qemu", "/var/lib/libvirt/images",
            "/etc/mtab", "/etc/.pwd.lock")


def listing():
    """Every file that setting up could touch: its content, mode and owner. Images of initramfs: what is in them."""
    found = {}
    for top in ("/etc", "/boot", "/var/lib/libvirt"):
        for folder, folders, names in os.walk(top):
            folders[:] = [f for f in folders if os.path.join(folder, f) not in LEFT_OUT]
            for path in (os.path.join(folder, name) for name in names + folders):
                if path not in LEFT_OUT:
                    found[path] = describe(path)
    return found


def describe(path):
    info = os.lstat(path)
    if os.path.islink(path):
        content = os.readlink(path)
    elif "initrd.img" in path:
        content = hashlib.sha256(subprocess.check_output(["lsinitramfs", path])).hexdigest()
    elif os.path.isfile(path):
        content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    else:
        content = ""
    return [f"{info.st_mode:o}", info.st_uid, info.st_gid, content]


def differences(before, now):
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def driver(address):
    link = Path(f"/sys/bus/pci/devices/{address}/driver")
    return link.resolve().name if link.exists() else None


def run(*words, status=0):
    done = subprocess.run(["vfioctl", *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == status, f"vfioctl {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def doctor():
    checks = json.loads(subprocess.run(["vfioctl", "doctor", f"--gpu={GPU}", "--json"], capture_output=True, text=True,
                                       check=False).stdout)["checks"]
    return {check["id"]: check for check in checks}


def definition():
    with libvirtd.connection() as connected:
        return connected.lookupByName("win").XMLDesc(2 | 1)  # inactive, secure


@contextlib.contextmanager
def hook(command):
    """update-initramfs does this as well, when it is run for what setting up has written."""
    path = Path("/etc/initramfs-tools/hooks/of-the-test")
    path.write_text("#!/bin/sh\n[ \"$1\" = prereqs ] && exit 0\n"
                    f"grep -q vfio-inputd /etc/initramfs-tools/modules || exit 0\n{command}\n")
    path.chmod(0o755)
    try:
        yield
    finally:
        path.unlink()


def wait_until_unlocked():
    """Until setting up, and all that it has started, has ended."""
    store = os.open(STORE, os.O_RDONLY)
    fcntl.flock(store, fcntl.LOCK_EX)
    os.close(store)


class TestFresh:
    def test_the_doctor_names_what_is_missing(self):
        checks = doctor()
        assert checks["iommu.firmware"]["status"] == "ok"
        assert checks["iommu.enabled"]["status"] == "fail"
        assert checks["bootloader.known"]["status"] == checks["initramfs.known"]["status"] == "ok"
        assert not list(Path("/sys/kernel/iommu_groups").iterdir())
        assert driver(GPU) == OWN_DRIVER

    def test_a_plan_changes_nothing(self, libvirt):
        domain = Domain("win", uuid=UUID)
        before = listing()
        run("setup", "plan", *APPLY[2:])
        assert differences(before, listing()) == []
        STATE.write_text(json.dumps({"files": before, "domain": definition()}))
        assert domain

    def test_a_gate_is_closed(self):
        before = listing()
        done = run(*(word for word in APPLY if not word.startswith("--accept-risk")), status=4)
        assert "display-gpu" in done.stderr
        assert differences(before, listing()) == []

    def test_ids_would_take_the_twin_too(self):
        done = run("setup", "apply", "--yes", f"--gpu={TWIN}", "--bind=ids", "--accept-risk=display-gpu", status=4)
        assert "twin-ids" in done.stderr and "0000:00:04.0" in done.stderr

    @pytest.mark.long
    def test_killed_while_the_initramfs_is_built(self):
        before = json.loads(STATE.read_text())["files"]
        gate = Path("/run/gate")
        os.mkfifo(gate)
        with hook(f"cat {gate}"), subprocess.Popen(["vfioctl", *APPLY], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL) as apply:
            with gate.open("wb"):  # as soon as the hook reads
                assert "is at work" in run(*APPLY, status=4).stderr
                apply.kill()
                apply.wait()
                assert "is at work" in run("setup", "undo", "--yes", status=4).stderr, "update-initramfs still goes on"
            wait_until_unlocked()
        assert "setup undo" in run(*APPLY, status=4).stderr
        run("setup", "undo", "--yes")
        assert differences(before, listing()) == []

    @pytest.mark.long
    def test_a_rebuild_that_fails_leaves_everything_as_before(self):
        before = json.loads(STATE.read_text())["files"]
        with hook("echo this hook is broken >&2; exit 1"):
            done = run(*APPLY, status=1)
        assert "this hook is broken" in done.stderr and "Everything is as before" in done.stderr
        assert differences(before, listing()) == []

    def test_applied(self):
        started = time.monotonic()
        done = run(*APPLY)
        print(f"apply took {time.monotonic() - started:.0f} s")
        assert "Reboot" in done.stdout
        assert "was not rebooted" in run("setup", "check", status=3).stdout
        assert "Nothing to do" in run(*APPLY).stdout


class TestApplied:
    def test_the_kernel_and_the_drivers_are_as_planned(self):
        words = Path("/proc/cmdline").read_text().split()
        assert "BOOT_IMAGE" in words[0] and "intel_iommu=on" in words and "iommu=pt" in words
        assert driver(GPU) == "vfio-pci"
        assert driver(TWIN) != "vfio-pci" and driver("0000:00:04.0") != "vfio-pci"
        known = subprocess.run(["modprobe", "--showconfig"], capture_output=True, text=True, check=True).stdout
        known = known.replace("_", "-").splitlines()
        assert f"options vfio-pci ids={IDS}" in known and f"softdep {OWN_DRIVER} pre: vfio-pci" in known

    def test_check_and_doctor_pass(self, libvirt):
        run("setup", "check")
        bad = {id: check["message"] for id, check in doctor().items() if check["status"] == "fail" and id not in NOT_HERE}
        assert bad == {}

    def test_both_ctrl_keys_switch_to_the_domain_with_the_card(self, hw, libvirt):
        kept = definition()
        domain = Domain("win", uuid=UUID)  # listens to the guest, and defines it without our changes
        with libvirtd.connection() as connected:
            connected.defineXML(kept)
        domain.start()
        assert "0x06" in kept and "vfio-inputd-win-event-kbd" in kept
        service = Service()
        service.wait_guest("win", state="ready", route="static")
        hw.chord("ctrl", "ctrl_r")
        service.wait_active("win")
        domain.take_all()
        hw.tap("a")
        domain.expect(("KEY_A", 1), ("KEY_A", 0))
        hw.chord("ctrl", "ctrl_r")
        service.wait_active("host")
        domain.destroy()

    def test_undone(self):
        run("setup", "undo", "--yes")
        state = json.loads(STATE.read_text())
        assert differences(state["files"], listing()) == []
        assert definition() == state["domain"]


class TestUndone:
    def test_the_card_is_back_at_its_driver(self):
        assert driver(GPU) == OWN_DRIVER
        assert "intel_iommu=on" not in Path("/proc/cmdline").read_text()
        assert "Nothing was applied" in run("setup", "check").stdout

    @pytest.mark.long
    def test_by_address_one_of_two_twins_is_taken(self):
        run("setup", "apply", "--yes", f"--gpu={TWIN}", "--bind=address", "--accept-risk=display-gpu")


@pytest.mark.long
class TestTwins:
    def test_only_that_one_is_bound(self):
        assert driver(TWIN) == "vfio-pci"
        assert driver("0000:00:04.0") == "bochs-drm"
        run("setup", "check")

    def test_undone(self):
        run("setup", "undo", "--yes")
        assert differences(json.loads(STATE.read_text())["files"], listing()) == []


@pytest.mark.long
class TestFull:
    """A disk on which nothing more fits, and a /boot that cannot be written."""

    def test_full_disk(self):
        before = json.loads(STATE.read_text())["files"]
        Path(STORE).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "small", STORE], check=True)
        try:
            done = run(*APPLY, status=1)
        finally:
            subprocess.run(["umount", STORE], check=True)
        assert "No space left" in done.stderr
        assert differences(before, listing()) == []

    def test_boot_that_is_read_only(self):
        before = json.loads(STATE.read_text())["files"]
        subprocess.run(["mount", "--bind", "/boot", "/boot"], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", "/boot"], check=True)
        try:
            done = subprocess.run(["vfioctl", *APPLY], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        finally:
            subprocess.run(["umount", "/boot"], check=True)
        assert done.returncode == 5 and "update-grub" in done.stderr, done.stderr
        run("setup", "undo", "--yes")
        assert differences(before, listing()) == []
