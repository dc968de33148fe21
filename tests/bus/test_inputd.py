# SPDX-License-Identifier: LGPL-2.1-or-later
"""vfio-inputd on a bus of its own: what doc/dbus-api.rst promises, and what its callers can do to it.

The program is the daemon itself, with the kernel's devices, uinput and udev played by inputd-fake/.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "inputd-fake"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from gi.repository import Gio, GLib  # noqa: E402

import polkit_fake  # noqa: E402
import world  # noqa: E402
from world import DEVICE, EV_KEY, EV_LED, EV_REL, MANAGER, NOBODY, ROOT, TARGET, BusError, World  # noqa: E402

VFIO = "org.vfio.Error."
DBUS = "org.freedesktop.DBus.Error."
INVALID, DENIED, LIMITS = DBUS + "InvalidArgs", DBUS + "AccessDenied", DBUS + "LimitsExceeded"
PASSWORD = DBUS + "InteractiveAuthorizationRequired"
GUESTD = "org.vfio.Guestd1"

LEFTCTRL, RIGHTCTRL, ESC, BACKSPACE, ENTER, A, B = 29, 97, 1, 14, 28, 30, 48
F5, ALTS, METAS = 63, (56, 100), (125, 126)
BTN_LEFT, REL_X, LED_CAPSL = 0x110, 0, 1
CAPSL = (EV_LED, LED_CAPSL, 1)

# Every method with arguments that are right, and the action that it needs.
METHODS = {
    "Switch": ("s", ["host"], "switch"),
    "Toggle": ("", [], "switch"),
    "Pause": ("", [], "pause"),
    "Resume": ("", [], "pause"),
    "Reload": ("", [], "reload"),
    "Identify": ("", [], "identify"),
    "AddGuest": ("s", ["new"], "manage"),
    "RemoveGuest": ("s", ["win"], "manage"),
    "SetReady": ("sbs", ["conf", False, "gone"], "manage"),
    "SetStopped": ("ss", ["conf", "paused"], "manage"),
    "SetToggle": ("sas", ["new", ["f5"]], "manage"),
    "SetGrabToggle": ("ss", ["new", "alt-alt"], "manage"),
}
HOSTILE = ["", "nope", "../x", "a/b", "HOST", "host ", "ho:st", "a\nb", "x" * 33, "x" * 100000, "%s%n", "日本", "-a", "."]


class Case(unittest.TestCase):
    """A daemon for each test, started with this configuration and these devices."""

    CONFIG = 'guests = ( { name = "conf"; } );\n'
    START = True

    def setUp(self):
        self.world = self.w = World()
        self.addCleanup(self.world.close)
        self.w.config.write_text(self.CONFIG)
        if os.geteuid() != 0:
            self.w.on_new_bus = self.start_polkit
        if self.START:
            self.w.start()

    def start_polkit(self, answer=polkit_fake.YES):
        return polkit_fake.Polkit(self.w.connect(), answer)

    def refused(self, error, member, signature="", *arguments, text="", **keywords):
        with self.assertRaises(BusError) as context:
            self.w.call(member, signature, *arguments, **keywords)
        self.assertEqual(context.exception.name, error, context.exception.message)
        self.assertIn(text, context.exception.message)
        return context.exception.message

    def add_ready(self, name):
        self.w.call("AddGuest", "s", name)
        self.w.call("SetReady", "sbs", name, True, "attached")

    def start_identify(self, connection=None):
        """It is under way when the next caller is told so; calls of one connection keep their order."""
        answer = self.w.start_call(ROOT, MANAGER, "Identify", connection=connection)
        self.refused(VFIO + "Busy", "Identify", connection=connection)
        return answer

    def assert_switched(self, *arguments):
        self.w.wait(f"Switched{arguments}", lambda: any(s[2] == "Switched" for s in self.w.signals))
        self.assertEqual(self.w.take_signals("Switched"), [arguments])

    def wait_change(self, path, interface, **properties):
        """Until a change signal with these properties has come."""
        def seen():
            return any(s[0] == path and s[2] == "PropertiesChanged" and s[3][0] == interface and
                       properties.items() <= s[3][1].items() for s in self.w.signals)
        self.w.wait(f"change of {path} to {properties}", seen)


class Starting(Case):
    START = False

    def test_nothing_to_share(self):
        self.w.config.unlink()
        self.w.start()
        self.assertEqual(self.w.get("ActiveTarget"), "host")
        self.assertFalse(self.w.get("Paused"))
        self.assertEqual(self.w.get("Toggle"), ["leftctrl", "rightctrl"])
        self.assertRegex(self.w.get("Version"), r"^[0-9]+\.[0-9]+")
        self.assertEqual(list(self.w.targets()), ["host"])
        self.assertEqual(self.w.devices(), {})

    def test_configured_guests_are_there_before_ready(self):
        self.w.start_bus()
        self.w.spawn()
        self.w.wait_ready()
        ready = next(i for i, (text, _) in enumerate(self.w.notified) if text == "READY=1")
        before = [text.splitlines()[-1] for text, _ in self.w.notified[:ready]]
        self.assertEqual(before, ["FDNAME=keyboard-conf", "FDNAME=pointer-conf"])

    def test_bad_configuration_runs_on_the_defaults(self):
        self.w.config.write_text('toggle = [ "f12", "f12" ];\n\nnonsense = 1;\n')
        self.w.start()
        self.assertEqual(self.w.get("Toggle"), ["leftctrl", "rightctrl"])
        line = self.w.wait("a line about it", lambda: self.w.logged("running on the defaults"))[0]
        self.assertIn(f"{self.w.config}:3: ", line)
        self.assertIn("nonsense", line)

    def test_configuration_that_is_a_folder(self):
        self.w.config.unlink()
        self.w.config.mkdir()
        self.w.start()
        self.assertTrue(self.w.logged("running on the defaults"))

    def test_bus_comes_later(self):
        self.w.spawn()
        self.w.wait_ready()
        self.w.start_bus()
        self.w.wait("its name", lambda: self.w.owners.get(world.NAME))
        self.assertEqual(self.w.get("ActiveTarget"), "host")
        self.assertEqual(len(self.w.logged("no system bus")), 1)

    def test_kernel_makes_no_device(self):
        self.w.write("uinput-errno", "13")
        self.w.start()
        self.assertEqual(list(self.w.targets()), ["host"])
        self.assertTrue(self.w.logged("guest conf: cannot create its nodes: Permission denied"))

    def test_no_udev(self):
        (self.w.folder / "control").unlink()
        self.w.spawn()
        self.assertEqual(self.w.wait("its end", lambda: self.w.exited), [1])
        self.assertTrue(self.w.logged("cannot list the input devices"))

    def test_second_daemon_says_that_it_has_no_name(self):
        self.w.start()
        other = World()
        self.addCleanup(other.close)
        other.address = self.w.address
        other.spawn()
        other.wait("a line about the name", lambda: other.logged("does not give us the name"))
        self.assertEqual(self.w.get("ActiveTarget"), "host")

    def test_watchdog(self):
        self.w.start(env={"WATCHDOG_USEC": "200000"})
        self.w.wait("three signs of life", lambda: len(self.w.notifications("WATCHDOG=1")) >= 3)

    def test_guestd_is_asked_for(self):
        self.w.start()
        self.w.wait("a line about vfio-guestd", lambda: self.w.logged("vfio-guestd does not start"))

    def test_ends(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(signal=number):
                w = World()
                self.addCleanup(w.close)
                keyboard = w.plug("event3", "keyboard")
                w.config.write_text(self.CONFIG)
                w.start_bus()
                w.spawn()
                w.wait_ready()
                self.assertEqual(w.stop(number), 0)
                w.wait("STOPPING=1", lambda: w.notifications("STOPPING=1"))
                w.wait("its device", lambda: keyboard.closed == 1)
                # The virtual devices stay in the store.
                self.assertEqual(w.notifications("FDSTOREREMOVE"), [])
                self.assertEqual(len(w.store), 3)


class Arguments(unittest.TestCase):
    """The command line; nothing of it needs a bus."""

    def run_it(self, *arguments):
        return subprocess.run([*world.WRAPPER, str(world.PROGRAM), *arguments], capture_output=True, text=True,
                              timeout=world.DEADLINE)

    def test_help_and_version(self):
        for option in "--help", "-h":
            result = self.run_it(option)
            self.assertEqual(result.returncode, 0)
            self.assertTrue(result.stdout.startswith("Usage: vfio-inputd"))
        result = self.run_it("--version")
        self.assertEqual((result.returncode, result.stdout.split()[0]), (0, "vfio-inputd"))

    def test_wrong_usage(self):
        for arguments in (["--nonsense"], ["extra"], ["--config"], ["--check=1"], ["-x"]):
            with self.subTest(arguments=arguments):
                result = self.run_it(*arguments)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertTrue(result.stderr)

    def test_check(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "c.conf"
            result = self.run_it("--check", f"--config={config}")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            config.write_text("grab-wait-ms = 10;\n")
            self.assertEqual(self.run_it("--check", "-c", str(config)).returncode, 0)
            config.write_text("\ngrab-wait-ms = 1000000;\n")
            result = self.run_it("--check", "-c", str(config))
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"{config}:2: ", result.stderr)

    def test_the_page_has_the_options_of_the_help(self):
        page = (world.TOP / "doc/vfio-inputd.8.rst").read_text(encoding="utf-8")
        section = re.search(r"\nOPTIONS\n=+\n(.*?)\n[A-Z ]+\n=+\n", page, re.S)[1]
        option = r"(?<![\w-])--?[a-z][a-z-]*"
        documented = {o for line in re.findall(r"^-.*", section, re.M) for o in re.findall(option, line)}
        lines = re.findall(r"^ +(-.*?)(?:  |$)", self.run_it("--help").stdout, re.M)
        shown = {o for line in lines for o in re.findall(option, line)}
        self.assertEqual(documented, shown)
        self.assertIn("--config", shown)


class Methods(Case):
    def test_arguments_are_checked(self):
        wrong = {"": ["s", "i", "ss"], "s": ["", "i", "ss", "as", "v", "o"], "sbs": ["", "s", "sb", "sbss", "sis", "sbi"],
                 "sas": ["", "s", "as", "ss"], "ss": ["", "s", "sbs"]}
        values = {"s": ["host"], "i": [1], "ss": ["a", "b"], "as": [["a"]], "v": [GLib.Variant("s", "host")],
                  "o": ["/a"], "": [], "sb": ["a", True], "sbs": ["a", True, "b"], "sbss": ["a", True, "b", "c"], "sis": ["a", 1, "b"],
                  "sbi": ["a", True, 1]}
        for member, (signature, _, _) in METHODS.items():
            for other in wrong[signature]:
                with self.subTest(member=member, signature=other):
                    self.refused(INVALID, member, other, *values[other])
        self.assertEqual(self.w.get("ActiveTarget"), "host")

    def test_what_does_not_exist(self):
        self.refused(DBUS + "UnknownMethod", "Nonsense")
        everything = GLib.Variant("(s)", ("",))
        for path, interface, member, arguments in (
                (ROOT, "org.vfio.Nonsense", "Switch", None),
                (ROOT, TARGET, "Toggle", None),
                (ROOT + "/target/conf", MANAGER, "Toggle", None),
                (ROOT + "/target", MANAGER, "Toggle", None),
                ("/", MANAGER, "Toggle", None),
                (ROOT + "/target/nope", world.PROPERTIES, "GetAll", everything),
                (ROOT + "/target/../conf".replace(".", "_"), world.PROPERTIES, "GetAll", everything),
                (ROOT + "/device/1", world.PROPERTIES, "GetAll", everything)):
            with self.subTest(path=path, interface=interface), self.assertRaises(BusError) as context:
                self.w.raw_call(path, interface, member, arguments)
            # The bus's own policy speaks first for what is none of ours.
            self.assertIn(context.exception.name.removeprefix(DBUS),
                          ("UnknownMethod", "UnknownInterface", "UnknownObject", "AccessDenied"))
        self.assertRaises(BusError, self.w.get, "Nonsense")

    def test_properties_are_read_only(self):
        for name, value in (("ActiveTarget", GLib.Variant("s", "conf")), ("Paused", GLib.Variant("b", True))):
            with self.assertRaises(BusError) as context:
                self.w.raw_call(ROOT, world.PROPERTIES, "Set", GLib.Variant("(ssv)", (MANAGER, name, value)))
            self.assertEqual(context.exception.name, DBUS + "PropertyReadOnly")

    def test_unknown_targets(self):
        for name in HOSTILE:
            with self.subTest(name=name[:40]):
                self.refused(VFIO + "NoSuchTarget", "Switch", "s", name)
                self.refused(VFIO + "NoSuchTarget", "RemoveGuest", "s", name)
                self.refused(VFIO + "NoSuchTarget", "SetReady", "sbs", name, True, "")
        self.refused(VFIO + "NoSuchTarget", "RemoveGuest", "s", "host")
        self.refused(VFIO + "NoSuchTarget", "SetReady", "sbs", "host", False, "take over")

    def test_switch(self):
        self.refused(VFIO + "NotReady", "Switch", "s", "conf", text="conf is not ready: not attached to a guest")
        self.w.wait("SwitchRefused", lambda: any(s[2] == "SwitchRefused" for s in self.w.signals))
        self.assertEqual(self.w.take_signals("SwitchRefused"), [("conf", "not attached to a guest")])

        self.w.call("SetReady", "sbs", "conf", True, "")
        self.w.call("Switch", "s", "conf")
        self.assertEqual(self.w.get("ActiveTarget"), "conf")
        self.assert_switched("host", "conf", "request")
        self.wait_change(ROOT, MANAGER, ActiveTarget="conf")
        self.wait_change(ROOT + "/target/conf", TARGET, Switches=1)

        self.w.call("Switch", "s", "conf")
        self.w.call("Switch", "s", "host")
        self.assert_switched("conf", "host", "request")
        self.assertEqual(self.w.targets()["conf"]["Switches"], 1)
        self.assertEqual(self.w.targets()["host"]["Switches"], 1)

    def test_toggle(self):
        self.refused(VFIO + "NotReady", "Toggle", text="conf is not ready")
        self.assertEqual(self.w.get("ActiveTarget"), "host")
        self.add_ready("second")
        self.w.call("Toggle")
        self.assert_switched("host", "second", "request")
        self.w.call("SetReady", "sbs", "conf", True, "")
        self.w.call("Toggle")
        self.assert_switched("second", "host", "request")
        self.w.call("Toggle")
        self.assert_switched("host", "second", "request")

    def test_pause(self):
        self.w.call("SetReady", "sbs", "conf", True, "")
        self.w.call("Switch", "s", "conf")
        self.assert_switched("host", "conf", "request")
        self.w.call("Pause")
        self.assertTrue(self.w.get("Paused"))
        self.assert_switched("conf", "host", "paused")
        self.wait_change(ROOT, MANAGER, Paused=True)
        self.w.call("Pause")
        for member, *arguments in (("Switch", "s", "conf"), ("Toggle",), ("Identify",)):
            self.refused(VFIO + "Paused", member, *arguments)
        self.refused(VFIO + "NoSuchTarget", "Switch", "s", "nope")
        self.w.call("Resume")
        self.assertFalse(self.w.get("Paused"))
        self.wait_change(ROOT, MANAGER, Paused=False)
        self.w.call("Resume")
        self.w.call("Switch", "s", "conf")

    def test_lost_guest(self):
        self.w.call("SetReady", "sbs", "conf", True, "")
        self.w.call("Switch", "s", "conf")
        self.assert_switched("host", "conf", "request")
        self.w.call("SetReady", "sbs", "conf", False, "QEMU has ended")
        self.assertEqual(self.w.get("ActiveTarget"), "host")
        self.assert_switched("conf", "host", "QEMU has ended")
        self.wait_change(ROOT + "/target/conf", TARGET, Ready=False, Reason="QEMU has ended")

    def test_long_reasons(self):
        """They are cut, and still text: a cut through a character would take the signal away."""
        for reason in ("x" * 5000, "ü" * 100, "x" + "ü" * 100, "x" + "日" * 100, "xy" + "日" * 100, "🎮" * 100):
            with self.subTest(reason=reason[:4]):
                self.w.call("SetReady", "sbs", "conf", True, reason)
                self.w.call("Switch", "s", "conf")
                self.assert_switched("host", "conf", "request")
                self.w.call("SetReady", "sbs", "conf", False, reason)
                shown = self.w.targets()["conf"]["Reason"]
                self.assertTrue(len(shown) > 30 and reason.startswith(shown))
                self.assert_switched("conf", "host", shown)

    def test_reasons_stay_on_their_line_of_the_log(self):
        self.w.call("SetReady", "sbs", "conf", False, "first\nvfio-inputd: forged\r\x1b[2J")
        line = self.w.wait("the line", lambda: self.w.logged("forged"))[0]
        self.assertIn("first", line)
        self.assertNotIn("\x1b", line)

    def test_a_reason_is_never_empty(self):
        self.w.call("SetReady", "sbs", "conf", False, "")
        self.assertTrue(self.w.targets()["conf"]["Reason"])

    def test_same_readiness_is_no_news(self):
        for reason in "once", "x" * 500:
            self.w.call("SetReady", "sbs", "conf", True, reason)
            self.w.signals.clear()
            self.w.call("SetReady", "sbs", "conf", True, reason)
            self.w.get("Paused")
            self.assertEqual(self.w.signals, [])


class Focus(Case):
    CONFIG = 'guests = ( { name = "conf"; focus-on-start = true; } );\n'

    def test_readiness_never_switches(self):
        """What is a start only vfio-guestd knows: it calls Switch."""
        self.w.call("SetReady", "sbs", "conf", True, "")
        self.w.call("SetReady", "sbs", "conf", False, "stopped")
        self.w.call("SetReady", "sbs", "conf", True, "")
        self.assertEqual(self.w.get("ActiveTarget"), "host")
        self.assertEqual(self.w.take_signals("Switched"), [])


class NoGuest(Case):
    CONFIG = ""

    def test_toggle_without_a_guest(self):
        self.refused(VFIO + "NoSuchTarget", "Toggle")
        self.w.wait("SwitchRefused", lambda: any(s[2] == "SwitchRefused" for s in self.w.signals))
        self.assertEqual(self.w.take_signals("SwitchRefused"), [("", "there is no guest")])


class Reloading(Case):
    CONFIG = 'toggle = [ "f10", "f10" ];\nguests = ( { name = "conf"; } );\n'
    GOOD = 'toggle = [ "f12", "f12" ];\nguests = ( { name = "conf"; toggle = [ "f11" ]; }, { name = "other"; } );\n'
    BAD = 'toggle = [ "f12", "f12" ];\nguests = ( { name = "../x"; } );\n'

    def assert_new(self):
        self.assertEqual(self.w.get("Toggle"), ["f12", "f12"])
        self.assertEqual(sorted(self.w.targets()), ["conf", "host", "other"])
        self.assertEqual(self.w.targets()["conf"]["Toggle"], ["f11"])
        self.wait_change(ROOT, MANAGER, Toggle=["f12", "f12"])
        self.wait_change(ROOT + "/target/conf", TARGET, Toggle=["f11"])
        self.w.wait("Reloaded", lambda: self.w.take_signals("Reloaded"))

    def test_good(self):
        self.w.config.write_text(self.GOOD)
        self.w.call("Reload")
        self.assert_new()

    def test_good_by_signal(self):
        self.w.config.write_text(self.GOOD)
        self.w.kill(signal.SIGHUP)
        self.w.wait("READY=1 again", lambda: len(self.w.notifications("READY=1")) == 2)
        self.assertEqual(len(self.w.notifications("RELOADING=1")), 1)
        self.assert_new()

    def test_bad(self):
        self.w.config.write_text(self.BAD)
        self.refused(VFIO + "InvalidConfiguration", "Reload", text=f"{self.w.config}:2: ")
        self.assertEqual(self.w.get("Toggle"), ["f10", "f10"])
        self.assertEqual(sorted(self.w.targets()), ["conf", "host"])
        self.assertEqual(self.w.take_signals("Reloaded"), [])
        self.refused(VFIO + "Busy", "RemoveGuest", "s", "conf")

    def test_bad_by_signal(self):
        self.w.config.write_text(self.BAD)
        self.w.kill(signal.SIGHUP)
        self.w.wait("READY=1 again", lambda: len(self.w.notifications("READY=1")) == 2)
        line = self.w.wait("a line about it", lambda: self.w.logged("the configuration stays as it was"))[0]
        self.assertIn(f"{self.w.config}:2: ", line)
        self.assertEqual(self.w.get("Toggle"), ["f10", "f10"])

    def test_guest_that_is_no_longer_configured(self):
        self.refused(VFIO + "Busy", "RemoveGuest", "s", "conf")
        self.w.config.write_text("")
        self.w.call("Reload")
        self.assertIn("conf", self.w.targets())
        self.w.call("RemoveGuest", "s", "conf")
        self.assertNotIn("conf", self.w.targets())

    def test_many_times(self):
        for _ in range(50):
            self.w.call("Reload")
        self.assertEqual(sorted(self.w.targets()), ["conf", "host"])
        self.assertEqual(len(self.w.nodes), 2)


class Guests(Case):
    def test_names(self):
        for name in HOSTILE + ["host"]:
            if name == "nope":
                continue
            with self.subTest(name=name[:40]):
                self.refused(INVALID, "AddGuest", "s", name)
        for name in "0", "x" * 32, "a.b_c-d":
            self.w.call("AddGuest", "s", name)
            self.w.call("AddGuest", "s", name)
            self.assertEqual(self.w.targets()[name]["Name"], name)
        self.assertEqual(len(self.w.targets()), 5)

    def test_object(self):
        self.w.call("AddGuest", "s", "a.b-c")
        keyboard, pointer = self.w.node("vfio-inputd/guest/a.b-c/keyboard"), self.w.node("vfio-inputd/guest/a.b-c/pointer")
        self.assertEqual(keyboard.name, "vfio-inputd a.b-c keyboard")
        self.assertEqual(pointer.name, "vfio-inputd a.b-c pointer")
        target = self.w.targets()["a.b-c"]
        self.assertEqual(target, {"Name": "a.b-c", "Kind": "guest", "Ready": False, "Reason": "not attached to a guest",
                                  "Nodes": [keyboard.devnode, pointer.devnode], "Switches": 0, "Toggle": []})
        path, interfaces = self.w.wait("InterfacesAdded", lambda: self.w.take_signals("InterfacesAdded"))[0]
        self.assertEqual(path, ROOT + "/target/a_2eb_2dc")
        self.assertEqual(interfaces[TARGET]["Name"], "a.b-c")
        self.assertEqual(set(interfaces[TARGET]), set(target))

        self.w.call("RemoveGuest", "s", "a.b-c")
        self.assertEqual(self.w.wait("InterfacesRemoved", lambda: self.w.take_signals("InterfacesRemoved")),
                         [(path, [TARGET])])
        self.assertNotIn("a.b-c", self.w.targets())
        self.w.wait("the ends of its nodes", lambda: keyboard.closed and pointer.closed)

    def test_nodes_are_told_when_udev_is_done(self):
        self.w.write("slow-udev")
        self.w.call("AddGuest", "s", "slow")
        nodes = [self.w.node(f"vfio-inputd/guest/slow/{what}").devnode for what in ("keyboard", "pointer")]
        self.assertEqual(self.w.targets()["slow"]["Nodes"], [])
        self.w.command(f"settle {nodes[1]}")
        self.assertEqual(self.w.targets()["slow"]["Nodes"], [])
        self.w.command(f"settle {nodes[0]}")
        self.wait_change(ROOT + "/target/slow", TARGET, Nodes=nodes)
        self.assertEqual(self.w.targets()["slow"]["Nodes"], nodes)

    def test_as_many_as_there_can_be(self):
        for i in range(30):
            self.w.call("AddGuest", "s", f"g{i}")
        self.refused(VFIO + "Failed", "AddGuest", "s", "toomany")
        self.assertEqual(len(self.w.targets()), 32)
        self.assertEqual(len(self.w.store), 2 * 31)
        self.w.call("RemoveGuest", "s", "g7")
        self.w.call("AddGuest", "s", "again")
        self.assertEqual(len(self.w.targets()), 32)

    def test_kernel_makes_no_device(self):
        for error in 2, 13, 24:
            self.w.write("uinput-errno", str(error))
            self.refused(VFIO + "Failed", "AddGuest", "s", "new", text=os.strerror(error))
            self.assertNotIn("new", self.w.targets())
        self.assertEqual([s for s in self.w.signals if s[2].startswith("Interfaces")], [])
        self.w.remove("uinput-errno")
        self.w.call("AddGuest", "s", "new")
        self.assertIn("new", self.w.targets())

    def test_store(self):
        self.w.call("AddGuest", "s", "new")
        self.assertEqual(set(self.w.store), {"keyboard-conf", "pointer-conf", "keyboard-new", "pointer-new"})
        for name, fd in self.w.store.items():
            node = self.w.node("vfio-inputd/guest/{1}/{0}".format(*name.split("-")))
            self.assertEqual(world.socket_name(fd), str(self.w.folder / pathlib.Path(node.devnode).name))
        self.w.call("RemoveGuest", "s", "new")
        self.w.wait("the store without it", lambda: set(self.w.store) == {"keyboard-conf", "pointer-conf"})

    def test_removal_of_the_active_one(self):
        self.add_ready("new")
        self.w.call("Switch", "s", "new")
        self.assert_switched("host", "new", "request")
        self.w.call("RemoveGuest", "s", "new")
        self.assert_switched("new", "host", "the guest was removed")
        self.assertEqual(self.w.get("ActiveTarget"), "host")

    def restart(self, number):
        self.w.stop(number)
        self.w.notified = [n for n in self.w.notified if n[0] != "READY=1"]
        self.w.start(store=self.w.store)

    def test_restart(self):
        """Every node comes back as it was, whoever made it, and however the daemon ended."""
        keyboard = self.w.plug("event3", "keyboard")
        self.w.wait_device("event3", "grabbed")
        self.w.call("AddGuest", "s", "new")
        mirror, targets = self.w.node("vfio-inputd/host/3"), self.w.targets()
        for number in signal.SIGTERM, signal.SIGKILL:
            with self.subTest(signal=number):
                self.restart(number)
                self.assertEqual(self.w.targets(), targets)
                self.w.wait_device("event3", "grabbed")
                keyboard.tap(A)
                self.w.wait("a key", lambda: (A, 0) in mirror.keys())
                mirror.frames.clear()
        self.assertEqual([n.adopted for n in self.w.nodes], [2] * 5)
        self.assertEqual(self.w.notifications("FDSTOREREMOVE"), [])

    def test_restart_without_a_device(self):
        """Its mirror is not kept for ever."""
        self.w.plug("event3", "keyboard")
        self.w.wait_device("event3", "grabbed")
        mirror = self.w.node("vfio-inputd/host/3")
        del self.w.hardware["event3"]
        self.restart(signal.SIGKILL)
        self.w.wait("the end of the mirror", lambda: mirror.closed)
        self.assertEqual(set(self.w.store), {"keyboard-conf", "pointer-conf"})

    def test_restart_with_a_strange_store(self):
        fd = self.w.store["keyboard-conf"]
        for name in "keyboard-NO NAME", "keyboard-host", "pointer-alone", "nonsense", "host-1":
            self.w.store[name] = os.dup(fd)
        # What is no virtual device of ours is replaced by a new one.
        os.close(self.w.store["pointer-conf"])
        self.w.store["pointer-conf"] = os.open("/dev/null", os.O_RDWR)
        self.restart(signal.SIGKILL)
        self.assertEqual(list(self.w.targets()), ["host", "conf"])
        self.assertEqual(len(self.w.targets()["conf"]["Nodes"]), 2)
        self.w.wait("the new one", lambda: len(self.w.nodes) == 3)
        self.assertEqual(set(self.w.store), {"keyboard-conf", "pointer-conf"})


class GuestHotkeys(Case):
    """The own hotkeys of guests that are not in the configuration."""

    CONFIG = ('next = [ "f9" ];\nhost = [ "f10", "f10" ];\n'
              'guests = ( { name = "conf"; toggle = [ "f11", "f12" ]; } );\n')

    def setUp(self):
        super().setUp()
        self.add_ready("new")
        self.w.signals.clear()

    def set_toggle(self, name, *keys):
        self.w.call("SetToggle", "sas", name, list(keys))

    def hotkey(self, name="new"):
        return self.w.targets()[name]["Toggle"]

    def wrong(self, *keys, text, name="new"):
        before = self.hotkey(name)
        message = self.refused(INVALID, "SetToggle", "sas", name, list(keys), text=text)
        self.assertEqual(self.hotkey(name), before)
        return message

    def reload(self, config):
        self.w.config.write_text(config)
        self.w.call("Reload")

    def test_it_switches(self):
        keyboard = self.w.plug("event3", "keyboard")
        self.w.wait_device("event3", "grabbed")
        self.set_toggle("new", "f5")
        keyboard.tap(F5)
        self.assert_switched("host", "new", "hotkey")
        self.set_toggle("new")
        self.assertEqual(self.hotkey(), [])
        keyboard.tap(F5)
        guest = self.w.node("vfio-inputd/guest/new/keyboard")
        self.w.wait("the key", lambda: guest.keys() == [(F5, 1), (F5, 0)])
        self.assertEqual(self.w.get("ActiveTarget"), "new")

    def test_property(self):
        for keys in (["leftctrl", "f1"], ["scrolllock", "scrolllock"], ["f1", "f2", "f3"], []):
            self.set_toggle("new", *keys)
            self.wait_change(ROOT + "/target/new", TARGET, Toggle=keys)
            self.assertEqual(self.hotkey(), keys)
        self.w.signals.clear()
        self.set_toggle("new")
        self.w.get("Paused")
        self.assertEqual(self.w.signals, [])

    def test_names_of_keys(self):
        self.set_toggle("new", "KEY_LEFTCTRL", "BTN_SIDE")
        self.assertEqual(self.hotkey(), ["leftctrl", "btn_side"])

    def test_no_such_guest(self):
        for name in HOSTILE + ["host"]:
            with self.subTest(name=name[:40]):
                self.refused(VFIO + "NoSuchTarget", "SetToggle", "sas", name, ["f5"])

    def test_configured_guest(self):
        for keys in ["f5"], []:
            self.refused(VFIO + "Busy", "SetToggle", "sas", "conf", keys, text="in the configuration")
        self.assertEqual(self.hotkey("conf"), ["f11", "f12"])

    def test_no_hotkey(self):
        self.set_toggle("new", "f5")
        self.wrong("nokey", text="Unknown key 'nokey'")
        self.wrong("f1", "f2", "", text="Unknown key ''")
        self.wrong("f1", "f2", "f3", "f4", text="no 4 keys")
        self.wrong(*["f1"] * 1000, text="no 1000 keys")
        self.wrong("f1", "f1", "f2", text="do not go together")
        self.wrong("esc", "enter", text="panic chord")
        self.set_toggle("new", "esc", "esc")

    def test_hostile_keys(self):
        for key in ("x" * 100000, "日" * 100, "%s%n", "a\nb\x1b[2J"):
            with self.subTest(key=key[:4]):
                message = self.wrong(key, text="Unknown key")
                self.assertLess(len(message), 200)
                self.assertNotIn("\x1b", message)

    def test_taken(self):
        self.w.call("AddGuest", "s", "other")
        self.set_toggle("other", "f6", "f7")
        for keys, text in ((["rightctrl", "leftctrl"], "'toggle'"), (["f9"], "'next'"), (["f10", "f10"], "'host'"),
                           (["f12", "f11"], "guest 'conf'"), (["f7", "f6"], "guest 'other'")):
            self.wrong(*keys, text=text)
        self.set_toggle("new", "f10")
        self.set_toggle("new", "f10")  # it may have what is its own
        self.set_toggle("other")
        self.set_toggle("new", "f7", "f6")

    def test_taken_by_a_guest_without_nodes(self):
        self.w.write("uinput-errno", "13")
        self.reload('guests = ( { name = "late"; toggle = [ "f8" ]; } );\n')
        self.assertNotIn("late", self.w.targets())
        self.wrong("f8", text="guest 'late'")

    def test_how_long_it_stays(self):
        self.set_toggle("new", "f5")
        self.w.call("AddGuest", "s", "new")
        self.w.call("SetReady", "sbs", "new", False, "stopped")
        self.reload(self.CONFIG)
        self.assertEqual(self.hotkey(), ["f5"])
        self.w.call("RemoveGuest", "s", "new")
        self.w.call("AddGuest", "s", "new")
        self.assertEqual(self.hotkey(), [])

    def test_the_configuration_decides(self):
        self.set_toggle("new", "f5")
        self.reload('guests = ( { name = "new"; } );\n')
        self.assertEqual(self.hotkey(), [])
        self.wait_change(ROOT + "/target/new", TARGET, Toggle=[])
        self.reload('guests = ( { name = "new"; toggle = [ "f8" ]; } );\n')
        self.assertEqual(self.hotkey(), ["f8"])
        self.reload("")
        self.assertEqual(self.hotkey(), [])
        self.set_toggle("new", "f8")

    def test_reload_that_takes_it(self):
        self.w.call("AddGuest", "s", "other")
        self.set_toggle("other", "f6")
        for config, text in (('next = [ "f5" ];\n', "'next' in the configuration is the same hotkey"),
                             ('guests = ( { name = "conf"; toggle = [ "f5" ]; } );\n', "guest 'conf' has the same")):
            with self.subTest(config=config):
                self.reload("")
                self.set_toggle("new", "f5")
                self.w.signals.clear()
                self.reload(config)
                self.assertEqual(self.hotkey(), [])
                self.wait_change(ROOT + "/target/new", TARGET, Toggle=[])
                self.w.wait("the line", lambda: self.w.logged(f"guest new: its own hotkey is dropped: {text}"))
        self.assertEqual(self.hotkey("other"), ["f6"])


    def assert_guarded(self, *pair):
        """The second key of this pair is kept from the guest; those of others are not."""
        guest = self.w.node("vfio-inputd/guest/new/keyboard")
        for keys in ALTS, METAS:
            guest.frames.clear()
            self.keyboard.press(*keys)
            self.keyboard.release(*keys)
            self.keyboard.tap(A)
            self.w.wait("the last key", lambda: (A, 0) in guest.keys())
            pressed = [key for key, value in guest.keys() if value == 1]
            self.assertEqual(pressed, [keys[0], A] if keys == pair else [*keys, A])

    def test_grab_toggle(self):
        self.keyboard = self.w.plug("event3", "keyboard")
        self.w.wait_device("event3", "grabbed")
        self.w.call("Switch", "s", "new")
        self.assert_guarded(*METAS)
        self.w.call("SetGrabToggle", "ss", "new", "alt-alt")
        self.assert_guarded(*ALTS)
        self.reload('guests = ( { name = "new"; } );\n')
        self.assert_guarded(*ALTS)
        self.reload("")
        self.assert_guarded(*ALTS)
        self.w.call("SetGrabToggle", "ss", "new", "meta-meta")
        self.assert_guarded(*METAS)

    def test_grab_toggle_of_the_configuration(self):
        self.keyboard = self.w.plug("event3", "keyboard")
        self.w.wait_device("event3", "grabbed")
        self.w.call("Switch", "s", "new")
        self.reload('guests = ( { name = "new"; grab-toggle = "alt-alt"; } );\n')
        self.assert_guarded(*ALTS)
        self.reload("")
        self.assert_guarded(*METAS)

    def test_wrong_grab_toggle(self):
        for name in HOSTILE + ["host"]:
            self.refused(VFIO + "NoSuchTarget", "SetGrabToggle", "ss", name, "alt-alt")
        for grab_toggle in HOSTILE + ["ctrl", "scrolllock"]:
            self.refused(INVALID, "SetGrabToggle", "ss", "new", grab_toggle, text="Unknown grab-toggle")


class Devices(Case):
    def setUp(self):
        super().setUp()
        self.keyboard = self.w.plug("event3", "keyboard", "AT Keyboard")
        self.w.wait_device("event3", "grabbed")
        self.mirror = self.w.node("vfio-inputd/host/3")

    def enter_guest(self):
        self.w.call("SetReady", "sbs", "conf", True, "")
        self.w.call("Switch", "s", "conf")
        self.assert_switched("host", "conf", "request")
        return self.w.node("vfio-inputd/guest/conf/keyboard")

    def test_object(self):
        self.assertEqual(self.mirror.name, "AT Keyboard")
        device = self.w.devices()["/dev/input/event3"]
        path = device.pop("path")
        self.assertEqual(device, {"Name": "AT Keyboard", "Node": "/dev/input/event3", "Phys": "usb-test-event3/input0",
                                  "Vendor": 0x046d, "Product": 0xc52b, "Kind": "keyboard", "Grabbed": True,
                                  "State": "grabbed", "HeldKeys": 0})
        added = self.w.take_signals("InterfacesAdded")
        self.assertEqual([(p, set(i[DEVICE])) for p, i in added], [(path, set(device))])
        self.w.unplug("event3")
        self.assertEqual(self.w.wait("InterfacesRemoved", lambda: self.w.take_signals("InterfacesRemoved")),
                         [(path, [DEVICE])])
        self.w.wait("the end of the mirror", lambda: self.mirror.closed)
        self.w.wait("the store without it", lambda: not any(n.startswith("host-") for n in self.w.store))
        # A number is never used twice.
        self.w.plug("event3", "keyboard", "AT Keyboard")
        self.assertNotEqual(self.w.wait_device("event3", "grabbed")["path"], path)

    def test_frames_go_to_the_active_target(self):
        self.keyboard.tap(A)
        self.w.wait("the key", lambda: self.mirror.frames)
        guest = self.enter_guest()
        self.keyboard.tap(B)
        self.w.wait("the key", lambda: len(guest.keys()) == 2)
        self.assertEqual(guest.frames, [[(EV_KEY, B, 1), world.SYN], [(EV_KEY, B, 0), world.SYN]])
        self.assertEqual(self.mirror.keys(), [(A, 1), (A, 0)])

    def test_hotkey(self):
        self.w.call("SetReady", "sbs", "conf", True, "")
        guest = self.w.node("vfio-inputd/guest/conf/keyboard")
        self.keyboard.press(LEFTCTRL, RIGHTCTRL)
        self.assert_switched("host", "conf", "hotkey")
        self.keyboard.release(LEFTCTRL, RIGHTCTRL)
        self.keyboard.tap(A)
        self.w.wait("the key", lambda: len(guest.keys()) == 2)
        self.assertEqual(self.mirror.keys(), [(LEFTCTRL, 1), (LEFTCTRL, 0)])
        self.assertEqual(guest.keys(), [(A, 1), (A, 0)])

    def test_hotkey_refused(self):
        self.keyboard.press(LEFTCTRL, RIGHTCTRL)
        self.w.wait("SwitchRefused", lambda: any(s[2] == "SwitchRefused" for s in self.w.signals))
        self.assertEqual(self.w.take_signals("SwitchRefused"), [("conf", "not attached to a guest")])
        self.assertEqual(self.w.get("ActiveTarget"), "host")

    def test_lost_guest_lets_go_of_its_keys(self):
        guest = self.enter_guest()
        self.keyboard.press(A)
        self.w.wait("the key", lambda: guest.keys())
        self.assertEqual(self.w.devices()["/dev/input/event3"]["HeldKeys"], 1)
        self.w.call("SetReady", "sbs", "conf", False, "hung")
        self.w.wait("its release", lambda: guest.keys() == [(A, 1), (A, 0)])
        self.keyboard.release(A)
        self.keyboard.tap(B)
        self.w.wait("the next key", lambda: len(self.mirror.keys()) == 2)
        self.assertEqual(self.mirror.keys(), [(B, 1), (B, 0)])

    def test_stopped_guest_is_told_of_releases_when_it_goes_on(self):
        """Its QEMU would drop them, and the guest believe the key to be held for ever."""
        for ready, reason in ((True, ""), (False, "QEMU has ended")):
            with self.subTest(ready=ready):
                guest = self.enter_guest()
                guest.frames.clear()
                self.keyboard.press(A)
                self.w.wait("the key", lambda: guest.keys())
                self.w.call("SetStopped", "ss", "conf", "the guest is paused")
                self.w.call("SetStopped", "ss", "conf", "the guest is being saved")
                self.assert_switched("conf", "host", "the guest is paused")
                self.refused(VFIO + "NotReady", "Switch", "s", "conf", text="is being saved")
                self.keyboard.release(A)
                self.mirror.frames.clear()
                self.keyboard.tap(B)
                self.w.wait("the next key", lambda: len(self.mirror.keys()) == 2)
                self.assertEqual(guest.keys(), [(A, 1)])
                self.w.call("SetReady", "sbs", "conf", ready, reason)
                self.w.wait("the release", lambda: len(guest.keys()) == 2)
                self.assertEqual(guest.frames, [[(EV_KEY, A, 1), world.SYN], [(EV_KEY, A, 0), world.SYN]])
                self.assertEqual(self.w.get("ActiveTarget"), "host")

    def test_panic(self):
        guest = self.enter_guest()
        self.keyboard.press(BACKSPACE, ESC, ENTER)
        self.assert_switched("conf", "host", "panic")
        self.wait_change(ROOT, MANAGER, Paused=True)
        self.w.wait("the device to be let go", lambda: self.keyboard.closed == 1)
        device = self.w.devices()["/dev/input/event3"]
        self.assertEqual((device["State"], device["Grabbed"]), ("released", False))
        self.assertEqual(guest.keys()[:2], [(BACKSPACE, 1), (ESC, 1)])
        self.assertEqual(sorted(guest.keys()[2:]), [(ESC, 0), (BACKSPACE, 0)])
        self.w.call("Resume")
        self.w.wait_device("event3", "grabbed")
        self.keyboard.tap(A)
        self.w.wait("a key", lambda: (A, 0) in self.mirror.keys())

    def test_pause(self):
        self.w.call("Pause")
        self.w.wait("the device to be let go", lambda: self.keyboard.closed == 1)
        self.wait_change(self.w.devices()["/dev/input/event3"]["path"], DEVICE, State="released", Grabbed=False)
        mouse = self.w.plug("event4", "mouse")
        self.assertEqual(self.w.devices()["/dev/input/event4"]["State"], "released")
        self.assertEqual(mouse.opened, 0)
        self.w.call("Resume")
        self.w.wait_device("event3", "grabbed")
        self.w.wait_device("event4", "grabbed")

    def test_identify(self):
        mouse = self.w.plug("event4", "mouse")
        self.w.wait_device("event4", "grabbed")
        for hardware, key in (self.keyboard, A), (mouse, BTN_LEFT):
            answer = self.start_identify()
            mouse.send([(EV_REL, REL_X, 1)])
            self.w.get("Paused")
            self.assertEqual(answer, [])
            hardware.tap(key)
            self.w.wait("the answer", lambda: answer)
            self.assertEqual(answer, [(self.w.devices()[f"/dev/input/{hardware.event}"]["path"],)])

    def test_identify_ends_with_its_caller(self):
        caller = self.w.connect()
        self.start_identify(caller)
        name = caller.get_unique_name()
        caller.close_sync(None)
        self.w.wait("the caller to be gone", lambda: self.w.owners.get(name) == "")
        answer = self.start_identify()
        self.keyboard.tap(A)
        self.w.wait("the answer", lambda: answer)
        self.assertEqual(answer, [(self.w.devices()["/dev/input/event3"]["path"],)])

    def test_identify_ends_with_a_pause(self):
        answer = self.start_identify()
        self.w.call("Pause")
        self.assertEqual(self.w.wait("the answer", lambda: answer)[0].name, VFIO + "Paused")
        self.w.call("Resume")
        self.w.wait_device("event3", "grabbed")
        answer = self.start_identify()
        self.w.call("Pause")
        self.assertEqual(self.w.wait("the answer", lambda: answer)[0].name, VFIO + "Paused")

    def test_identify_times_out(self):
        answer = self.start_identify()
        self.assertEqual(self.w.wait("the end of 30 seconds", lambda: answer)[0].name, VFIO + "TimedOut")
        self.keyboard.tap(A)
        self.w.wait("the key", lambda: len(self.mirror.keys()) == 2)

    def test_leds(self):
        guest = self.w.node("vfio-inputd/guest/conf/keyboard")
        guest.set_led(LED_CAPSL, 1)
        self.w.get("Paused")
        self.assertNotIn(CAPSL, self.keyboard.written)
        self.enter_guest()
        self.w.wait("the LED of the guest", lambda: CAPSL in self.keyboard.written)
        self.keyboard.written.clear()
        self.w.call("Switch", "s", "host")
        self.w.wait("the LED of the host", lambda: (EV_LED, LED_CAPSL, 0) in self.keyboard.written)
        self.keyboard.written.clear()
        self.mirror.set_led(LED_CAPSL, 1)
        self.w.wait("the LED that the host has set", lambda: CAPSL in self.keyboard.written)

    def test_lost_events(self):
        guest = self.enter_guest()
        self.keyboard.press(A)
        self.w.wait("the key", lambda: guest.keys() == [(A, 1)])
        self.w.write("event3.down", str(B))
        self.keyboard.send([world.SYN_DROPPED, (EV_KEY, LEFTCTRL, 1)])
        self.w.wait("what has changed meanwhile", lambda: sorted(guest.keys()) == [(A, 0), (A, 1), (B, 1)])

    def test_surprise_removal(self):
        """The kernel says it first, udev later: what was held is released at once."""
        guest = self.enter_guest()
        self.keyboard.press(A)
        self.w.wait("the key", lambda: guest.keys())
        self.keyboard.sock.shutdown(world.socket.SHUT_WR)
        self.w.wait("its release", lambda: guest.keys() == [(A, 1), (A, 0)])
        self.w.wait_device("event3", "released")
        self.w.unplug("event3")
        self.assertEqual(self.w.devices(), {})

    def test_grab_waits_for_keys(self):
        self.w.write("event4.down", f"{A}\n{B}\n")
        self.w.plug("event4", "keyboard")
        device = self.w.wait_device("event4", "waiting")
        self.assertFalse(device["Grabbed"])
        self.w.remove("event4.down")
        self.w.hardware["event4"].release(A, B)
        self.w.wait_device("event4", "grabbed")
        self.assertFalse([e for e in self.w.hardware["event4"].written if e[0] == EV_KEY])

    def test_grab_waits_so_long(self):
        self.w.write("event4.down", f"{A}\n")
        hardware = self.w.plug("event4", "keyboard")
        self.w.wait_device("event4", "grabbed")
        self.assertEqual([e for e in hardware.written if e[0] == EV_KEY], [(EV_KEY, A, 0)])

    def test_grabbed_by_another_program(self):
        self.w.write("event4.busy")
        self.w.plug("event4", "mouse")
        self.assertFalse(self.w.wait_device("event4", "busy")["Grabbed"])
        self.w.remove("event4.busy")
        self.w.wait_device("event4", "grabbed")

    def test_device_that_cannot_be_opened(self):
        (self.w.folder / "event4").unlink(missing_ok=True)
        self.w.command("plug event4 mouse 1 2 Gone already")
        self.w.wait_device("event4", "failed")
        self.w.command("unplug event4")

    def test_no_mirror_can_be_made(self):
        self.w.write("uinput-errno", "28")
        self.w.plug("event4", "mouse")
        self.w.wait_device("event4", "failed")
        self.w.remove("uinput-errno")
        self.w.call("Pause")
        self.w.call("Resume")
        self.w.wait_device("event4", "grabbed")

    def test_names_of_devices_are_harmless(self):
        self.w.plug("event4", "mouse", b"bad\x1b[2J\xff\xc3\xa4name")
        self.assertEqual(self.w.wait_device("event4", "grabbed")["Name"], "bad?[2J?äname")
        self.assertFalse(self.w.logged("\x1b"))

    def test_devices_that_the_configuration_leaves_alone(self):
        self.w.config.write_text('devices = { ignore = ( { name = "AT*"; } ); };\n')
        self.w.call("Reload")
        self.assertEqual(self.w.devices(), {})
        self.w.wait("the device to be let go", lambda: self.keyboard.closed == 1)
        self.w.config.unlink()
        self.w.call("Reload")
        self.w.wait_device("event3", "grabbed")

    def test_no_signal_carries_a_keystroke(self):
        """Typing is silent on the bus, and nothing but what the page lists is ever sent."""
        self.w.plug("event4", "mouse")
        self.w.wait_device("event4", "grabbed")
        for target in "host", "conf":
            if target == "conf":
                self.enter_guest()
            self.w.get("Paused")
            self.w.signals.clear()
            node = self.mirror if target == "host" else self.w.node("vfio-inputd/guest/conf/keyboard")
            before = len(node.frames)
            self.keyboard.tap(*range(2, 14))
            self.w.hardware["event4"].send([(EV_REL, REL_X, 3)], [(EV_KEY, BTN_LEFT, 1)], [(EV_KEY, BTN_LEFT, 0)])
            self.w.wait("all of it", lambda: len(node.frames) == before + 24)
            self.w.get("Paused")
            self.assertEqual(self.w.signals, [])
        self.assertEqual(self.w.logged("key"), [line for line in self.w.logged("key") if "keyboard" in line.lower()])


class Authorisation(Case):
    """What a caller may who is not root. Only root can play one that is not the daemon's user."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to be two users")
        super().setUp()
        self.add_ready("win")
        self.add_ready("conf")
        self.user = self.w.connect(NOBODY)
        self.w.signals.clear()

    def as_user(self, member, **keywords):
        signature, arguments, _ = METHODS[member]
        return self.w.call(member, signature, *arguments, connection=self.user, **keywords)

    def assert_all_refused(self, error, **keywords):
        for member, (signature, arguments, _) in METHODS.items():
            with self.subTest(member=member):
                self.refused(error, member, signature, *arguments, connection=self.user, **keywords)
        self.assertEqual(sorted(self.w.targets()), ["conf", "host", "win"])
        self.assertTrue(self.w.targets()["conf"]["Ready"])
        self.assertFalse(self.w.get("Paused"))
        self.assertEqual([s for s in self.w.signals if s[1].startswith("org.vfio")], [])

    def test_no_polkit(self):
        self.assert_all_refused(DENIED)

    def test_reading_needs_no_polkit(self):
        self.assertEqual(self.w.get("ActiveTarget", connection=self.user), "host")
        reply = self.w.raw_call(ROOT, world.OBJECT_MANAGER, "GetManagedObjects", connection=self.user)
        self.assertEqual(len(reply[0]), 3)

    def test_denied(self):
        self.start_polkit(polkit_fake.NO)
        self.assert_all_refused(DENIED)

    def test_password_needed(self):
        self.start_polkit(polkit_fake.CHALLENGE)
        self.assert_all_refused(PASSWORD)

    def test_polkit_fails(self):
        for answer in "org.freedesktop.PolicyKit1.Error.Failed", DBUS + "NoReply":
            polkit = self.start_polkit(answer)
            self.assert_all_refused(DENIED)
            polkit.close()
            self.w.wait("polkit to be gone", lambda: self.w.owners.get(polkit_fake.NAME) == "")

    def test_allowed(self):
        """Each method asks for its own action, for the caller, and is done."""
        polkit = self.start_polkit()
        for member, (_, _, action) in METHODS.items():
            if member == "Identify":
                continue
            with self.subTest(member=member):
                self.as_user(member)
                self.assertEqual(polkit.questions.pop(), (self.user.get_unique_name(), f"org.vfio.inputd1.{action}", False))
        self.assertEqual(polkit.questions, [])
        self.assertIn("new", self.w.targets())

    def test_interaction_is_passed_on(self):
        polkit = self.start_polkit()
        self.as_user("Pause", flags=Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION)
        self.assertTrue(polkit.questions[0][2])

    def test_root_is_not_asked_about(self):
        polkit = self.start_polkit(polkit_fake.NO)
        self.w.call("Pause")
        self.assertEqual(polkit.questions, [])

    def test_slow_polkit_holds_up_nobody(self):
        polkit = self.start_polkit(None)
        answer = self.w.start_call(ROOT, MANAGER, "Pause", connection=self.user)
        self.w.wait("the question", lambda: polkit.open)
        self.w.call("Switch", "s", "win")
        self.assertFalse(self.w.get("Paused"))
        self.assertEqual(answer, [])
        polkit.release(polkit_fake.YES)
        self.w.wait("the answer", lambda: answer)
        self.assertTrue(self.w.get("Paused"))

    def test_polkit_dies_while_it_thinks(self):
        polkit = self.start_polkit(None)
        answer = self.w.start_call(ROOT, MANAGER, "Pause", connection=self.user)
        self.w.wait("the question", lambda: polkit.open)
        polkit.close()
        self.assertEqual(self.w.wait("the answer", lambda: answer)[0].name, DENIED)
        self.assertFalse(self.w.get("Paused"))

    def test_caller_vanishes(self):
        polkit = self.start_polkit(None)
        self.w.start_call(ROOT, MANAGER, "Pause", connection=self.user)
        self.w.wait("the question", lambda: polkit.open)
        cancellation = polkit.open[0][1]
        self.user.close_sync(None)
        self.w.wait("the question to be withdrawn", lambda: polkit.cancelled == [cancellation])
        polkit.release(polkit_fake.YES)
        self.assertFalse(self.w.get("Paused"))

    def test_a_thousand_at_once(self):
        polkit = self.start_polkit(None)
        answers = [self.w.start_call(ROOT, MANAGER, "Pause", connection=self.user) for _ in range(1000)]
        self.w.wait("the refusals", lambda: sum(map(len, answers)) >= 1000 - 64)
        self.assertEqual({a[0].name for a in answers if a}, {LIMITS})
        self.w.wait("the questions", lambda: len(polkit.open) == 64)
        self.assertFalse(self.w.get("Paused"))
        polkit.release(polkit_fake.NO)
        self.w.wait("all answers", lambda: all(answers))
        self.assertEqual(sum(a[0].name == DENIED for a in answers), 64)
        polkit.answer = polkit_fake.YES
        self.as_user("Pause")
        self.assertTrue(self.w.get("Paused"))

    def test_a_thousand_by_root(self):
        answers = [self.w.start_call(ROOT, MANAGER, "Toggle") for _ in range(1000)]
        self.w.wait("all answers", lambda: all(answers))
        self.assertEqual({a[0] for a in answers if not isinstance(a[0], BusError)}, {()})
        self.assertEqual({a[0].name for a in answers if isinstance(a[0], BusError)} - {LIMITS}, set())


class WithGuestd(Case):
    """vfio-guestd is there, and its guest is active."""

    def own(self):
        self.guestd = connection = self.w.connect()
        reply = connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "RequestName", GLib.Variant("(su)", (GUESTD, 4)), None, Gio.DBusCallFlags.NONE,
                                     10000, None)
        self.assertEqual(reply.unpack(), (1,))

    def setUp(self):
        super().setUp()
        self.own()
        self.w.call("SetReady", "sbs", "conf", True, "")
        self.w.call("Switch", "s", "conf")
        self.assert_switched("host", "conf", "request")


class Guestd(WithGuestd):
    """The guests are vfio-guestd's word, and it is gone when it has been away for three seconds."""

    LOST = "vfio-guestd is not running"

    def vanish(self):
        self.guestd.close_sync(None)
        self.w.wait("guestd to be gone", lambda: self.w.owners.get(GUESTD) == "")

    def test_vanishes(self):
        self.vanish()
        self.assertEqual(self.w.get("ActiveTarget"), "conf")
        self.assert_switched("conf", "host", self.LOST)
        self.assertEqual(self.w.targets()["conf"]["Reason"], self.LOST)

    def test_comes_back_in_time(self):
        self.vanish()
        self.own()
        self.w.pass_time(3.5)
        self.assertEqual(self.w.get("ActiveTarget"), "conf")
        self.assertEqual(self.w.take_signals("Switched"), [])

    def test_bus_dies_and_takes_it_along(self):
        """Nobody is left who would say that the guest is gone."""
        self.w.stop_bus()
        self.w.start_bus()
        self.w.wait("its name", lambda: self.w.owners.get(world.NAME))
        self.assert_switched("conf", "host", self.LOST)

    def test_bus_dies_and_it_comes_back_first(self):
        self.w.stop_bus()
        self.w.start_bus()
        self.own()
        self.w.wait("its name", lambda: self.w.owners.get(world.NAME))
        self.w.pass_time(3.5)
        self.assertEqual(self.w.get("ActiveTarget"), "conf")


class Stopping(WithGuestd):
    """Devices are let go first; then vfio-guestd has two seconds to take the nodes away from its guests."""

    INTERFACE = '<node><interface name="org.vfio.Guestd1.Manager"><method name="Release"/></interface></node>'

    def own(self):
        super().own()
        self.asked = []
        interface = Gio.DBusNodeInfo.new_for_xml(self.INTERFACE).interfaces[0]
        self.guestd.register_object("/org/vfio/Guestd1", interface, lambda *call: self.asked.append(call[-1]), None,
                                    None)

    def setUp(self):
        super().setUp()
        self.keyboard = self.w.plug("event3", "keyboard")
        self.w.wait_device("event3", "grabbed")
        self.guest = self.w.node("vfio-inputd/guest/conf/keyboard")
        self.keyboard.press(A)
        self.w.wait("a key", lambda: self.guest.keys())

    def stop(self):
        self.w.kill(signal.SIGTERM)
        self.w.wait("the question", lambda: self.asked or self.w.exited)
        self.w.wait("the devices to be let go", lambda: self.keyboard.closed == 1)
        self.w.wait("the release of the key", lambda: self.guest.keys() == [(A, 1), (A, 0)])
        self.assertEqual(len(self.w.notifications("STOPPING=1")), 1)

    def test_waits_for_guestd(self):
        self.stop()
        self.assertEqual(self.w.get("ActiveTarget"), "host")
        self.assertEqual(self.w.exited, [])
        self.asked[0].return_value(None)
        self.assertEqual(self.w.wait("its end", lambda: self.w.exited), [0])

    def test_guestd_fails(self):
        self.stop()
        self.asked[0].return_dbus_error(VFIO + "Failed", "as the test wants it")
        self.assertEqual(self.w.wait("its end", lambda: self.w.exited), [0])
        self.assertTrue(self.w.logged("vfio-guestd does not detach its guests: as the test wants it"))

    def test_guestd_hangs(self):
        self.stop()
        self.assertEqual(self.w.wait("its end", lambda: self.w.exited), [0])

    def test_guestd_vanishes(self):
        self.stop()
        self.guestd.close_sync(None)
        self.assertEqual(self.w.wait("its end", lambda: self.w.exited), [0])

    def test_bus_vanishes(self):
        self.stop()
        self.w.stop_bus()
        self.assertEqual(self.w.wait("its end", lambda: self.w.exited), [0])

    def test_asked_twice(self):
        self.stop()
        self.assertEqual(self.w.stop(signal.SIGTERM), 0)


class BusDies(Case):
    def test_it_comes_back(self):
        keyboard = self.w.plug("event3", "keyboard")
        self.w.wait_device("event3", "grabbed")
        mirror = self.w.node("vfio-inputd/host/3")
        self.add_ready("new")
        for _ in range(2):
            self.w.stop_bus()
            keyboard.tap(A)
            self.w.wait("input without a bus", lambda: (A, 0) in mirror.keys())
            mirror.frames.clear()
            self.w.start_bus()
            self.w.wait("its name", lambda: self.w.owners.get(world.NAME))
            self.assertEqual(sorted(self.w.targets()), ["conf", "host", "new"])
            self.w.call("SetReady", "sbs", "new", True, "")
            self.w.call("Toggle")
            self.assert_switched("host", "new", "request")
            self.w.call("Toggle")
            self.assert_switched("new", "host", "request")

    def test_things_happen_meanwhile(self):
        self.add_ready("new")
        self.w.stop_bus()
        keyboard = self.w.plug("event3", "keyboard")
        self.w.node("vfio-inputd/host/3")
        self.w.wait("the grab", lambda: self.w.logged("event3 (Test Device): grabbed"))
        keyboard.press(LEFTCTRL, RIGHTCTRL)
        self.w.wait("the switch", lambda: self.w.logged("switched from host to new"))
        self.w.kill(signal.SIGHUP)
        self.w.wait("the reload", lambda: self.w.logged("configuration read again"))
        self.w.start_bus()
        self.w.wait("its name", lambda: self.w.owners.get(world.NAME))
        self.assertEqual(self.w.get("ActiveTarget"), "new")
        self.assertEqual(len(self.w.devices()), 1)

    def test_with_questions_open(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to be two users")
        polkit = self.start_polkit(None)
        self.w.start_call(ROOT, MANAGER, "Pause", connection=self.w.connect(NOBODY))
        self.start_identify()
        self.w.wait("the question", lambda: polkit.open)
        self.w.stop_bus()
        self.w.start_bus()
        self.w.wait("its name", lambda: self.w.owners.get(world.NAME))
        self.assertFalse(self.w.get("Paused"))
        self.assertEqual(self.start_identify(), [])


if __name__ == "__main__":
    unittest.main()
