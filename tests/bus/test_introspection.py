# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemons say of themselves on the bus is what doc/dbus-api.rst says of them, member by member."""

import os
import pathlib
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parent / "inputd-fake"))

import world  # noqa: E402
from world import World  # noqa: E402

GUESTD = pathlib.Path(os.environ.get("VFIO_GUESTD", world.BUILD / "tests/bus/vfio-guestd-fake"))
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def sections():
    """Interface name -> what the page says below its heading."""
    page = (world.TOP / "doc/dbus-api.rst").read_text(encoding="utf-8")
    parts = re.split(r"^(?:Interface ([\w.]+), object .*|[\w.]+)\n[=-]+\n", page, flags=re.M)
    return {name: text for name, text in zip(parts[1::2], parts[2::2]) if name}


def arguments(text):
    return [tuple(a.split()) for a in text.split(", ")] if text else []


def documented(text):
    """The members in one section: (kind, name) -> arguments, or the type of a property."""
    members = {}
    signals = text.partition("\nSignals\n")[2]
    for line in re.findall(r"^``.*", text, re.M):
        for name, args, result in re.findall(r"``(\w+)\(([^)]*)\)(?: -> \((.*?)\))?``", line):
            if line in signals or line.endswith("(signal)"):
                members["signal", name] = arguments(args)
            else:
                members["method", name] = (arguments(args), arguments(result))
    for name, kind in re.findall(r"``([A-Z]\w*)``\s+(a?[sbqutox]\b|a\(\w+\))", text):
        members["property", name] = kind
    return members


def live(xml):
    """The same of what Introspect returned: interface -> members; and property -> its change signals."""
    interfaces, changes = {}, {}
    for interface in ElementTree.fromstring(xml).iter("interface"):
        members = interfaces[interface.get("name")] = {}
        for member in interface:
            name, args = member.get("name"), member.findall("arg")
            if member.tag == "method":
                members["method", name] = tuple([(a.get("type"), a.get("name")) for a in args
                                                 if a.get("direction") == way] for way in ("in", "out"))
            elif member.tag == "signal":
                members["signal", name] = [(a.get("type"), a.get("name")) for a in args]
            elif member.tag == "property":
                members["property", name] = member.get("type")
                emits = member.find(f"annotation[@name='{EMITS}']")
                changes[name] = "true" if emits is None else emits.get("value")
                assert member.get("access") == "read", name
    return interfaces, changes


class Page(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def check(self, paths, prefix, name):
        """Every interface of ours behind these paths stands in the page, and the other way round."""
        page, interfaces = sections(), {}
        self.changes = {}
        for path in paths:
            xml = self.world.raw_call(path, "org.freedesktop.DBus.Introspectable", "Introspect", name=name)[0]
            found, self.changes[path] = live(xml)
            interfaces |= {n: members for n, members in found.items() if n.startswith("org.vfio.")}
        self.assertEqual(set(interfaces), {n for n in page if n.startswith(prefix)})
        for interface, members in interfaces.items():
            with self.subTest(interface=interface):
                self.assertEqual(documented(page[interface]), members)

    def test_inputd(self):
        self.world.plug("event3", "keyboard")
        self.world.start()
        self.world.wait_device("event3", "grabbed")
        root = world.ROOT
        self.check([root, f"{root}/device/1", f"{root}/target/host"], "org.vfio.Inputd1", world.NAME)
        # "all with change signals, but Version"; HeldKeys would tell of each key.
        self.assertEqual({n for n, emits in self.changes[root].items() if emits != "true"}, {"Version"})
        self.assertEqual(self.changes[f"{root}/device/1"]["HeldKeys"], "false")

    def test_guestd(self):
        if not GUESTD.exists():
            self.skipTest("vfio-guestd is not built")
        self.world.config.write_text('guests = ( { name = "win"; qmp = "/nonexistent/qmp"; } );\n')
        self.world.start()
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.world.address}
        environment.pop("NOTIFY_SOCKET", None)
        process = subprocess.Popen([*world.WRAPPER, str(GUESTD), f"--config={self.world.config}"], env=environment,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, world.DEADLINE)
        self.addCleanup(process.terminate)
        self.world.wait("vfio-guestd", lambda: self.world.owners.get("org.vfio.Guestd1"))
        self.check(["/org/vfio/Guestd1", "/org/vfio/Guestd1/guest/win"], "org.vfio.Guestd1", "org.vfio.Guestd1")

    def test_parser_of_the_page(self):
        """It finds what is there, or the comparison would be of nothing with nothing."""
        page = sections()
        self.assertEqual(len(page), 5)
        manager = documented(page["org.vfio.Inputd1.Manager"])
        self.assertEqual(manager["method", "Identify"], ([], [("o", "device")]))
        self.assertEqual(manager["signal", "Switched"], [("s", "from"), ("s", "to"), ("s", "reason")])
        self.assertEqual(manager["property", "Toggle"], "as")
        self.assertEqual(manager["method", "SetToggle"], ([("s", "name"), ("as", "keys")], []))
        manager = documented(page["org.vfio.Guestd1.Manager"])
        self.assertEqual(manager["method", "ListGrants"], ([], [("a(sssua(sss))", "grants")]))
        self.assertEqual(documented(page["org.vfio.Guestd1.Guest"])["property", "Layers"], "a(sss)")


if __name__ == "__main__":
    unittest.main()
