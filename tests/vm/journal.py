"""The system journal since a point in time, read and waited for."""

import json
import re
import subprocess

from nodes import wait_for

OUR_UNITS = ("vfio-inputd.service", "vfio-guestd.service")


class Journal:
    def __init__(self):
        shown = journalctl("--lines=0", "--show-cursor")
        self._cursor = shown.rpartition("-- cursor: ")[2].strip()

    def lines(self, *units):
        """The messages since then: of these units, or all of them."""
        # Not by journalctl's own matches: with --after-cursor it loses the first message that matches.
        shown = journalctl("--quiet", "--after-cursor", self._cursor, "--output=json",
                           "--output-fields=MESSAGE,_SYSTEMD_UNIT")
        entries = map(json.loads, shown.splitlines())
        return [str(entry.get("MESSAGE")) for entry in entries if not units or entry.get("_SYSTEMD_UNIT") in units]

    def report(self):
        """What our units and the kernel's access control had to say, for a person."""
        return journalctl("--quiet", "--cursor", self._cursor, "--output=short-monotonic",
                          *(f"_SYSTEMD_UNIT={unit}" for unit in OUR_UNITS), "+", "_TRANSPORT=audit")

    def wait(self, pattern, *units, timeout=30):
        """The first message since then that matches; waits for it if it has not come yet."""
        def look():
            return next((line for line in self.lines(*units) if re.search(pattern, line)), None)

        return wait_for(look, timeout, what=f"a message like {pattern!r}")


def journalctl(*arguments):
    subprocess.run(["journalctl", "--sync"], check=True)
    return subprocess.run(["journalctl", *arguments], capture_output=True, text=True).stdout
