"""How long a switch keeps QEMU's main loop from doing anything else.

Measured as the longest QMP round trip in a window that begins with the switch.
Two ways to switch: QEMU's own, with the two devices attached to it directly, and
vfio-inputd's, with QEMU reading the guest's nodes.
"""

import itertools
import json
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path

from guest import Guest

WINDOW = 0.4
KEY_A, KEY_LEFTCTRL, KEY_RIGHTCTRL = 30, 29, 97


class Sampler(threading.Thread):
    """Asks QEMU for its state, again and again, and notes how long each answer took."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        self._ask("qmp_capabilities")
        self._samples = []
        self._ended = False
        self.start()

    def run(self):
        while not self._ended:
            start = time.monotonic()
            self._ask("query-status")
            self._samples.append((start, time.monotonic() - start))

    def longest(self, action):
        """The longest round trip, in ms, of those under way in the window after the action."""
        begin = time.monotonic()
        action()
        time.sleep(WINDOW)
        return max(took for start, took in list(self._samples) if start + took >= begin) * 1000

    def close(self):
        self._ended = True
        self.join()
        self._socket.close()

    def _ask(self, command):
        self._socket.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while "return" not in json.loads(self._lines.readline()):
            pass  # an event


def measure(source, product, count):
    with tempfile.TemporaryDirectory() as directory:
        monitor = Path(directory) / "qmp"
        with Guest(user="root", monitor=monitor) as guest:
            sampler = Sampler(monitor)
            try:
                return measure_both(source, product, guest, sampler, count)
            finally:
                sampler.close()


def measure_both(source, product, guest, sampler, count):
    chord = lambda: source.ask("press", KEY_LEFTCTRL, KEY_RIGHTCTRL)  # noqa: E731
    key = lambda: source.ask("press", KEY_A)  # noqa: E731
    results = {"idle": [sampler.longest(lambda: None) for _ in range(count)]}

    with product.paused():
        ids = [guest.attach(source.keyboard, grab_all=True, repeat=True), guest.attach(source.mouse)]
        results["one key, attached directly"] = [sampler.longest(key) for _ in range(count)]
        results |= both_ways("QEMU's own switch", sampler, chord, count)
        for each in ids:
            guest.detach(each)

    keyboard, pointer = product.nodes["guest"]["keys"], product.nodes["guest"]["motion"]
    guest.attach(keyboard, grab_all=True, repeat=True, **{"grab-toggle": "meta-meta"})
    guest.attach(pointer)
    product.service.call("Switch", "bench")
    results["one key, vfio-inputd"] = [sampler.longest(key) for _ in range(count)]
    results |= both_ways("vfio-inputd", sampler, chord, count)
    product.service.call("Switch", "host")
    results["idle"] += [sampler.longest(lambda: None) for _ in range(count)]
    return {name: summary(values) for name, values in results.items()}


def both_ways(name, sampler, chord, count):
    """The guest is active at first."""
    times = {"guest to host": [], "host to guest": []}
    for direction in itertools.islice(itertools.cycle(times), 2 * count):
        times[direction].append(sampler.longest(chord))
    return {f"{name}, {direction}": values for direction, values in times.items()}


def summary(values):
    return {"median": statistics.median(values), "max": max(values), "count": len(values)}
