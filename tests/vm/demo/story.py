#!/usr/bin/env python3
"""The inside of ./demo: presses keys on the machine's hardware and tells what arrives where.

It writes JSON lines, which main.py shows as they come:

    {"doing": "typing ..."}                    what the hands at the hardware do now
    {"active": "host"}                         which side has the devices
    {"received": "guest", "text": "a"}         typed text, or what the mouse did
    {"status": "..."}                          the words of vfioctl status
    {"verdict": "guest", "expected": [...], "arrived": [...]}

Verdicts have every press, release and movement, not only what makes a character.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hw import Hardware  # noqa: E402
from keys import keys_for  # noqa: E402
from receiver import Mouse  # noqa: E402
from service import Service, vfioctl  # noqa: E402
from sides import SIDES, Sides  # noqa: E402
from typed import LINUX, Typed, name  # noqa: E402

KEYSTROKE_MS = 120
FRAME_SECONDS = 0.05
STEP_SECONDS = 30
TARGET = {"host": "host", "guest": "vm"}


class Story:
    def __init__(self, tell):
        self._tell = tell
        self._hw = Hardware()
        self._service = Service()
        self._typed = {side: Typed() for side in SIDES}
        self.expected = {side: [] for side in SIDES}
        self.arrived = {side: [] for side in SIDES}

    def play(self):
        self._tell(doing="starting a guest")
        with Sides(self._arrive) as self._sides:
            self._tell(active="host")
            self._type("host", "Hello from the host, 1 2 3!")
            self._switch("host", "guest")
            self._type("guest", "And this is for the guest.")
            self._use_mouse()
            self._switch("guest", "host")
            self._type("host", " Back.")
            self._tell(status=vfioctl("status").stdout)
            self._sides.wait(0)
        for side in SIDES:
            self._tell(verdict=side, expected=self.expected[side], arrived=self.arrived[side])

    # What the hands do

    def _type(self, side, text):
        self._tell(doing=f"typing on the keyboard: {text.strip()}")
        for character in text:
            held = [LINUX[key] for key in keys_for(character)]
            self._expect(side, *((key, 1) for key in held), *((key, 0) for key in reversed(held)))
        with self._hw.typing(text, KEYSTROKE_MS):
            self._wait()

    def _switch(self, old, new):
        self._tell(doing="pressing both Ctrl keys")
        # The press that completes the hotkey is nobody's, and so are both releases.
        self._expect(old, ("KEY_LEFTCTRL", 1), ("KEY_LEFTCTRL", 0))
        self._hw.chord("ctrl", "ctrl_r")
        self._wait()
        self._service.wait_active(TARGET[new])
        self._tell(active=new)

    def _use_mouse(self):
        self._tell(doing="moving the mouse and clicking")
        for dx, dy in ((40, 0), (0, 25), (-15, -5)):
            self._expect("guest", Mouse(dx=dx, dy=dy))
            self._hw.move(dx, dy)
            self._wait()
        self._expect("guest", Mouse(buttons={"left"}), Mouse())
        self._hw.button_down("left")
        self._hw.button_up("left")
        self._wait()

    # What comes of it

    def _expect(self, side, *events):
        self.expected[side] += [plain(event) for event in events]

    def _arrive(self, side, event):
        self.arrived[side].append(plain(event))
        text = describe(event) if isinstance(event, Mouse) else self._typed[side].feed(*event)
        if text:
            self._tell(received=side, text=text)

    def _wait(self):
        """Until as much has arrived as was expected, or it is too late for that."""
        deadline = time.monotonic() + STEP_SECONDS
        while not self._complete() and time.monotonic() < deadline:
            self._sides.wait(FRAME_SECONDS)

    def _complete(self):
        return all(len(self.arrived[side]) >= len(self.expected[side]) for side in SIDES)


def describe(mouse):
    """A packet of the guest's mouse in words; the end of a click says nothing new."""
    if mouse.dx or mouse.dy:
        return f"[move {mouse.dx:+d},{mouse.dy:+d}]"
    if mouse.wheel:
        return f"[wheel {mouse.wheel:+d}]"
    return "".join(f"[{name(button)} click]" for button in sorted(mouse.buttons))


def plain(event):
    """The event as JSON has it, so that both ends compare the same."""
    if isinstance(event, Mouse):
        return asdict(event) | {"buttons": sorted(event.buttons)}
    return list(event)


def tell(**message):
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    Story(tell).play()
