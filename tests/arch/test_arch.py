# SPDX-License-Identifier: LGPL-2.1-or-later
"""What no compiler checks: the arrows between the folders, and that names agree.

Reads the sources, runs nothing. $top_srcdir is the tree.
"""

import os
import pathlib
import re
import unittest

TOP = pathlib.Path(os.environ.get("top_srcdir", pathlib.Path(__file__).parents[2]))

# folder -> the folders whose headers its files may include (HACKING.md says why)
ARROWS = {
    "common": {"common"},
    "daemon/core": {"common", "daemon/core"},
    "daemon/input": {"common", "daemon/core", "daemon/input"},
    "daemon/guest": {"common", "daemon/guest"},
    "client": {"common", "client"},
    "client/setup": {"common", "client", "client/setup"},
}


def read(path):
    return (TOP / path).read_text(encoding="utf-8")


def sources(folder):
    """The C files of ours below a folder, as paths relative to the tree."""
    return sorted(p.relative_to(TOP) for p in (TOP / folder).rglob("*.[ch]"))


def folder_of(path):
    """The entry of ARROWS that a file belongs to."""
    path = pathlib.PurePath(path)
    return next((str(p) for p in path.parents if str(p) in ARROWS), str(path.parent))


class Arrows(unittest.TestCase):
    def includes(self):
        for folder in ARROWS:
            for path in (p for p in sources(folder) if folder_of(p) == folder):
                for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', read(path), re.M):
                    yield folder, path, name

    def test_includes_are_rooted(self):
        for _, path, name in self.includes():
            with self.subTest(file=str(path), include=name):
                self.assertTrue((TOP / name).is_file(), "write the path from the top of the tree")

    def test_arrows_point_one_way(self):
        for folder, path, name in self.includes():
            with self.subTest(file=str(path), include=name):
                self.assertIn(folder_of(name), ARROWS[folder], f"{folder} may not include this")


class Lists(unittest.TestCase):
    def test_every_source_is_in_the_makefile(self):
        # A program without a list of sources is made of the file that it is named after.
        words = set(re.findall(r"[\w./-]+", read("Makefile.am")))
        for folder in ["client", "common", "daemon", "tests"]:
            for path in sources(folder):
                with self.subTest(file=str(path)):
                    listed = str(path) in words or str(path.with_suffix("")) in words
                    self.assertTrue(listed, "neither built nor in the tarball")

    def test_every_source_names_its_licence(self):
        for folder in ["client", "common", "daemon", "tests"]:
            for path in sources(folder):
                with self.subTest(file=str(path)):
                    self.assertIn("SPDX-License-Identifier: LGPL-2.1-or-later", read(path)[:200])


class Names(unittest.TestCase):
    ACTION = r"\borg\.vfio\.(?:inputd|guestd)1\.[a-z]+\b"

    def policy(self):
        return set(re.findall(r'<action id="([^"]+)"', read("systemd/org.vfio.inputd1.policy")))

    def test_actions_of_page_and_policy_agree(self):
        page = set(re.findall(self.ACTION, read("doc/dbus-api.rst")))
        self.assertEqual(page, self.policy())

    def test_actions_of_code_are_in_the_policy(self):
        for path in sources("daemon"):
            for action in re.findall(f'"({self.ACTION})"', read(path)):
                with self.subTest(file=str(path), action=action):
                    self.assertIn(action, self.policy())

    def test_errors_of_page_and_code_agree(self):
        code = set(re.findall(r'"org\.vfio\.Error\.(\w+)"', read("common/names.h")))
        section = read("doc/dbus-api.rst").split("\nErrors\n======\n")[1]
        section = section[: section.index("org.freedesktop")]
        self.assertEqual(set(re.findall(r"``(\w+)``", section)), code)

    def test_policy_lets_every_manager_interface_in(self):
        for name in re.findall(r'_MANAGER_IFACE "([^"]+)"', read("common/names.h")):
            service = name.removesuffix(".Manager")
            with self.subTest(service=service):
                self.assertIn(f'send_interface="{name}"', read(f"systemd/{service}.conf"))

    def test_every_program_and_file_has_its_page(self):
        pages = {p.name for p in (TOP / "doc").glob("*.[1-8].rst")}
        named = {"vfioctl(1)", "vfioctl-setup(1)", "vfio-inputd(8)", "vfio-guestd(8)", "vfio-inputd.conf(5)"}
        for unit in (TOP / "systemd").glob("*.service.in"):
            named |= set(re.findall(r"man:(\S+\(\d\))", unit.read_text(encoding="utf-8")))
        for page in sorted(named):
            with self.subTest(page=page):
                self.assertIn(re.sub(r"\((\d)\)", r".\1.rst", page), pages)


if __name__ == "__main__":
    unittest.main()
