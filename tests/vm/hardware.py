"""The hardware of the test machine, as handled from outside: its keys, mice and plugs.

This is the outside half of hw.py; tests inside the machine use that one. All
input goes through QEMU's emulated devices and the kernel's own drivers, so
nothing inside can tell it from fingers.

Addressing one keyboard of several. QEMU sends key events to the first keyboard
it finds, and the only routing it has is by display: a keyboard that was created
with display=D gets the events that are sent to device D, and no others. So the
machine has spare displays for no other purpose ("seats", no PCI device among
them but the VGA card it has anyway), and each keyboard that is plugged in takes
one. Events without a seat go to the PS/2 keyboard, the only one without. That is
how two keyboards can be held at the same time.

Addressing one mouse of several. Mice know no displays in QEMU, but one of them
is the current one and can be chosen by its number, before each event.
"""

import threading
import time

from keys import keys_for, qcode
from qmp import QmpError

KEYBOARDS = ("usb-kbd", "virtio-keyboard-pci")
MICE = ("usb-mouse", "virtio-mouse-pci")
BUSES = {"usb": "usb.0"}


class Hardware:
    """Every public method may be asked for by name; see do()."""

    def __init__(self, qmp, seats):
        self._qmp = qmp
        self._free_seats = list(seats)
        self._seat_of = {}
        self._mouse_of = {}
        self._pointing = threading.Lock()

    def do(self, name, arguments):
        if name.startswith("_") or name == "do":
            raise QmpError(f"there is no hardware action {name}")
        return getattr(self, name)(**arguments)

    # Keys

    def key(self, key, down, keyboard=None):
        self._keys([(key, down)], keyboard)

    def type_text(self, text, interval_ms=40, keyboard=None):
        """Type at the speed of a hand: each character takes the interval, half of it held down."""
        due = time.monotonic()
        half = interval_ms / 2000
        for character in text:
            held = keys_for(character)
            self._keys([(key, True) for key in held], keyboard)
            due = pace(due + half)
            self._keys([(key, False) for key in reversed(held)], keyboard)
            due = pace(due + half)

    def _keys(self, changes, keyboard):
        events = [{"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": qcode(key)}}}
                  for key, down in changes]
        seat = {"device": self._seat_of[keyboard]} if keyboard else {}
        self._qmp.execute("input-send-event", events=events, **seat)

    # Mice

    def move(self, dx, dy, mouse=None):
        self._point([{"type": "rel", "data": {"axis": axis, "value": value}}
                     for axis, value in (("x", dx), ("y", dy)) if value], mouse)

    def button(self, button, down, mouse=None):
        self._point([{"type": "btn", "data": {"button": button, "down": down}}], mouse)

    def wheel(self, clicks, horizontal=False, mouse=None):
        """One notch after the other; positive is up, or left."""
        names = ("wheel-left", "wheel-right") if horizontal else ("wheel-up", "wheel-down")
        name = names[0] if clicks > 0 else names[1]
        for _ in range(abs(clicks)):
            for down in (True, False):
                self.button(name, down, mouse)

    def _point(self, events, mouse):
        index = self._mouse_of[mouse] if mouse else self._ps2_mouse()
        with self._pointing:
            if not self._mice()[index]["current"]:
                self._qmp.hmp(f"mouse_set {index}")
            self._qmp.execute("input-send-event", events=events)

    def _mice(self):
        return {mouse["index"]: mouse for mouse in self._qmp.execute("query-mice")}

    def _ps2_mouse(self):
        return next(index for index, mouse in self._mice().items() if "PS/2" in mouse["name"])

    # Plugs

    def plug(self, driver, id, **properties):
        """Plug a device in. Keyboards take a seat; USB devices go to the USB bus by themselves."""
        bus = BUSES.get(driver.partition("-")[0])
        if bus:
            properties = {"bus": bus} | properties
        if driver in KEYBOARDS:
            properties["display"] = self._take_seat(id)
        before = self._mice().keys()
        try:
            self._qmp.execute("device_add", driver=driver, id=id, **properties)
        except QmpError:
            self._leave_seat(id)
            raise
        if driver in MICE:
            self._mouse_of[id] = (self._mice().keys() - before).pop()

    def unplug(self, id):
        """Pull a device out; returns when it is gone."""
        mark = self._qmp.mark()
        self._qmp.execute("device_del", id=id)
        self._qmp.wait_event("DEVICE_DELETED", since=mark, device=id)
        self._mouse_of.pop(id, None)
        self._leave_seat(id)

    def qmp(self, command, arguments={}):
        """Any other command to the machine's own QEMU."""
        return self._qmp.execute_raw({"execute": command, "arguments": arguments})

    def _take_seat(self, id):
        if not self._free_seats:
            raise QmpError(f"no seat is free for the keyboard {id}; unplug one of {', '.join(self._seat_of)}")
        self._seat_of[id] = self._free_seats.pop()
        return self._seat_of[id]

    def _leave_seat(self, id):
        if id in self._seat_of:
            self._free_seats.append(self._seat_of.pop(id))


def pace(due):
    time.sleep(max(0, due - time.monotonic()))
    return due
