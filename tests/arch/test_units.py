# SPDX-License-Identifier: LGPL-2.1-or-later
"""Units, rules and policies, as far as they can be judged without starting anything."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

TOP = pathlib.Path(os.environ.get("top_srcdir", pathlib.Path(__file__).parents[2]))
SYSTEMD = TOP / "systemd"

# Highest "exposure" of systemd-analyze security, in tenths.
EXPOSURE = {"vfio-inputd.service": 15, "vfio-guestd.service": 27}


def units(folder):
    """Copies of the units that can be verified where the daemons are not installed."""
    for template in SYSTEMD.glob("*.service.in"):
        if template.name.startswith("org."):
            continue
        unit = pathlib.Path(folder) / template.stem
        lines = template.read_text(encoding="utf-8").splitlines()
        # kill and busctl come with packages that ours depends on, a build does not.
        kept = (line for line in lines if not line.startswith(("Documentation=", "ExecReload=")))
        text = "\n".join("ExecStart=/bin/true" if line.startswith("ExecStart=") else line for line in kept)
        unit.write_text(text.replace("@libexecdir@", "/usr/libexec") + "\n", encoding="utf-8")
        yield unit


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is missing")
class Units(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.units = list(units(folder.name))
        self.assertEqual({u.name for u in self.units}, set(EXPOSURE))

    def test_verify(self):
        result = run("systemd-analyze", "verify", "--man=no", *map(str, self.units))
        # What it says about other units of the machine is not for us to judge.
        ours = [line for line in result.stdout.splitlines() if "vfio-" in line]
        self.assertEqual(ours, [])

    def test_exposure(self):
        if "--offline" not in run("systemd-analyze", "--help").stdout:
            self.skipTest("systemd-analyze cannot judge a file (before systemd 250)")
        for unit in self.units:
            with self.subTest(unit=unit.name):
                limit = EXPOSURE[unit.name]
                result = run("systemd-analyze", "security", "--offline=true", f"--threshold={limit}", str(unit))
                self.assertEqual(result.returncode, 0, result.stdout)


class Files(unittest.TestCase):
    def test_xml(self):
        files = [*SYSTEMD.glob("*.conf"), *SYSTEMD.glob("*.policy")]
        for path in files:
            if path.read_bytes().startswith(b"<"):
                with self.subTest(file=path.name):
                    xml.etree.ElementTree.parse(path)

    @unittest.skipUnless(shutil.which("udevadm"), "udevadm is missing")
    def test_rules(self):
        result = run("udevadm", "verify", "--resolve-names=never", *map(str, SYSTEMD.glob("*.rules")))
        if "Unknown command" in result.stdout or "unrecognized" in result.stdout:
            self.skipTest("udevadm cannot verify rules (before systemd 254)")
        self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    unittest.main()
