"""The outside of ./demo: builds and boots the machine, and shows what its inside tells."""

import argparse
import contextlib
import ctypes
import os
import runpy
import signal
import sys
import tempfile
from pathlib import Path

VM = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(VM))

from console import PLAY, STORY, WHY  # noqa: E402
from image import SUITES, Unavailable, get_image  # noqa: E402
from packages import get_packages  # noqa: E402
from qmp import QmpError  # noqa: E402
from screen import Paper, Progress  # noqa: E402
from telling import Telling  # noqa: E402
from vm import Machine, MachineDied  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
SHOW_SECONDS = 900
PLAY_SECONDS = 24 * 3600


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    paper = Paper()
    progress = Progress(paper)
    try:
        with no_leftovers() as directory:
            image = get_image(arguments.suite, get_packages(arguments.suite, progress), progress)
            status = (play if arguments.play else show)(image, directory, paper, progress)
        if arguments.play:
            paper.add("demo: ended; nothing of it is running any more")
        return status
    except (Unavailable, MachineDied, QmpError) as error:
        progress.stop()
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.stop()
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
    while children := [int(child) for task in Path("/proc/self/task").glob("*/children")
                       for child in task.read_text().split()]:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def show(image, directory, paper, progress):
    progress(f"booting Debian {image.suite} in emulation")
    with Machine(image, files(directory), deadline=SHOW_SECONDS, directory=directory) as machine:
        machine.wait_until_up()
        progress.done()
        telling = Telling(paper)
        status = machine.run(STORY, output=telling.hear)
        return telling.end(status)


def files(directory):
    """What the machine gets besides its disk: the harness, this demo, and the guest's operating system."""
    boot_sector = runpy.run_path(str(VM / "run"))["assemble"](directory)
    return {"tests/vm": VM, "tests/vm/guest/bootsector.bin": boot_sector}


# ./demo --play


def play(image, directory, paper, progress):
    with contextlib.ExitStack() as cleanup:
        machine = switch_on(image, directory, paper, cleanup)
        progress(f"booting Debian {image.suite} in emulation")
        machine.wait_until_up()
        progress.done()
        return wait_for_the_end(machine, paper)


def switch_on(image, directory, paper, cleanup):
    """The machine with a window or, where there can be none, with VNC."""
    def start(display):
        return cleanup.enter_context(Machine(image, files(directory), display=display, deadline=PLAY_SECONDS,
                                             directory=directory))

    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        try:
            machine = start("gtk")
            paper.add("demo: the machine has a window; Ctrl-C here ends it")
            return machine
        except MachineDied:
            paper.add("demo: no window can be opened here")
    machine = start("vnc=127.0.0.1:0,to=99")
    vnc = machine.qmp.execute("query-vnc")
    paper.add(f"demo: connect a VNC viewer to {vnc['host']}:{vnc['service']} (this machine only); Ctrl-C here ends it")
    return machine


def wait_for_the_end(machine, paper):
    """Until F12 is pressed there, the machine is switched off with its window, or Ctrl-C is pressed here."""
    try:
        status = machine.run(PLAY, timeout=PLAY_SECONDS)
        if status != 0:
            machine.run(WHY, output=lambda text: paper.add(*text.splitlines()))
    except (MachineDied, KeyboardInterrupt):
        return 0
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
