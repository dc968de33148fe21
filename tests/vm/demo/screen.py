"""What ./demo shows: a line that says what is going on, and HOST and GUEST side by side.

On a terminal both are drawn in place; elsewhere a line is added for every step.
"""

import itertools
import os
import shutil
import sys
import textwrap
import threading
import time

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
TICK_SECONDS = 1
LINES = 4  # of each column, at least


class Paper:
    """Standard output, with colour and in place if that is a terminal."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self.live and not os.environ.get("NO_COLOR")
        self._drawn = 0

    def paint(self, text, *codes):
        return f"\033[{';'.join(codes)}m{text}\033[0m" if self._colour and codes else text

    def add(self, *lines):
        """Lines that stay."""
        self.draw(*lines)
        self._drawn = 0

    def draw(self, *lines):
        """Lines in the place of those drawn last."""
        up = f"\033[{self._drawn}A\r\033[J" if self._drawn else ""
        print(up + "".join(line + "\n" for line in lines), end="", flush=True)
        self._drawn = len(lines)


class Progress:
    """The step under way and its seconds, drawn every second on a terminal."""

    def __init__(self, paper):
        self._paper = paper
        self._what = None
        self._ended = threading.Event()
        self._ticker = None

    def __call__(self, what):
        self.done()
        self._what, self._began = what, time.monotonic()
        if not self._paper.live:
            self._paper.add(f"demo: {what}")
            return
        self._ended.clear()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def done(self):
        """The step has ended; how long it took stays on the paper."""
        if self._what:
            self.stop()
            self._paper.add(self._line("done after "))
            self._what = None

    def stop(self):
        """Leave the line as it is."""
        if self._ticker:
            self._ended.set()
            self._ticker.join()
            self._ticker = None

    def _tick(self):
        while True:
            self._paper.draw(self._line())
            if self._ended.wait(TICK_SECONDS):
                return

    def _line(self, how=""):
        return f"demo: {self._what}, {how}{time.monotonic() - self._began:.0f} s"


class Columns:
    """What either side received: side by side on a terminal, else step by step.

    Each turn of a side at the devices begins a line.
    """

    TITLES = {"host": "HOST", "guest": "GUEST"}
    COLOURS = {"host": GREEN, "guest": YELLOW}
    MARK = "  <- has keyboard and mouse"

    def __init__(self, paper):
        self._paper = paper
        self._turns = {side: [] for side in self.TITLES}
        self._untold = dict.fromkeys(self.TITLES, "")
        self._active = None
        self._doing = ""

    def doing(self, what):
        self._doing = what
        self._show(f"  {what}")

    def active(self, side):
        self._active = side
        self._turns[side].append("")
        self._show(f"  active: {self.TITLES[side]}")

    def received(self, side, text):
        if not self._turns[side]:
            self._turns[side].append("")  # it has not had its turn yet
        self._turns[side][-1] += text
        self._untold[side] += text
        if self._paper.live:
            self._draw()

    def end(self):
        self._doing = ""
        self._show()
        self._paper.add("")

    def _show(self, *step):
        if self._paper.live:
            self._draw()
            return
        for side, title in self.TITLES.items():
            if self._untold[side]:
                self._paper.add(f"    {title:5} | {self._untold[side]}")
            self._untold[side] = ""
        self._paper.add(*step)

    def _draw(self):
        width = max(20, min(shutil.get_terminal_size().columns, 100) // 2 - 3)
        host, guest = ([line for turn in turns for line in textwrap.wrap(turn, width, drop_whitespace=False)]
                       for turns in self._turns.values())
        rows = itertools.zip_longest(host, guest, range(LINES), fillvalue="")
        bar = self._paper.paint("|", DIM)
        self._paper.draw(
            "", f"  {self._title('host', width)} {bar} {self._title('guest', width)}",
            self._paper.paint(f"  {'-' * width}-+-{'-' * width}", DIM),
            *(f"  {self._cell('host', a, width)} {bar} {self._cell('guest', b, width)}" for a, b, _ in rows),
            "", self._paper.paint(f"  {self._doing}", DIM))

    def _title(self, side, width):
        mark, colour = (self.MARK, [GREEN]) if side == self._active else ("", [])
        return self._paper.paint((self.TITLES[side] + mark)[:width].ljust(width), BOLD, *colour)

    def _cell(self, side, text, width):
        return self._paper.paint(text.ljust(width), self.COLOURS[side])
