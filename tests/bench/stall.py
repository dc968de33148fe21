"""How long a switch keeps QEMU's main loop from doing anything else.

Measured as the longest QMP round trip in a window that begins with the switch.
Two ways to switch: QEMU's own, with the two devices attached to it directly, and
vfio-inputd's, with QEMU reading the guest's nodes.

QEMU and who asks it go before all ordinary processes of the machine. What is left
is the main loop itself, and not that bus, journal and the bench want to run too.

    stall.py SOCKET    the one who asks: prints when, and how long the answer took
"""

import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WINDOW = 0.4
PAUSE = 0.0005
PRIORITY = 1  # below vfio-inputd's
KEY_A, KEY_LEFTCTRL, KEY_RIGHTCTRL = 30, 29, 97


def ask_for_ever(path):
    monitor = socket.socket(socket.AF_UNIX)
    monitor.connect(path)
    lines = monitor.makefile("rb")

    def ask(command):
        monitor.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while b'"return"' not in lines.readline():
            pass  # the greeting, or an event

    ask("qmp_capabilities")
    go_first(os.getpid())
    while True:
        start = time.monotonic()
        ask("query-status")
        print(start, time.monotonic() - start, flush=True)
        time.sleep(PAUSE)  # so that the others do run


def go_first(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setscheduler(int(task), os.SCHED_RR, os.sched_param(PRIORITY))


class Sampler:
    def __init__(self, path):
        self._process = subprocess.Popen([sys.executable, "-B", __file__, path], stdout=subprocess.PIPE, text=True)
        self._samples = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def longest(self, action):
        """The longest round trip, in ms, of those under way in the window after the action."""
        begin = time.monotonic()
        action()
        time.sleep(WINDOW)
        end = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._samples and self._samples[-1][0] >= end)
            window = [took for start, took in self._samples if start + took >= begin and start < end]
            self._samples.clear()
        return max(window) * 1000

    def close(self):
        self._process.kill()
        self._process.wait()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self._samples.append(tuple(map(float, line.split())))
                self._changed.notify_all()


def measure(source, product, count):
    from guest import Guest  # beside the tests of tests/vm

    with tempfile.TemporaryDirectory() as directory:
        monitor = Path(directory) / "qmp"
        with Guest(user="root", monitor=monitor, boot_timeout=600) as guest:
            go_first(guest.pid)
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


if __name__ == "__main__":
    ask_for_ever(sys.argv[1])
