"""What ./demo shows: a line that says what is going on, and HOST and GUEST side by side.

On a terminal both are drawn in place; elsewhere a line is added for every step.
"""

import os
import shutil
import sys
import textwrap
import threading
import time

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
TICK_SECONDS = 1


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
        if not self._what:
            return
        if self._ticker:
            self._ended.set()
            self._ticker.join()
        self._paper.add(self._line("done after "))
        self._what = self._ticker = None

    def _tick(self):
        while True:
            self._paper.draw(self._line())
            if self._ended.wait(TICK_SECONDS):
                return

    def _line(self, how=""):
        return f"demo: {self._what}, {how}{time.monotonic() - self._began:.0f} s"


class Columns:
    """The text that arrived on either side, below each other's title, the active one marked."""

    TITLES = {"host": "HOST", "guest": "GUEST"}

    def __init__(self, paper):
        self._paper = paper
        self._text = dict.fromkeys(self.TITLES, "")
        self._shown = dict(self._text)
        self._active = ""
        self._doing = ""

    def doing(self, what):
        self._flush()
        self._doing = what
        self._draw() if self._paper.live else self._paper.add(f"  {what}")

    def active(self, side):
        self._flush()
        self._active = side
        self._draw() if self._paper.live else self._paper.add(f"  active: {self.TITLES[side]}")

    def arrived(self, side, text):
        self._text[side] += text
        if self._paper.live:
            self._draw()

    def end(self):
        self._flush()
        self._doing = ""
        if self._paper.live:
            self._draw()
        self._paper.add("")

    def _flush(self):
        """On paper that cannot be drawn over, what has arrived is told step by step."""
        if self._paper.live:
            return
        for side, title in self.TITLES.items():
            new = self._text[side][len(self._shown[side]):]
            if new:
                self._paper.add(f"    {title:5} | {new}")
        self._shown = dict(self._text)

    def _draw(self):
        width = max(20, min(shutil.get_terminal_size().columns, 100) // 2 - 3)
        texts = [self._wrap(self._text[side], width) for side in self.TITLES]
        rows = max(3, *map(len, texts))
        left, right = (text + [""] * (rows - len(text)) for text in texts)
        bar = self._paper.paint("|", DIM)
        self._paper.draw(
            "", f"  {self._title('host', width)} {bar} {self._title('guest', width)}",
            self._paper.paint(f"  {'-' * width}-+-{'-' * width}", DIM),
            *(f"  {self._cell(a, width, 'host')} {bar} {self._cell(b, width, 'guest')}" for a, b in zip(left, right)),
            "", f"  {self._paper.paint(self._doing, DIM)}")

    def _wrap(self, text, width):
        return textwrap.wrap(text, width, drop_whitespace=False)

    def _title(self, side, width):
        if side == self._active:
            return self._paper.paint(f"{self.TITLES[side] + '  <- has keyboard and mouse':{width}}", BOLD, GREEN)
        return self._paper.paint(f"{self.TITLES[side]:{width}}", BOLD)

    def _cell(self, text, width, side):
        return self._paper.paint(f"{text:{width}}", GREEN if side == "host" else YELLOW)
