"""What a nested guest says that it received.

The boot sector in guest/bootsector.S reports each byte of its keyboard controller;
here the bytes become events again, in Linux's terms, so that a test compares like
with like:

    guest.expect(("KEY_A", 1), ("KEY_A", 0))
    guest.expect(Mouse(dx=5), Mouse(buttons={"left"}), Mouse())
"""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import libevdev

BOOT_SECTOR = Path(__file__).resolve().parent / "guest" / "bootsector.bin"
EV_KEY = 1

# Scancode set 1 behind the prefix e0. Without the prefix a key's code is Linux's own.
EXTENDED = {
    0x10: "KEY_PREVIOUSSONG", 0x19: "KEY_NEXTSONG", 0x1c: "KEY_KPENTER", 0x1d: "KEY_RIGHTCTRL", 0x20: "KEY_MUTE",
    0x22: "KEY_PLAYPAUSE", 0x24: "KEY_STOPCD", 0x2e: "KEY_VOLUMEDOWN", 0x30: "KEY_VOLUMEUP", 0x35: "KEY_KPSLASH",
    0x37: "KEY_SYSRQ", 0x38: "KEY_RIGHTALT", 0x47: "KEY_HOME", 0x48: "KEY_UP", 0x49: "KEY_PAGEUP", 0x4b: "KEY_LEFT",
    0x4d: "KEY_RIGHT", 0x4f: "KEY_END", 0x50: "KEY_DOWN", 0x51: "KEY_PAGEDOWN", 0x52: "KEY_INSERT",
    0x53: "KEY_DELETE", 0x5b: "KEY_LEFTMETA", 0x5c: "KEY_RIGHTMETA", 0x5d: "KEY_COMPOSE",
}
SYSRQ_UNMODIFIED = 0x54  # Print with Alt held is a key of its own in set 1
BUTTONS = {"left": 0x01, "right": 0x02, "middle": 0x04}
EXTRA_BUTTONS = {"side": 0x10, "extra": 0x20}


@dataclass(frozen=True)
class Mouse:
    """One packet: movement and wheel since the last, and the buttons that are down now."""
    dx: int = 0
    dy: int = 0
    wheel: int = 0
    buttons: frozenset = field(default_factory=frozenset)

    def __post_init__(self):
        object.__setattr__(self, "buttons", frozenset(self.buttons))


class Receiver:
    """Turns the bytes of a boot sector that runs, and of the next one, into a list of events."""

    def __init__(self):
        self.ready = threading.Event()  # it has said that it listens
        self._changed = threading.Condition()
        self._begin()

    def follow(self, fd):
        """Read to the end, in a thread of its own. What was received before is forgotten."""
        self._begin()
        self._read(fd)
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait_ended(self, timeout=30):
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended, timeout), f"the guest still runs after {timeout} s"

    def expect(self, *expected, timeout=30):
        """The next events are exactly these; events not asked for yet stay for the next call."""
        got = self._take(len(expected), timeout)
        assert got == list(expected), f"the guest received {got}, expected {list(expected)}"

    def take_all(self):
        """What has been received and not yet been asked for."""
        return self._take(len(self.events) - self._next, 0)

    def wait_repeats(self, key, count, timeout=30):
        """Wait until the held key has repeated so often. Repeats are no events: a slow machine has more of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.repeats.get(key, 0) >= count, timeout), self.repeats

    def keys_down(self):
        """The keys that a guest must believe to be held."""
        with self._changed:
            return set(self._down)

    def _begin(self):
        with self._changed:
            self.events = []
            self.repeats = {}
            self._down = set()
            self.ended = False
            self._next = 0
            self._prefix = False
            self._packet = []

    def _take(self, count, timeout):
        with self._changed:
            self._changed.wait_for(lambda: self.ended or len(self.events) >= self._next + count, timeout)
            got = self.events[self._next:self._next + count]
            self._next += len(got)
            return got

    def _read(self, fd):
        data = b""
        while chunk := os.read(fd, 4096):
            data += chunk
            for tag, byte in zip(data[0::2], data[1::2]):
                self._report(chr(tag), byte)
            data = data[len(data) & ~1:]

    def _report(self, tag, byte):
        if tag == "R":
            self.ready.set()
        else:
            event = self._keyboard(byte) if tag == "K" else self._mouse(byte)
            if event:
                self._add(event)

    def _add(self, event):
        key, value = (None, 0) if isinstance(event, Mouse) else event
        with self._changed:
            if value and key in self._down:  # PS/2 repeats by sending the make code again
                self.repeats[key] = self.repeats.get(key, 0) + 1
            else:
                self.events.append(event)
            self._down = self._down | {key} if value else self._down - {key}
            self._changed.notify_all()

    def _keyboard(self, byte):
        if byte == 0xe0:
            self._prefix = True
            return None
        code, value = byte & 0x7f, 0 if byte & 0x80 else 1
        name = EXTENDED.get(code, f"e0 {code:02x}") if self._prefix else key_name(code)
        self._prefix = False
        return name, value

    def _mouse(self, byte):
        self._packet.append(byte)
        if len(self._packet) < 4:
            return None
        flags, x, y, last = self._packet
        self._packet = []
        held = {name for name, bit in BUTTONS.items() if flags & bit}
        held |= {name for name, bit in EXTRA_BUTTONS.items() if last & bit}
        wheel = last & 0x0f
        # PS/2 counts up and the wheel the other way round than Linux.
        return Mouse(dx=x - (flags << 4 & 0x100), dy=(flags << 3 & 0x100) - y,
                     wheel=-(wheel - 16 if wheel & 8 else wheel), buttons=held)


def key_name(code):
    if code == SYSRQ_UNMODIFIED:
        return "KEY_SYSRQ"
    key = libevdev.evbit(EV_KEY, code)
    return key.name if key else f"{code:02x}"
