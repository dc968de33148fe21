#!/usr/bin/env python3
"""The screen of ./demo --play: what the two sides receive, and what vfioctl status says.

It runs on the console of the test machine, so the host's keys come to its
terminal as well, as to any program of the host. There it takes but two of them:
r while the service is paused, when nothing else could resume it without a
command line, and F12, which ends it and with it the demo.
"""

import curses
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from receiver import Mouse  # noqa: E402
from service import vfioctl  # noqa: E402
from sides import SIDES, Sides  # noqa: E402
from typed import Typed, name  # noqa: E402

FRAME_SECONDS = 0.05
RETRY_SECONDS = 1
KEPT_CHARACTERS = 4000
BUTTON_BITS = {"BTN_LEFT": "left", "BTN_RIGHT": "right", "BTN_MIDDLE": "middle", "BTN_SIDE": "side", "BTN_EXTRA": "extra"}
TITLE = "vfio-inputd: one keyboard and one mouse for this host and its guest"
HELP = (
    "Both Ctrl keys: switch.   Backspace + Escape + Enter together: release everything, then r to resume.",
    "To end: F12 while the host has the keyboard, or close the window, or Ctrl-C in the terminal.",
)
PAUSED = "RELEASED. The real keyboard is the host's own again, the guest has none. Press r to resume."


class Side:
    """What one side has received so far."""

    def __init__(self):
        self.text = ""
        self._typed = Typed()
        self._x = self._y = self._wheel = 0
        self._buttons = set()

    def feed(self, event):
        if isinstance(event, Mouse):
            self._move(event.dx, event.dy, event.wheel)
            self._buttons = set(event.buttons)
        elif event[0] in BUTTON_BITS:
            change = self._buttons.add if event[1] else self._buttons.discard
            change(BUTTON_BITS[event[0]])
        elif event[0].startswith("REL_"):
            distances = {"REL_X": (event[1], 0, 0), "REL_Y": (0, event[1], 0), "REL_WHEEL": (0, 0, event[1])}
            self._move(*distances.get(event[0], (0, 0, 0)))
        elif event[0].startswith("KEY_"):
            self.text = (self.text + self._typed.feed(*event))[-KEPT_CHARACTERS:]

    def mouse(self):
        held = " ".join(map(name, sorted(self._buttons)))
        return f"mouse at {self._x},{self._y}  wheel {self._wheel}  {held}"

    def _move(self, dx, dy, wheel):
        self._x += dx
        self._y += dy
        self._wheel += wheel


class Status(threading.Thread):
    """What vfioctl says, asked again whenever the service announces a change."""

    def __init__(self):
        super().__init__(daemon=True)
        self.words = ""
        self.paused = False
        self.active = None

    def run(self):
        while True:
            with subprocess.Popen(["vfioctl", "monitor"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as monitor:
                self._ask()
                while os.read(monitor.stdout.fileno(), 1 << 16):
                    self._ask()
            self._ask()
            time.sleep(RETRY_SECONDS)  # the service is away; nothing announces its return

    def _ask(self):
        state = vfioctl("status", "--json", check=False)
        if state.returncode == 0:
            status = json.loads(state.stdout)
            self.paused = status["paused"]
            self.active = None if self.paused else "host" if status["active"] == "host" else "guest"
        words = vfioctl("status", check=False)
        self.words = words.stdout or words.stderr


class Screen:
    def __init__(self, window):
        self._window = window
        curses.curs_set(0)
        curses.raw()
        curses.set_escdelay(25)
        window.nodelay(True)
        curses.use_default_colors()
        curses.init_pair(1, curses.COLOR_GREEN, -1)
        curses.init_pair(2, curses.COLOR_YELLOW, -1)
        curses.init_pair(3, curses.COLOR_WHITE, curses.COLOR_RED)
        self._colours = {"host": curses.color_pair(1), "guest": curses.color_pair(2) | curses.A_BOLD}
        self._alarm = curses.color_pair(3) | curses.A_BOLD

    def say(self, words):
        self._window.erase()
        self._put(0, 0, TITLE, curses.A_BOLD)
        self._put(2, 0, words)
        self._window.refresh()

    def draw(self, sides, status):
        self._window.erase()
        height, width = self._window.getmaxyx()
        words = status.words.splitlines()
        first, last = len(HELP) + 4, max(len(HELP) + 6, height - len(words) - 3)
        self._put(0, 0, TITLE, curses.A_BOLD)
        for line, text in enumerate(HELP, 1):
            self._put(line, 0, text)
        if status.paused:
            self._put(len(HELP) + 1, 0, PAUSED.ljust(width - 1), self._alarm)
        for side, left in zip(SIDES, (0, width // 2 + 1)):
            self._draw_side(side, sides[side], side == status.active, left, first, last)
        for line in range(first - 2, last + 1):
            self._put(line, width // 2 - 1, "|")
        for line, text in enumerate(("$ vfioctl status", *words), last + 2):
            self._put(line, 0, text, 0 if line > last + 2 else curses.A_BOLD)
        self._window.refresh()

    def keys(self):
        """What the terminal has for us: what is typed on the host, or while the service is paused."""
        return iter(self._window.getch, curses.ERR)

    def _draw_side(self, side, received, active, left, first, last):
        width = self._window.getmaxyx()[1] // 2 - 2
        mark = "  <- has keyboard and mouse" if active else ""
        self._put(first - 2, left, (side.upper() + mark).ljust(width), curses.A_REVERSE if active else curses.A_BOLD)
        lines = textwrap.wrap(received.text, width, drop_whitespace=False)[-(last - first):]
        for line, text in enumerate(lines, first - 1):
            self._put(line, left, text, self._colours[side])
        self._put(last, left, received.mouse()[:width])

    def _put(self, line, column, text, attributes=0):
        height, width = self._window.getmaxyx()
        if line < height:
            self._window.addnstr(line, column, text, width - column - 1, attributes)


def main(window):
    screen = Screen(window)
    screen.say("starting the guest ...")
    received = {side: Side() for side in SIDES}
    with Sides(lambda side, event: received[side].feed(event)) as sides:
        status = Status()
        status.start()
        shown = None
        while True:
            sides.wait(FRAME_SECONDS, sys.stdin)
            for key in screen.keys():
                if key == curses.KEY_F12:
                    return
                if key == ord("r") and status.paused:
                    vfioctl("resume", check=False)
            now = (status.words, status.paused, status.active, *((side.text, side.mouse()) for side in received.values()))
            if now != shown:
                screen.draw(received, status)
                shown = now


if __name__ == "__main__":
    curses.wrapper(main)
