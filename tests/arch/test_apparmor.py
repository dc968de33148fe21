# SPDX-License-Identifier: LGPL-2.1-or-later
"""Profiles that can be compiled, and the line in the administrator's file: put in once, taken out whole."""

import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(os.environ.get("top_srcdir", pathlib.Path(__file__).parents[2]))
SCRIPT = TOP / "apparmor/vfio-inputd-apparmor.in"
SYSTEM = pathlib.Path("/etc/apparmor.d")
SBIN = "/usr/sbin:/sbin"

# What Debian 12 and Debian 13 have at the end of abstractions/libvirt-qemu.
OLD = "  /dev/kvm rw,\n\n  #include <local/abstractions/libvirt-qemu>\n"
NEW = ("  /dev/kvm rw,\n\n  include if exists <abstractions/libvirt-qemu.d>\n\n"
       "  include if exists <local/abstractions/libvirt-qemu>\n")
LINE = b"include if exists <abstractions/libvirt-qemu.d> # by vfio-inputd\n"
HAS_PARSER = shutil.which("apparmor_parser", path=SBIN) and (SYSTEM / "tunables/global").exists()


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.dir = self.folder / "apparmor.d"
        self.abstraction = self.dir / "abstractions/libvirt-qemu"
        self.abstraction.parent.mkdir(parents=True)
        self.site = self.dir / "local/abstractions/libvirt-qemu"
        self.set_parser("exit 0")

    def set_parser(self, text):
        """An apparmor_parser that is found first."""
        parser = self.folder / "bin/apparmor_parser"
        parser.parent.mkdir(exist_ok=True)
        parser.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        parser.chmod(0o755)

    def write_site(self, content, mode=0o644):
        self.site.parent.mkdir(parents=True, exist_ok=True)
        self.site.write_bytes(content)
        self.site.chmod(mode)

    def run_script(self, *arguments):
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(["sh", str(SCRIPT), *arguments, str(self.dir)], env=os.environ | {"PATH": path},
                              capture_output=True, text=True, timeout=60, check=False)

    def do(self, verb, status=0):
        result = self.run_script(verb)
        self.assertEqual(result.returncode, status, result)
        return result

    def files(self):
        """Everything there is: names, contents, modes."""
        return {str(p.relative_to(self.dir)): (p.read_bytes(), stat.S_IMODE(p.stat().st_mode))
                for p in self.dir.rglob("*") if p.is_file()}


class OldAbstraction(Case):
    CONTENTS = (b"", b"/a r,\n", b"/a r,\n\n", b"no newline at the end", b"\n", b"# caf\xe9 \xff\x00 #\n",
                b"# include <abstractions/libvirt-qemu.d>\n", b"#include <abstractions/libvirt-qemu.dd>\n")

    def setUp(self):
        super().setUp()
        self.abstraction.write_text(OLD, encoding="utf-8")

    def test_added_once_and_removed_whole(self):
        for content in self.CONTENTS:
            with self.subTest(content=content):
                self.write_site(content, mode=0o640)
                before = self.files()
                self.do("status", 1)
                self.do("add")
                self.assertEqual(self.site.read_bytes(), LINE + content)
                self.do("add")
                self.assertEqual(self.site.read_bytes(), LINE + content)
                self.assertEqual(stat.S_IMODE(self.site.stat().st_mode), 0o640)
                self.do("status")
                self.do("remove")
                self.do("remove")
                self.assertEqual(self.files(), before)

    def test_line_moved_by_the_administrator(self):
        self.write_site(b"/a r,\n" + LINE + b"/b r,")
        self.do("add")
        self.do("remove")
        self.assertEqual(self.site.read_bytes(), b"/a r,\n/b r,")

    def test_line_of_the_administrators_own(self):
        for own in (b"include if exists <abstractions/libvirt-qemu.d>\n", b'  #include "abstractions/libvirt-qemu.d/"\n'):
            with self.subTest(own=own):
                self.write_site(own)
                for verb in ("status", "add", "remove"):
                    self.do(verb)
                    self.assertEqual(self.site.read_bytes(), own)

    def test_no_file_yet(self):
        """An empty one must stay: the abstraction includes it."""
        self.do("add")
        self.do("status")
        self.assertEqual(stat.S_IMODE(self.site.stat().st_mode), 0o644)
        self.do("remove")
        self.assertEqual(self.site.read_bytes(), b"")

    def test_file_of_ours_goes_with_libvirt(self):
        self.do("add")
        self.abstraction.unlink()
        self.do("remove")
        self.assertFalse(self.site.exists())

    def test_file_of_ours_with_lines_of_the_administrator(self):
        self.do("add")
        self.site.write_bytes(self.site.read_bytes() + b"/a r,\n")
        self.abstraction.unlink()
        self.do("remove")
        self.assertEqual(self.site.read_bytes(), b"/a r,\n")

    def test_symbolic_link_stays_one(self):
        real = self.dir / "elsewhere"
        real.write_bytes(b"/a r,\n")
        self.site.parent.mkdir(parents=True)
        self.site.symlink_to(real)
        self.do("add")
        self.assertTrue(self.site.is_symlink())
        self.assertEqual(real.read_bytes(), LINE + b"/a r,\n")

    def test_nothing_is_changed_if_the_parser_objects(self):
        self.write_site(b"/a r,\n")
        before = self.files()
        self.set_parser("echo no such mode; exit 1")
        result = self.do("add", 1)
        self.assertIn("no such mode", result.stderr)
        self.assertEqual(self.files(), before)

    def test_removed_even_if_the_parser_objects(self):
        self.write_site(b"nonsense\n")
        self.do("add")
        self.set_parser("exit 1")
        self.do("remove")
        self.assertEqual(self.site.read_bytes(), b"nonsense\n")

    def test_upgraded_to_the_new_abstraction(self):
        self.write_site(b"/a r,\n")
        self.do("add")
        self.abstraction.write_text(NEW, encoding="utf-8")
        self.do("add")
        self.assertEqual(self.site.read_bytes(), b"/a r,\n")
        self.do("status")


class OtherAbstractions(Case):
    def test_new_one_needs_nothing(self):
        self.abstraction.write_text(NEW, encoding="utf-8")
        self.write_site(b"/a r,\n")
        before = self.files()
        for verb in ("status", "add", "status", "remove"):
            self.do(verb)
            self.assertEqual(self.files(), before)

    def test_upgraded_without_a_file_of_the_administrator(self):
        self.abstraction.write_text(OLD, encoding="utf-8")
        self.do("add")
        self.abstraction.write_text(NEW, encoding="utf-8")
        self.do("add")
        self.assertFalse(self.site.exists())

    def test_no_libvirt(self):
        for verb in ("status", "add", "remove"):
            self.do(verb)
        self.assertEqual(self.files(), {})

    def test_one_that_includes_nothing(self):
        self.abstraction.write_text("  /dev/kvm rw,\n", encoding="utf-8")
        before = self.files()
        self.assertIn("has no include", self.do("add", 1).stderr)
        self.do("status", 1)
        self.assertEqual(self.files(), before)

    def test_usage(self):
        self.assertEqual(self.run_script().returncode, 2)
        self.assertEqual(self.run_script("add", "more").returncode, 2)


@unittest.skipUnless(HAS_PARSER, "apparmor_parser or its abstractions are missing")
class Compiled(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "bin/apparmor_parser").unlink()
        for name in ("abi", "tunables"):
            shutil.copytree(SYSTEM / name, self.dir / name)
        self.abstraction.write_text(OLD, encoding="utf-8")
        self.drop_in = self.dir / "abstractions/libvirt-qemu.d/vfio-inputd"
        self.drop_in.parent.mkdir()
        shutil.copy(TOP / "apparmor/libvirt-qemu", self.drop_in)

    def compile(self, text):
        result = subprocess.run(["apparmor_parser", "-Q", "-K", "--base", self.dir], input=text, text=True,
                                env={"PATH": SBIN}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                                check=False)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_daemons(self):
        for name in ("vfio-inputd", "vfio-guestd"):
            with self.subTest(profile=name):
                text = (TOP / f"apparmor/{name}.in").read_text(encoding="utf-8")
                for variable, value in (("libexecdir", "/usr/libexec"), ("sysconfdir", "/etc")):
                    text = text.replace(f"@{variable}@", value)
                self.compile(text)

    def test_add_is_checked(self):
        self.write_site(b"/a r,\n")
        self.do("add")
        self.assertEqual(self.site.read_bytes(), LINE + b"/a r,\n")

    def test_mistake_in_the_file_of_the_administrator(self):
        self.write_site(b"/a nonsense,\n")
        self.do("add", 1)
        self.assertEqual(self.site.read_bytes(), b"/a nonsense,\n")

    def test_mistake_in_the_drop_in(self):
        self.write_site(b"")
        self.drop_in.write_text("nonsense", encoding="utf-8")
        self.do("add", 1)
        self.assertEqual(self.site.read_bytes(), b"")


if __name__ == "__main__":
    unittest.main()
