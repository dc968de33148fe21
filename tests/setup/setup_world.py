# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the built vfioctl-setup on machines made of files."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import fixtures

TOP_BUILD = os.environ.get("top_builddir", ".")
PROGRAM = os.path.join(TOP_BUILD, "vfioctl-setup")
LONGEST = 60


class Done:
    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    @property
    def json(self):
        return json.loads(self.out)


class WithRoot(unittest.TestCase):
    FAMILY = "debian"
    maxDiff = None

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="vfio-setup-")
        self.addCleanup(shutil.rmtree, folder)
        self.root = fixtures.build(folder, self.FAMILY)

    def run_setup(self, *words, before=(), wait=True, **how):
        command = [*before, PROGRAM, "setup", *words, f"--root={self.root.path}", "--no-rebuild"]
        if not wait:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    text=True, **how)
        return Done(subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST,
                                   check=False, **how))

    def ok(self, *words, **how):
        done = self.run_setup(*words, **how)
        self.assertEqual(done.status, 0, done.err)
        return done

    def apply(self, *words):
        return self.ok("apply", "--yes", "--quiet", *words)

    def undo(self, *words):
        return self.ok("undo", "--yes", "--quiet", *words)

    def tree(self):
        return fixtures.tree(self.root)
