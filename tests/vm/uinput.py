"""Devices made with /dev/uinput, plugged in and pulled out at will.

With a place where it is plugged in (phys), which libevdev cannot give, a device
is one of those that vfio-inputd takes for real.
"""

import fcntl
import os
import struct

import libevdev

from nodes import wait_for_node, wait_until_gone

UI_DEV_CREATE, UI_DEV_SETUP, UI_ABS_SETUP, UI_SET_PHYS = 0x5501, 0x405C5503, 0x401C5504, 0x4008556C
UI_SET_EVBIT = 0x40045564
UI_SET_BIT = {libevdev.EV_KEY: 0x40045565, libevdev.EV_REL: 0x40045566, libevdev.EV_ABS: 0x40045567}
BUS_USB = 3

FULL_MOUSE = ("BTN_LEFT", "BTN_RIGHT", "BTN_MIDDLE", "BTN_SIDE", "BTN_EXTRA", "BTN_FORWARD", "BTN_BACK", "BTN_TASK",
              "REL_X", "REL_Y", "REL_WHEEL", "REL_HWHEEL", "REL_WHEEL_HI_RES", "REL_HWHEEL_HI_RES")


class Uinput:
    def __init__(self, name, codes, phys=None):
        self.name = name
        self._fd = os.open("/dev/uinput", os.O_WRONLY)
        codes = [libevdev.evbit(code) for code in codes]
        for type in {code.type for code in codes}:
            fcntl.ioctl(self._fd, UI_SET_EVBIT, type.value)
        for code in codes:
            fcntl.ioctl(self._fd, UI_SET_BIT[code.type], code.value)
            if code.type == libevdev.EV_ABS:
                fcntl.ioctl(self._fd, UI_ABS_SETUP, struct.pack("Hxx6i", code.value, 0, -128, 127, 0, 0, 0))
        if phys:
            fcntl.ioctl(self._fd, UI_SET_PHYS, phys.encode() + b"\0")
        fcntl.ioctl(self._fd, UI_DEV_SETUP, struct.pack("HHHH80sI", BUS_USB, 1, 1, 1, name.encode(), 0))
        fcntl.ioctl(self._fd, UI_DEV_CREATE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unplug()

    def unplug(self):
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def send(self, *events):
        """One frame of (name, value)."""
        for name, value in (*events, ("SYN_REPORT", 0)):
            code = libevdev.evbit(name)
            os.write(self._fd, struct.pack("llHHi", 0, 0, code.type.value, code.value, value))


class Gamepad(Uinput):
    """What nobody but a domain wants; `node` is where it is, until it is pulled out."""

    def __init__(self, name="harness gamepad"):
        super().__init__(name, ("BTN_SOUTH", "BTN_EAST", "ABS_X", "ABS_Y"))
        self.node = wait_for_node(name=name)

    def unplug(self):
        super().unplug()
        wait_until_gone(self.node)
