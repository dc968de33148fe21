"""The installed service inside the test machine: configuring it, asking it, waiting for it.

    service.configure('guests = ( { name = "vm"; qmp = "/run/desk/vm.qmp"; } );')
    service.wait_ready("vm")
    service.wait_active("vm")

It is asked as a user would, by vfioctl; host and guest sides are read at the nodes.
"""

import json
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path

from nodes import Node, wait_for, wait_for_node

CONFIG = Path("/etc/vfio-inputd.conf")
GUESTD = "vfio-guestd.service"
UNITS = ("vfio-inputd.service", "vfio-guestd.service")
QMP = Path("/run/desk/vm.qmp")
GUEST = f'guests = ( {{ name = "vm"; qmp = "{QMP}"; }} );\n'
DOMAINS = 'libvirt = { adopt = "all"; };\n'
SUITE = platform.freedesktop_os_release()["VERSION_CODENAME"]
PS2_KEYBOARD = "isa0060/serio0/input0"
PS2_MOUSE = "isa0060/serio1/input0"


def domain_guest(name="win", route="auto", more=""):
    """The configuration for one domain."""
    return f'guests = ( {{ name = "{name}"; route = "{route}"; {more} }} );\n'


def systemctl(*arguments, check=True):
    return subprocess.run(["systemctl", *arguments], check=check, capture_output=True, text=True)


def vfioctl(*arguments, user=None, check=True):
    return subprocess.run(["vfioctl", *arguments], user=user, check=check, capture_output=True, text=True, cwd="/")


class Service:
    def start(self):
        systemctl("reset-failed", *UNITS, check=False)
        systemctl("start", "vfio-inputd.service")

    def configure(self, text, reload=True):
        CONFIG.write_text(text)
        if reload:
            systemctl("reload", "vfio-inputd.service")

    def reset(self, text=GUEST):
        """Running with this configuration, nothing paused, the host active; not restarted if it need not be."""
        self.start()
        if CONFIG.read_text() != text:
            self.configure(text)
        vfioctl("resume")
        vfioctl("switch", "host")
        self.wait_grabbed(PS2_KEYBOARD)
        self.wait_grabbed(PS2_MOUSE)

    def pid(self, unit="vfio-inputd.service"):
        return int(systemctl("show", "--property=MainPID", "--value", unit).stdout)

    def status(self):
        return json.loads(vfioctl("status", "--json").stdout)

    def target(self, name):
        return next((t for t in self.status()["targets"] if t["name"] == name), None)

    def guest(self, name):
        """What vfio-guestd knows of a guest; {} if it does not know it."""
        reply = vfioctl("guests", "--json", check=False)
        guests = json.loads(reply.stdout)["guests"] if reply.returncode == 0 else []
        return next((guest for guest in guests if guest["name"] == name), {})

    def layers(self, name):
        """{layer: state} of a guest."""
        return {layer["name"]: layer["state"] for layer in self.guest(name).get("layers", [])}

    def device(self, phys):
        return next((d for d in self.status()["devices"] if d["phys"] == phys), None)

    def active(self):
        return self.status()["active"]

    def wait(self, condition, what, timeout=15):
        """condition gets the status; a service that is not there yet is no answer."""
        def look():
            reply = vfioctl("status", "--json", check=False)
            return reply.returncode == 0 and condition(json.loads(reply.stdout))

        return wait_for(look, timeout, what=what)

    def wait_active(self, name, timeout=15):
        self.wait(lambda s: s["active"] == name, f"{name} as the active target", timeout)

    def wait_ready(self, name="vm", timeout=60):
        self.wait(lambda s: any(t["name"] == name and t["ready"] for t in s["targets"]), f"{name} ready", timeout)

    def wait_not_ready(self, name="vm", timeout=15):
        self.wait(lambda s: any(t["name"] == name and not t["ready"] for t in s["targets"]),
                  f"{name} not ready", timeout)

    def wait_guest(self, name, timeout=60, **properties):
        """The guest as soon as vfio-guestd says this of it."""
        def look():
            guest = self.guest(name)
            return guest if properties.items() <= guest.items() else None

        return wait_for(look, timeout, what=f"the guest {name} with {properties}")

    def wait_grabbed(self, phys, timeout=15):
        """The bus object of the device, once it is grabbed."""
        self.wait(lambda s: any(d["phys"] == phys and d["grabbed"] for d in s["devices"]), f"grab of {phys}", timeout)
        return self.device(phys)

    def mirror(self, phys):
        """A reader at the host mirror of the device with this phys."""
        node = self.wait_grabbed(phys)["node"]
        return Node(wait_for_node(phys="vfio-inputd/host/" + node.removeprefix("/dev/input/event")))

    def guest_nodes(self, name="vm"):
        """Paths of the guest's keyboard and pointer."""
        self.wait(lambda s: any(t["name"] == name and len(t["nodes"]) == 2 for t in s["targets"]), f"nodes of {name}")
        return self.target(name)["nodes"]

    def lamp(self, phys, which):
        return Lamp(self.device(phys)["node"], which)


class Lamp:
    """A light of a real keyboard, as its driver has it."""

    def __init__(self, node, which):
        device = Path("/sys/class/input", Path(node).name, "device").resolve()
        self._brightness = device / f"{device.name}::{which}" / "brightness"

    def wait(self, value):
        wait_for(lambda: int(self._brightness.read_text()) == value, what=f"{self._brightness} {value}")


def make_guest_directory():
    """Where the guest's user may put a QMP socket."""
    QMP.parent.mkdir(mode=0o755, exist_ok=True)
    shutil.chown(QMP.parent, "desk", "desk")


class Stopwatch:
    """Seconds since it was made; figures are printed for the log of the run."""

    def __init__(self):
        self._start = time.monotonic()

    def seconds(self):
        return time.monotonic() - self._start

    def figure(self, capsys, what):
        seconds = self.seconds()
        with capsys.disabled():
            print(f"\n    figure: {what}: {seconds:.2f} s", end="", flush=True)
        return seconds


def keys_down(path):
    with Node(path) as node:
        return node.keys_down()


def can_open(path, user):
    """Whether an ordinary user can open the node for reading."""
    shell = subprocess.run(["sh", "-c", f"exec 3<{path}"], user=user, group=user, extra_groups=[], cwd="/",
                           stderr=subprocess.DEVNULL)
    return shell.returncode == 0


def signal_unit(unit, signal):
    os.kill(int(systemctl("show", "--property=MainPID", "--value", unit).stdout), signal)
