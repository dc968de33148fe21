#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The help of setup and doctor, their man page and the completion say the same."""

import os
import re
import subprocess
import unittest

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PROGRAM = os.path.join(os.environ.get("top_builddir", "."), "vfioctl-setup")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def run(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=True).stdout


def options_of(verb):
    return set(re.findall(r"(?m)^  .{0,4}--([a-z-]+)", run(verb, "--help")))


def section(title, level="="):
    found = re.search(rf"(?ms)^{title}\n{level}+\n(.*?)(?=^[A-Z][A-Z ]+\n=|\Z)", read("doc/vfioctl-setup.1.rst"))
    return found.group(1)


class Agreement(unittest.TestCase):
    maxDiff = None

    def test_options_of_the_page(self):
        documented = set(re.findall(r"(?m)^(?:-[a-z], )?--([a-z][a-z-]*)", section("OPTIONS")))
        self.assertEqual(documented, options_of("setup") | options_of("doctor"))

    def test_options_of_the_completion(self):
        text = read("client/vfioctl.bash-completion")
        for verb in ("setup", "doctor"):
            block = re.search(rf"(?s)\n        {verb}\)\s*common='(.*?)'", text).group(1)
            self.assertEqual(set(re.findall(r"--([a-z-]+)", block)), options_of(verb))

    def test_steps(self):
        steps = re.findall(r"(?m)^  ([a-z]+) ", run("setup", "--help").split("Options:")[0])
        self.assertEqual(re.findall(r"(?m)^\*\*([a-z]+)\*\*$", section("STEPS")), steps)
        self.assertIn(" ".join(steps), read("client/vfioctl.bash-completion"))

    def test_verbs(self):
        verbs = re.search(r"setup \[([a-z|\[\]A-Z ]+)\] \[OPTION\]", run("setup", "--help")).group(1)
        self.assertEqual(re.findall(r"(?m)^\*\*([a-z]+)\*\*", section("VERBS")), re.findall("[a-z]+", verbs))

    def test_gates(self):
        code = set()
        for name in os.listdir(os.path.join(TOP, "client/setup")):
            if name.startswith("step-") and name.endswith(".c"):
                code |= set(re.findall(r'plan_gate\([^;]*?"([a-z-]+)"', read(f"client/setup/{name}")))
        self.assertEqual(set(re.findall(r"(?m)^\*\*([a-z-]+)\*\*$", section("GATES"))), code)

    def test_exit_statuses(self):
        code = re.findall(r"EXIT_\w+ = (\d)", read("client/setup/options.h"))
        self.assertEqual(re.findall(r"(?m)^(\d)$", section("EXIT STATUS")), code)

    def test_files_of_the_page_are_written_somewhere(self):
        code = "".join(read(f"client/setup/{name}") for name in os.listdir(os.path.join(TOP, "client/setup")))
        for path in re.findall(r"\*(/etc/[\w./-]+)\*", section("FILES")):
            self.assertIn(f'"{path}"', code)


if __name__ == "__main__":
    unittest.main(verbosity=2)
