"""The outside of ./demo: builds and boots the machine, and shows what its inside tells."""

import argparse
import contextlib
import ctypes
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

VM = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(VM))

from image import SUITES, Unavailable, get_image  # noqa: E402
from packages import get_packages  # noqa: E402
from qmp import QmpError  # noqa: E402
from screen import BOLD, GREEN, RED, Columns, Paper, Progress  # noqa: E402
from vm import Machine, MachineDied  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
INSIDE = "/run/vmtest/tests/vm"
DEADLINE_SECONDS = 900


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    paper = Paper()
    progress = Progress(paper)
    try:
        with no_leftovers() as directory:
            return show(arguments, directory, paper, progress)
    except (Unavailable, MachineDied, QmpError) as error:
        progress.done()
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; nothing of it is running any more", file=sys.stderr)
        return 130


def parse_arguments():
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--suite", choices=SUITES, default=SUITES[0])
    parser.add_argument("--play", action="store_true")
    return parser.parse_args()


@contextlib.contextmanager
def no_leftovers():
    """A directory for whatever is temporary; at the end it is gone, and all processes begun meanwhile.

    That includes the grandchildren of a killed mmdebstrap or build: as their reaper we get them all.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(prefix="vfio-demo-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)  # apt reads there as a user of its own
        os.environ["TMPDIR"] = tempfile.tempdir = directory
        try:
            yield Path(directory)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            end_children()


def end_children():
    while children := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for child in map(int, children):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


# ./demo


def show(arguments, directory, paper, progress):
    image = get_image(arguments.suite, get_packages(arguments.suite, progress), progress)
    progress(f"booting Debian {arguments.suite} in emulation")
    with Machine(image, files(directory), deadline=DEADLINE_SECONDS, directory=directory) as machine:
        machine.wait_until_up()
        progress.done()
        telling = Telling(paper)
        status = machine.run(["python3", f"{INSIDE}/demo/story.py"], output=telling.hear)
        return telling.end(status)


def files(directory):
    boot_sector = runpy.run_path(str(VM / "run"))["assemble"](directory)
    return {"tests/vm": VM, "tests/vm/guest/bootsector.bin": boot_sector}


class Telling:
    """Shows what story.py tells, and judges by it; anything it says that is no story is an error message."""

    def __init__(self, paper):
        self._paper = paper
        self._columns = Columns(paper)
        self._partial = ""
        self._status = ""
        self._errors = []
        self._verdicts = []

    def hear(self, text):
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            if line.startswith("{"):
                self._take(json.loads(line))
            else:
                self._errors.append(line)

    def _take(self, message):
        if "doing" in message:
            self._columns.doing(message["doing"])
        elif "active" in message:
            self._columns.active(message["active"])
        elif "arrived" in message and "text" in message:
            self._columns.arrived(message["arrived"], message["text"])
        elif "status" in message:
            self._status = message["status"]
        elif "verdict" in message:
            self._verdicts.append(message)

    def end(self, status):
        """Show the rest; returns the demo's exit status."""
        self._columns.end()
        self._paper.add(self._paper.paint("$ vfioctl status", BOLD), *self._status.splitlines(), "")
        if status != 0 or len(self._verdicts) != 2:
            self._paper.add(*self._errors)
            raise MachineDied(f"the story inside ended with status {status}")
        wrong = [verdict for verdict in self._verdicts if verdict["arrived"] != verdict["expected"]]
        for verdict in wrong:
            self._paper.add(f"{verdict['verdict']}: expected {verdict['expected']}", f"arrived {verdict['arrived']}")
        counts = " and ".join(f"{len(verdict['arrived'])} on the {verdict['verdict']}" for verdict in self._verdicts)
        if wrong:
            sides = " and ".join(verdict["verdict"] for verdict in wrong)
            self._paper.add(self._paper.paint(f"demo: failed: not what should have arrived: {sides}", BOLD, RED))
            return 1
        self._paper.add(self._paper.paint(
            f"demo: every press, release and movement arrived where it should and nowhere else: {counts}", BOLD, GREEN))
        return 0


if __name__ == "__main__":
    sys.exit(main())
