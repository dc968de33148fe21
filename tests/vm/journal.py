"""The system journal since a point in time, read and waited for."""

import re
import select
import subprocess
import time

OUR_UNITS = ("vfio-inputd.service", "vfio-guestd.service")


class Journal:
    def __init__(self):
        shown = journalctl("--lines=0", "--show-cursor")
        self._cursor = shown.rpartition("-- cursor: ")[2].strip()

    def lines(self, *units):
        """The messages since then: of these units, or all of them."""
        return self._read("cat", units).splitlines()

    def report(self):
        """What our units and the kernel's access control had to say, for a person."""
        return self._read("short-monotonic", OUR_UNITS, "+", "_TRANSPORT=audit")

    def wait(self, pattern, *units, timeout=30):
        """The first message since then that matches; waits for it if it has not come yet."""
        follow = subprocess.Popen(self._command("cat", units) + ["--follow", "--lines=all"], stdout=subprocess.PIPE)
        try:
            return self._find(pattern, follow.stdout, time.monotonic() + timeout)
        finally:
            follow.kill()
            follow.wait()

    def _find(self, pattern, pipe, deadline):
        text = b""
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no message like {pattern!r} in time, only:\n{text.decode(errors='replace')}"
            text += pipe.read1()
            for line in text.decode(errors="replace").splitlines():
                if re.search(pattern, line):
                    return line

    def _read(self, output, units, *matches):
        return journalctl(*self._command(output, units)[1:], *matches)

    def _command(self, output, units):
        return ["journalctl", "--quiet", "--after-cursor", self._cursor, "--output", output,
                *(f"_SYSTEMD_UNIT={unit}" for unit in units)]


def journalctl(*arguments):
    subprocess.run(["journalctl", "--sync"], check=True)
    return subprocess.run(["journalctl", *arguments], capture_output=True, text=True).stdout
