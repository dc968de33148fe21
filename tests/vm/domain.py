"""A nested guest under libvirt, confined as libvirt confines any: own user, own /dev, AppArmor, device group.

    with Domain("win") as domain:
        domain.start()
        domain.expect(("KEY_A", 1), ("KEY_A", 0))

It runs the boot sector of guest/, which says what it received (receiver.py) and
which, like an operating system, switches the machine off when the power button
of `virsh shutdown` is pressed. Its XML has nothing of ours but what a test asks for.
"""

import contextlib
import json

import shutil
import socket
import subprocess
import threading
from pathlib import Path

import libvirt
import libvirt_qemu

import libvirtd
from nodes import wait_for
from receiver import BOOT_SECTOR, Receiver

IMAGES = Path("/var/lib/libvirt/images")
RUN = Path("/run/libvirt/qemu")
METADATA_URI = "urn:vfio-inputd:guest:1"

XML = """
<domain type='qemu'>
  <name>{name}</name>
  {uuid}
  <metadata>{metadata}</metadata>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type>{boot}</os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <serial type='unix'>
      <source mode='connect' path='{directory}/console.sock'/>
      <target type='isa-debug' port='0'><model name='isa-debugcon'/></target>
      <address type='isa' iobase='0xe9'/>
    </serial>
    <memballoon model='none'/>
    {devices}
  </devices>
</domain>
"""
FLOPPY = """
<disk type='file' device='floppy'>
  <driver name='qemu' type='raw'/>
  <source file='{image}'/>
  <target dev='fda' bus='fdc'/>
  <readonly/>
</disk>
"""
EVDEV = "<input type='evdev'><source dev='{node}'{all}/></input>"
HOSTDEV = """
<hostdev mode='subsystem' type='pci' managed='yes'>
  <source><address domain='0' bus='0' slot='1' function='0'/></source>
</hostdev>
"""


def evdev_inputs(guest):
    """The <input> elements that name the guest's nodes, as vfio-guestd(8) has them."""
    node = f"/dev/input/by-id/vfio-inputd-{guest}-event-"
    grab = " grab='all' grabToggle='meta-meta' repeat='on'"
    return EVDEV.format(node=node + "kbd", all=grab) + EVDEV.format(node=node + "mouse", all="")


class Domain(Receiver):
    MEMORY = 16

    def __init__(self, name="win", uuid=None, machine="pc", metadata=None, devices="", persistent=True):
        """`metadata`: attributes of our element, without which there is none. `devices`: more XML."""
        super().__init__()
        self.name = name
        self.connected = threading.Event()
        self.directory = IMAGES / name
        self.persistent = persistent
        self._prepare()
        self._definition = XML.format(
            name=name, uuid=f"<uuid>{uuid}</uuid>" if uuid else "", machine=machine, directory=self.directory,
            metadata="" if metadata is None else our_element(metadata), memory=self.MEMORY, boot=self._boot(),
            devices=self._devices() + devices)
        if persistent:
            with libvirtd.connection() as connected:
                connected.defineXML(self._definition)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    # What happens to it

    def start(self, timeout=180):
        """Returns when the guest listens to its keyboard, or goes on where it was saved."""
        self.ready.clear()
        self.connected.clear()
        if self.persistent:
            with self._libvirt() as domain:
                saved = domain.hasManagedSaveImage()
                domain.create()
        else:
            saved = False
            with libvirtd.connection() as connected:
                connected.createXML(self._definition)
        up = self.connected if saved else self.ready
        assert up.wait(timeout), f"the guest of {self.name} is not up in {timeout} s: {self.log()}"

    def destroy(self):
        """Pull the plug."""
        with self._libvirt() as domain:
            domain.destroy()
        self.wait_off()

    def shutdown(self):
        """Press the power button."""
        with self._libvirt() as domain:
            domain.shutdown()
        self.wait_off()

    def wait_off(self, timeout=60):
        """Wait until its QEMU has ended and libvirt has tidied up."""
        self.wait_ended(timeout)
        wait_for(lambda: not self.is_active(), timeout, what=f"the end of {self.name}")

    def suspend(self):
        with self._libvirt() as domain:
            domain.suspend()

    def resume(self):
        with self._libvirt() as domain:
            domain.resume()

    def managedsave(self):
        """Save it to disk; the next start goes on from there."""
        with self._libvirt() as domain:
            domain.managedSave()
        self.wait_off()

    def reboot(self):
        """The reset button."""
        self.ready.clear()
        with self._libvirt() as domain:
            domain.reset()
        assert self.ready.wait(120)

    def insert_floppy(self, image):
        """Another medium, for which libvirt writes the profile anew."""
        with self._libvirt() as domain:
            domain.updateDeviceFlags(FLOPPY.format(image=image), libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def redefine(self, old, new):
        """Replace text in its XML, for the next start."""
        assert old in self._definition
        self._definition = self._definition.replace(old, new)
        with libvirtd.connection() as connected:
            self._definition = connected.defineXML(self._definition).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

    def remove(self):
        """End it, undefine it and leave nothing of it."""
        with contextlib.suppress(libvirt.libvirtError), self._libvirt() as domain:
            domain.destroy()
        with contextlib.suppress(libvirt.libvirtError), self._libvirt() as domain:
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # What is known of it

    @property
    def pid(self):
        return int((RUN / f"{self.name}.pid").read_text())

    @property
    def uuid(self):
        with self._libvirt() as domain:
            return domain.UUIDString()

    @property
    def profile(self):
        """The AppArmor profile that its QEMU really runs under, "libvirt-UUID (enforce)"."""
        return Path(f"/proc/{self.pid}/attr/current").read_text().strip("\0\n")

    def xml(self):
        with self._libvirt() as domain:
            return domain.XMLDesc()

    def is_active(self):
        try:
            with self._libvirt() as domain:
                return bool(domain.isActive())
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
            return False

    def dev(self, path):
        """A path in QEMU's own /dev, seen from here."""
        return Path(f"/proc/{self.pid}/root", str(path).lstrip("/"))

    def qmp(self, command, **arguments):
        """A command to its QEMU, past libvirt."""
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        request = json.dumps({"execute": command, "arguments": arguments})
        with self._libvirt() as domain:
            reply = json.loads(libvirt_qemu.qemuMonitorCommand(domain, request, 0))
        if "error" in reply:
            raise DomainError(reply["error"]["desc"])
        return reply["return"]

    def log(self):
        """What its QEMU wrote."""
        log = Path(f"/var/log/libvirt/qemu/{self.name}.log")
        return log.read_text(errors="replace")[-500:] if log.exists() else ""

    # Inside

    @contextlib.contextmanager
    def _libvirt(self):
        with libvirtd.connection() as connected:
            yield connected.lookupByName(self.name)

    def _boot(self):
        """What it boots from, as XML for <os>."""
        shutil.copyfile(BOOT_SECTOR, self.directory / "boot.img")
        return "<boot dev='fd'/>"

    def _devices(self):
        return FLOPPY.format(image=self.directory / "boot.img")

    def _prepare(self):
        """A directory, and in it a socket to which each QEMU of this domain connects in turn."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(mode=0o755)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.directory / "console.sock"))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                console, _ = self._listener.accept()
            except OSError:
                return
            with console:
                self.connected.set()
                self.follow(console.fileno())


class DomainError(Exception):
    """QEMU refused a command."""


def our_element(attributes):
    text = "".join(f" {name}='{value}'" for name, value in attributes.items())
    return f"<guest xmlns='{METADATA_URI}'{text}/>"


