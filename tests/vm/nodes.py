"""Evdev nodes inside the test machine: finding, reading and waiting for them.

    keyboard = Node(wait_for_node(name="AT Translated Set 2 keyboard"))
    hw.tap("a")
    keyboard.expect(("KEY_A", 1), ("KEY_A", 0))
"""

import fcntl
import os
import select
import socket
import struct
import time
from pathlib import Path

import libevdev

EV_KEY = 1
KEY_BYTES = 96  # KEY_CNT bits
EVIOCGKEY = 2 << 30 | KEY_BYTES << 16 | ord("E") << 8 | 0x18
NETLINK_KOBJECT_UEVENT = 15
AFTER_UDEV = 2  # multicast group: events that udev's rules are done with
AUTOREPEAT = 2


def wait_for(condition, timeout=30, wake=(), what="the expected state"):
    """Wait until condition() is true, and return what it returned.

    It is looked at again whenever one of the descriptors in `wake` is readable;
    reading them is the condition's business. Without any it is polled.
    """
    deadline = time.monotonic() + timeout
    poll = select.poll()
    for each in wake:
        poll.register(each, select.POLLIN)
    while not (result := condition()):
        left = deadline - time.monotonic()
        assert left > 0, f"{what} did not come in {timeout} s"
        poll.poll(1000 * left if wake else 50)
    return result


def find_nodes(**attributes):
    """Paths of the nodes whose attributes (name, phys, uniq) are these and that udev is done with."""
    def matches(device):
        return all((device / key).read_text().rstrip("\n") == value for key, value in attributes.items())

    found = []
    for event in Path("/sys/class/input").glob("event*"):
        try:
            if matches(event / "device") and Path("/run/udev/data/c" + (event / "dev").read_text().strip()).exists():
                found.append(f"/dev/input/{event.name}")
        except OSError:
            pass  # unplugged while being looked at
    return sorted(found, key=lambda path: int(path.removeprefix("/dev/input/event")))


def wait_for_node(timeout=30, **attributes):
    """The path of the one node with these attributes, as soon as there is one."""
    with UdevEvents() as udev:
        found = wait_for(lambda: udev.drain() or find_nodes(**attributes), timeout, [udev], f"a node with {attributes}")
    assert len(found) == 1, f"{attributes} is ambiguous: {found}"
    return found[0]


def wait_until_gone(path, timeout=30):
    with UdevEvents() as udev:
        wait_for(lambda: udev.drain() or not os.path.exists(path), timeout, [udev], f"the end of {path}")


class UdevEvents(socket.socket):
    """Readable whenever udev has finished with a device."""

    def __init__(self):
        super().__init__(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        self.setblocking(False)
        self.bind((0, AFTER_UDEV))

    def drain(self):
        try:
            while self.recv(1 << 16):
                pass
        except BlockingIOError:
            pass


class Node:
    """A reader of one evdev node. It starts with the events that come after it was opened."""

    def __init__(self, path, grab=False):
        self.path = path
        self._file = open(path, "r+b", buffering=0)
        os.set_blocking(self._file.fileno(), False)
        self.device = libevdev.Device(self._file)
        self._events = []
        if grab:
            self.device.grab()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def fileno(self):
        return self._file.fileno()

    def close(self):
        self._file.close()

    def expect(self, *expected, timeout=30):
        """The next events are exactly these (name, value) pairs; see read() for what counts."""
        wait_for(lambda: self._fill() >= len(expected), timeout, [self],
                 f"{list(expected)} at {self.path}, where {self._events} was read,")
        got, self._events = self._events[:len(expected)], self._events[len(expected):]
        assert got == list(expected), f"{self.path} gave {got}, expected {list(expected)}"

    def read(self):
        """All events that are there, as (name, value): no SYN, no MSC, no autorepeat."""
        self._fill()
        got, self._events = self._events, []
        return got

    def keys_down(self):
        """The keys that the kernel holds for pressed on this device."""
        bits = bytearray(KEY_BYTES)
        fcntl.ioctl(self._file, EVIOCGKEY, bits)
        return {libevdev.evbit(EV_KEY, 8 * at + bit).name
                for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1}

    def wait_repeats(self, key, count, timeout=30):
        """Wait for that many autorepeats of the key; other events are thrown away."""
        seen = 0

        def look():
            nonlocal seen
            seen += sum(event.code.name == key and event.value == AUTOREPEAT for event in self.device.events())
            return seen >= count

        wait_for(look, timeout, [self], f"{count} repeats of {key} at {self.path}")

    def set_led(self, led, value):
        """Switch a light as a desktop does: LED_CAPSL, 0 or 1."""
        for type, code in ((libevdev.EV_LED.value, libevdev.evbit("EV_LED", led).value), (0, 0)):
            os.write(self.fileno(), struct.pack("llHHi", 0, 0, type, code, value if type else 0))

    def _fill(self):
        for event in self.device.events():
            repeated = event.matches(libevdev.EV_KEY) and event.value == AUTOREPEAT
            if not (repeated or event.matches(libevdev.EV_SYN) or event.matches(libevdev.EV_MSC)):
                self._events.append((event.code.name, event.value))
        return len(self._events)
