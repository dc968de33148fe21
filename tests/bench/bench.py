"""The measurements, inside the test machine; the script run starts this and reads its result.

    bench.py speed|stall [--quick] [--variants]

Words about what is going on go to stdout, the result to RESULT as JSON.

All cases are measured in the same boot, by turns, with the same two devices as
source. vfio-inputd is the installed package under its own unit.
"""

import argparse
import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "vm"))

from inputd import Inputd  # noqa: E402
from nodes import wait_for, wait_for_node  # noqa: E402

RESULT = Path("/run/vmtest/bench.json")
CONFIG = Path("/etc/vfio-inputd.conf")
DROP_IN = Path("/run/systemd/system/vfio-inputd.service.d/bench.conf")
GUEST = "bench"
EVIOCGRAB = 0x40044590

# frames a second (0: ping-pong), warm-up, frames
PACES = {"ping-pong": (0, 200, 2000), "1000": (1000, 100, 2000), "8000": (8000, 400, 8000)}
QUICK_PACES = {"ping-pong": (0, 200, 1000), "8000": (8000, 400, 4000)}
FLOORS = {"floor": [], "floor-rt": ["--rt"]}
VARIANTS = {
    "poll-rt": ["--rt", "--wait=poll"],
    "level-rt": ["--rt", "--wait=level"],
    "edge-rt": ["--rt", "--wait=edge"],
    "edge-scan-rt": ["--rt", "--wait=edge", "--add=scan"],
    "edge-read-rt": ["--rt", "--wait=edge", "--add=read"],
    "edge-thread-rt": ["--rt", "--wait=edge", "--add=thread"],
    "threads-rt": ["--rt", "--add=thread", "--add=scan", "--add=lock"],
}
# A control group beside vfio-inputd's. The kernel accounts a switch between two
# processes to all groups up to their common one, so it is cheaper within a group.
OWN_GROUP = ["systemd-run", "--quiet", "--scope", "--slice=system"]
NO_SANDBOX = """[Service]
SystemCallFilter=
RestrictAddressFamilies=
MemoryDenyWriteExecute=no
RestrictNamespaces=no
RestrictRealtime=no
RestrictSUIDSGID=no
LockPersonality=no
ProtectClock=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
ProtectHostname=no
SystemCallArchitectures=
"""
NOT_REALTIME = "[Service]\nCPUSchedulingPolicy=other\n"


class SourceSink:
    """The program source-sink: a mouse, a keyboard, and the reader at the far end."""

    def __init__(self):
        self._process = subprocess.Popen([HERE / "source-sink"], text=True, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)
        hello = self._reply()
        self.mouse, self.keyboard = hello["mouse"], hello["keyboard"]

    def ask(self, *words):
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._reply()

    def _reply(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"source-sink has ended with status {self._process.wait()}")
        return json.loads(line)


@contextlib.contextmanager
def floor(options, kind, source):
    """The floor forwarder on that node; gives its own node and its process."""
    process = subprocess.Popen([*OWN_GROUP, HERE / "floor", *options, kind, source], stdout=subprocess.PIPE, text=True)
    try:
        path = process.stdout.readline().strip()
        if not path:
            raise SystemExit(f"floor has ended with status {process.wait()}")
        settle()
        yield path, process.pid
    finally:
        process.kill()
        process.wait()
    settle()


def settle():
    subprocess.run(["udevadm", "settle"], check=True)


class Product:
    """vfio-inputd with its unit, the two devices of the source, and a guest without QEMU."""

    def __init__(self, source):
        self.source = source
        CONFIG.write_text('devices = { only = ( { phys = "bench/*"; } ); };\n')
        self.restart()

    def restart(self, drop_in=""):
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text(drop_in)
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        subprocess.run(["systemctl", "restart", "vfio-inputd.service"], check=True)
        self.service = Inputd()
        self.pid = int(subprocess.run(["systemctl", "show", "-P", "MainPID", "vfio-inputd.service"],
                                      capture_output=True, text=True, check=True).stdout)
        self.wait_grabbed(True)
        self.service.call("AddGuest", GUEST)
        target = self.service.target(GUEST)
        keyboard, pointer = self.service.wait(target, "Target", "Nodes", lambda nodes: len(nodes) == 2)
        self.nodes = {
            "host": {"motion": self._mirror(self.source.mouse), "keys": self._mirror(self.source.keyboard)},
            "guest": {"motion": pointer, "keys": keyboard},
        }
        self.service.call("SetReady", GUEST, True, "bench")
        settle()

    def _mirror(self, node):
        return wait_for_node(phys="vfio-inputd/host/" + node.removeprefix("/dev/input/event"))

    def wait_grabbed(self, wanted):
        for node in (self.source.mouse, self.source.keyboard):
            self.service.wait(self.service.device(node), "Device", "Grabbed", lambda grabbed: bool(grabbed) is wanted)

    @contextlib.contextmanager
    def paused(self):
        """The devices are free meanwhile."""
        self.service.call("Pause")
        self.wait_grabbed(False)
        for node in (self.source.mouse, self.source.keyboard):
            wait_for(lambda node=node: is_free(node), what=f"the end of the grab of {node}")
        yield
        self.service.call("Resume")
        self.wait_grabbed(True)
        settle()

    @contextlib.contextmanager
    def active(self, target):
        self.service.call("Switch", GUEST if target == "guest" else "host")
        settle()
        yield
        self.service.call("Switch", "host")

    def idle_wake_ups(self, seconds=20):
        """How often it was woken with no input at all, per second. The watchdog is part of it."""
        before = voluntary_switches(self.pid)
        time.sleep(seconds)
        return (voluntary_switches(self.pid) - before) / seconds


def is_free(node):
    """The daemon closes on a thread of its own, some time after it has let go."""
    with open(node, "rb", buffering=0) as file:
        try:
            fcntl.ioctl(file, EVIOCGRAB, 1)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
    return True


def voluntary_switches(pid):
    status = "".join(task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/status"))
    return sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)))


class Speed:
    """Latency, use of the processor and losses of each case at each pace."""

    def __init__(self, source, product, arguments):
        self.source = source
        self.product = product
        self.paces = QUICK_PACES if arguments.quick else PACES
        self.repeats = 2 if arguments.quick else 3
        self.floors = FLOORS | (VARIANTS if arguments.variants else {})
        self.kinds = ["motion"] if arguments.quick else ["motion", "keys"]
        self.runs = []

    def measure(self):
        for repeat in range(self.repeats):
            print(f"round {repeat + 1} of {self.repeats}", flush=True)
            for kind in self.kinds:
                self.free_cases(kind)
                self.product_cases(kind)
        self.loaded()
        return self.runs

    def free_cases(self, kind):
        with self.product.paused():
            self.run_paces("direct", kind, "-", 0)
            for name, options in self.floors.items():
                with self.floor(options, kind) as (node, pid):
                    self.run_paces(name, kind, node, pid)

    def product_cases(self, kind, suffix=""):
        for target in ("host", "guest"):
            with self.product.active(target):
                self.run_paces(target + suffix, kind, self.product.nodes[target][kind], self.product.pid)

    def run_paces(self, case, kind, node, pid):
        for pace, (hz, warm_up, frames) in self.paces.items():
            if kind == "keys" and hz:
                continue
            # A floor variant with --add takes one frame at a time.
            if hz and case in VARIANTS:
                continue
            self.run_once(case, kind, pace, "other", hz, warm_up, frames, node, pid)
            if hz == 0 and kind == "motion" and case not in VARIANTS:
                self.run_once(case, kind, "ping-pong-rt", "rt", hz, warm_up, frames, node, pid)

    def run_once(self, case, kind, pace, policy, hz, warm_up, frames, node, pid):
        got = self.source.ask("run", kind, hz, warm_up, frames, policy, node, pid)
        self.runs.append({"case": case, "kind": kind, "pace": pace} | got)

    def loaded(self):
        """8,000 Hz while every processor is kept busy. Sender above all, reader above the load."""
        print("busy processors", flush=True)
        hz, warm_up, frames = self.paces["8000"]
        with self.product.paused():
            for name, options in FLOORS.items():
                with self.floor(options, "motion") as (node, pid), busy():
                    self.run_once(name, "motion", "8000 busy", "rt", hz, warm_up, frames, node, pid)
        for target in ("host", "guest"):
            with self.product.active(target), busy():
                self.run_once(target, "motion", "8000 busy", "rt", hz, warm_up, frames,
                              self.product.nodes[target]["motion"], self.product.pid)

    def floor(self, options, kind):
        if kind == "motion":
            return floor(options, "mouse", self.source.mouse)
        return floor(options, "keyboard", self.source.keyboard)


@contextlib.contextmanager
def busy():
    """A loop without end on each processor, at the ordinary priority."""
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def count_syscalls(source, kind, node, pid, frames=1000):
    """System calls per frame, by name. Not a timed run."""
    with tempfile.NamedTemporaryFile("r") as table:
        strace = subprocess.Popen(["strace", "-c", "-f", "-U", "calls,name", "-o", table.name, "-p", str(pid)],
                                  stderr=subprocess.PIPE, text=True)
        while "attached" not in (line := strace.stderr.readline()):
            if not line:
                raise SystemExit(f"strace has ended with status {strace.wait()}")
        source.ask("run", kind, 0, 0, frames, "other", node, pid)
        strace.send_signal(signal.SIGINT)
        strace.wait()
        calls = {words[1]: int(words[0]) / frames for words in map(str.split, table) if words and words[0].isdigit()}
    calls.pop("total", None)
    return {name: count for name, count in calls.items() if count >= 0.01}


def syscalls(source, product):
    counts = {}
    with product.paused(), floor([], "mouse", source.mouse) as (node, pid):
        counts["floor, motion"] = count_syscalls(source, "motion", node, pid)
    for target, kind in itertools.product(("host", "guest"), ("motion", "keys")):
        with product.active(target):
            counts[f"{target}, {kind}"] = count_syscalls(source, kind, product.nodes[target][kind], product.pid)
    return counts


def chords(source, product, count):
    """From the write of the chord's last key to the first frame that the new target's reader has."""
    product.service.call("Switch", "host")
    results = {}
    for moment in ("together", "after"):
        runs = []
        for i in range(count):
            old, new = ("host", "guest") if i % 2 == 0 else ("guest", "host")
            got = source.ask("chord", moment, product.nodes[new]["motion"], product.nodes[old]["keys"], product.pid)
            runs.append(got | {"to": new})
        results[moment] = runs
    return results


def speed(arguments):
    source = SourceSink()
    product = Product(source)
    result = {"runs": Speed(source, product, arguments).measure()}
    print("chords", flush=True)
    result["chords"] = chords(source, product, 10 if arguments.quick else 40)
    if not arguments.quick:
        print("system calls, idle", flush=True)
        result["syscalls"] = syscalls(source, product)
        result["idle_wake_ups"] = product.idle_wake_ups()
        print("without real-time scheduling", flush=True)
        result["runs"] += with_drop_in(source, product, arguments, NOT_REALTIME, "-other")
    if arguments.variants:
        print("without the sandbox", flush=True)
        result["runs"] += with_drop_in(source, product, arguments, NO_SANDBOX, "-unfiltered")
    return result


def with_drop_in(source, product, arguments, drop_in, suffix):
    product.restart(drop_in)
    again = Speed(source, product, arguments)
    for _ in range(again.repeats):
        again.product_cases("motion", suffix)
    return again.runs


def stall(arguments):
    from stall import measure

    source = SourceSink()
    return {"stall": measure(source, Product(source), 4 if arguments.quick else 12)}


def versions():
    def first_line(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]

    return {
        "kernel": os.uname().release,
        "systemd": first_line("systemctl", "--version"),
        "qemu": first_line("qemu-system-x86_64", "--version"),
        "vfio-inputd": first_line("dpkg-query", "-W", "-f", "${Version}", "vfio-inputd"),
        "processors": os.cpu_count(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "stall"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--variants", action="store_true")
    arguments = parser.parse_args()
    result = speed(arguments) if arguments.what == "speed" else stall(arguments)
    RESULT.write_text(json.dumps(result | {"versions": versions()}))


if __name__ == "__main__":
    main()
