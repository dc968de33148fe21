#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--isolate=slices: the hook that moves the host away from the guest's CPUs and back."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from setup_world import WithRoot  # noqa: E402

HOOK = "/etc/libvirt/hooks/qemu.d/60-vfio-inputd"
UNITS = ("system.slice", "user.slice", "init.scope")


class Isolation(WithRoot):
    def wish(self, domain="Win 10", cpus="1,3"):
        return ("isolation", "--isolate=slices", f"--domain={domain}", f"--cpus={cpus}")

    def call(self, *words, fails=False):
        """What the hook, called as libvirt does, has systemctl do."""
        log = self.root.outside("/log")
        self.root.file("/log")
        self.root.program("systemctl", f"#!/bin/sh\necho \"$@\" >>{log}\nexit {int(fails)}\n")
        subprocess.run([self.root.outside(HOOK), *words], check=True, input="<domain/>", text=True,
                       env={"PATH": f"{self.root.outside('/usr/bin')}:/usr/bin:/bin"})
        return self.root.read("/log").splitlines()

    def expected(self, cpus):
        return [f"set-property --runtime -- {unit} AllowedCPUs={cpus}" for unit in UNITS]

    def test_host_goes_away_and_comes_back(self):
        self.apply(*self.wish())
        self.assertEqual(self.call("Win 10", "prepare", "begin", "-"), self.expected("0,2"))
        self.assertEqual(self.call("Win 10", "release", "end", "-"), self.expected("0-3"))

    def test_other_domains_and_operations_are_let_alone(self):
        self.apply(*self.wish())
        for words in (("Win", "prepare"), ("win 10", "prepare"), ("Win 10", "start"), ("Win 10", "stopped"), ("Win 10",), ()):
            self.assertEqual(self.call(*words), [])

    def test_guest_starts_even_if_systemd_refuses(self):
        self.apply(*self.wish())
        self.assertEqual(self.call("Win 10", "prepare", "begin", "-", fails=True), self.expected("0,2"))

    def test_name_is_no_code(self):
        self.apply(*self.wish(domain="$(touch x) `id` \"*"))
        self.assertEqual(self.call("$(touch x) `id` \"*", "prepare"), self.expected("0,2"))

    def test_twice_and_undo(self):
        before = self.tree()
        self.apply(*self.wish())
        once = self.tree()
        self.assertEqual(self.ok("plan", "--json", *self.wish()).json["files"], [])
        self.apply(*self.wish())
        self.assertEqual(self.tree(), once)
        self.undo()
        self.assertEqual(self.tree(), before)

    def test_undo_refuses_what_was_changed_since(self):
        self.apply(*self.wish())
        self.root.file(HOOK, "#!/bin/sh\nexit 0\n", 0o755)
        done = self.run_setup("undo", "--yes")
        self.assertEqual(done.status, 4)
        self.assertEqual(self.root.read(HOOK), "#!/bin/sh\nexit 0\n")

    def test_which_guest_must_be_said(self):
        for words, reason in ((("isolation", "--isolate=slices", "--cpus=1,3"), "while which guest runs"),
                              (self.wish(domain="c7a5fdbd-edaf-9455-926a-d65c16db1809"), "not its UUID"),
                              (self.wish(domain="a'b"), "cannot stand in a hook")):
            done = self.run_setup("plan", *words)
            self.assertEqual(done.status, 1)
            self.assertIn(reason, done.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
