"""The harness proves itself: what it presses arrives, and nothing else does."""

import os
import pwd
import stat
import subprocess
from pathlib import Path

import libevdev
import pytest

import libvirtd
from hw import HardwareError
from journal import OUR_UNITS
from listing import Listing, allow
from nodes import Node, wait_for_node, wait_until_gone
from receiver import Mouse

USB_KEYBOARD = "QEMU QEMU USB Keyboard"
USB_MOUSE = "QEMU QEMU USB Mouse"


@pytest.fixture(scope="module", autouse=True)
def without_our_service():
    """Where it is installed it would grab what these tests want to read."""
    subprocess.run(["systemctl", "stop", *OUR_UNITS], stderr=subprocess.DEVNULL)


def test_key_of_the_ps2_keyboard_arrives(hw, keyboard):
    hw.tap("a")
    keyboard.expect(("KEY_A", 1), ("KEY_A", 0))
    assert keyboard.keys_down() == set()


def test_chord_is_held_together(hw, keyboard):
    hw.key_down("ctrl")
    hw.key_down("KEY_RIGHTCTRL")
    keyboard.expect(("KEY_LEFTCTRL", 1), ("KEY_RIGHTCTRL", 1))
    assert keyboard.keys_down() == {"KEY_LEFTCTRL", "KEY_RIGHTCTRL"}
    hw.key_up("ctrl_r")
    hw.key_up("ctrl")
    keyboard.expect(("KEY_RIGHTCTRL", 0), ("KEY_LEFTCTRL", 0))


def test_typed_text_arrives_in_order(hw, keyboard):
    with hw.typing("Hi!", interval_ms=40):
        keyboard.expect(
            ("KEY_LEFTSHIFT", 1), ("KEY_H", 1), ("KEY_H", 0), ("KEY_LEFTSHIFT", 0),
            ("KEY_I", 1), ("KEY_I", 0),
            ("KEY_LEFTSHIFT", 1), ("KEY_1", 1), ("KEY_1", 0), ("KEY_LEFTSHIFT", 0))


def test_grab_keeps_keys_from_others(hw, keyboard):
    with Node(keyboard.path, grab=True) as grabber:
        hw.tap("a")
        grabber.expect(("KEY_A", 1), ("KEY_A", 0))
    assert keyboard.read() == []


def test_usb_keyboard_comes_and_goes(hw, keyboard):
    hw.plug("usb-kbd", "k1")
    with Node(wait_for_node(name=USB_KEYBOARD)) as usb:
        hw.tap("b", keyboard="k1")
        usb.expect(("KEY_B", 1), ("KEY_B", 0))
        assert keyboard.read() == []
        hw.unplug("k1")
        wait_until_gone(usb.path)


def test_keys_of_two_keyboards_are_held_at_once(hw, keyboard):
    hw.plug("usb-kbd", "k1")
    with Node(wait_for_node(name=USB_KEYBOARD)) as usb:
        hw.key_down("ctrl")
        hw.key_down("ctrl_r", keyboard="k1")
        keyboard.expect(("KEY_LEFTCTRL", 1))
        usb.expect(("KEY_RIGHTCTRL", 1))
        assert (keyboard.keys_down(), usb.keys_down()) == ({"KEY_LEFTCTRL"}, {"KEY_RIGHTCTRL"})


def test_keyboards_run_out_with_a_sentence(hw):
    hw.plug("usb-kbd", "k1")
    hw.plug("usb-kbd", "k2")
    with pytest.raises(HardwareError, match="no seat is free for the keyboard k3; unplug one of k1, k2"):
        hw.plug("usb-kbd", "k3")


def test_mouse_moves_clicks_and_scrolls(hw, mouse):
    hw.move(5, -3)
    mouse.expect(("REL_X", 5), ("REL_Y", -3))
    hw.button_down("left")
    hw.button_up("left")
    mouse.expect(("BTN_LEFT", 1), ("BTN_LEFT", 0))
    hw.wheel(-1)
    mouse.expect(("REL_WHEEL", -1))


def test_two_mice_move_apart(hw, mouse):
    hw.plug("usb-mouse", "m1")
    with Node(wait_for_node(name=USB_MOUSE)) as usb:
        hw.move(7, 0, mouse="m1")
        usb.expect(("REL_X", 7))
        hw.move(2, 0)
        mouse.expect(("REL_X", 2))
        assert usb.read() == []


@pytest.fixture
def virtual_keyboard():
    device = libevdev.Device()
    device.name = "harness keyboard"
    for key in (libevdev.EV_KEY.KEY_A, libevdev.EV_KEY.KEY_RIGHTCTRL, libevdev.EV_KEY.KEY_ENTER):
        device.enable(key)
    return device.create_uinput_device()


@pytest.fixture
def virtual_mouse():
    device = libevdev.Device()
    device.name = "harness mouse"
    for code in (libevdev.EV_REL.REL_X, libevdev.EV_REL.REL_Y, libevdev.EV_REL.REL_WHEEL,
                 libevdev.EV_KEY.BTN_LEFT, libevdev.EV_KEY.BTN_SIDE):
        device.enable(code)
    return device.create_uinput_device()


def send(device, *events):
    device.send_events([libevdev.InputEvent(code, value) for code, value in events]
                       + [libevdev.InputEvent(libevdev.EV_SYN.SYN_REPORT, 0)])


def give(guest, device):
    """Hand a node to the guest, whose user must be let in first."""
    wait_for_node(name=device.name)
    subprocess.run(["setfacl", "-m", "u:desk:rw", device.devnode], check=True)
    guest.attach(device.devnode)


def test_guest_reports_the_keys_it_receives(guest, virtual_keyboard):
    give(guest, virtual_keyboard)
    for key in (libevdev.EV_KEY.KEY_A, libevdev.EV_KEY.KEY_RIGHTCTRL):
        send(virtual_keyboard, (key, 1))
        send(virtual_keyboard, (key, 0))
    guest.expect(("KEY_A", 1), ("KEY_A", 0), ("KEY_RIGHTCTRL", 1), ("KEY_RIGHTCTRL", 0))
    assert guest.keys_down() == set()


def test_guest_reports_the_mouse_it_receives(guest, virtual_mouse):
    give(guest, virtual_mouse)
    send(virtual_mouse, (libevdev.EV_REL.REL_X, 5), (libevdev.EV_REL.REL_Y, -3))
    guest.expect(Mouse(dx=5, dy=-3))
    send(virtual_mouse, (libevdev.EV_KEY.BTN_SIDE, 1))
    send(virtual_mouse, (libevdev.EV_KEY.BTN_SIDE, 0))
    guest.expect(Mouse(buttons={"side"}), Mouse())
    send(virtual_mouse, (libevdev.EV_REL.REL_WHEEL, 1))
    guest.expect(Mouse(wheel=1))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_domain_is_confined_and_reports_what_it_receives(new_domain, machine):
    domain = new_domain("harness", machine=machine)
    before = Listing()
    with libvirtd.Events() as events:
        domain.start()
        events.wait("harness", "resumed")
        assert domain.profile == f"libvirt-{domain.uuid} (enforce)"
        assert pwd.getpwuid(os.stat(f"/proc/{domain.pid}").st_uid).pw_name == "libvirt-qemu"
        press(domain, "a")
        domain.suspend()
        events.wait("harness", "suspended")
        domain.resume()
        press(domain, "b")
        domain.managedsave()
        domain.start()
        press(domain, "c")
        domain.shutdown()
        events.wait("harness", "stopped")
    # libvirt keeps the file with the profile's name until the domain is undefined.
    assert Listing().changes(before, ignore=["^/etc/apparmor.d/libvirt/libvirt-[0-9a-f-]*$"]) == []


def press(domain, key):
    """In the domain's own QEMU, which nothing of the machine's hardware is attached to."""
    domain.qmp("human-monitor-command", command_line=f"sendkey {key}")
    domain.expect((f"KEY_{key.upper()}", 1), (f"KEY_{key.upper()}", 0))


@pytest.mark.timeout(600)
def test_listing_shows_what_opens_a_device(new_domain):
    """Each of the four by hand, as FACTS has them, and each is seen."""
    domain = new_domain("harness")
    domain.start()
    node = domain.dev("/dev/planted")
    steps = {
        "harness's /dev/planted": lambda: os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(13, 99)),
        "harness's device group": lambda: allow(domain.pid, os.makedev(13, 99)),
        "/etc/apparmor.d/planted": lambda: Path("/etc/apparmor.d/planted").write_text("profile planted {}\n"),
        "AppArmor profile planted": lambda: subprocess.run(["apparmor_parser", "-r", "/etc/apparmor.d/planted"],
                                                           check=True),
        "/dev/null": lambda: subprocess.run(["setfacl", "-m", "u:desk:r", "/dev/null"], check=True),
    }
    try:
        for what, step in steps.items():
            before = Listing()
            step()
            changes = Listing().changes(before)
            assert len(changes) == 1 and changes[0].startswith(what + ":"), changes
    finally:
        subprocess.run(["apparmor_parser", "-R", "/etc/apparmor.d/planted"])
        Path("/etc/apparmor.d/planted").unlink()
        subprocess.run(["setfacl", "-b", "/dev/null"], check=True)


def test_journal_starts_with_the_test(journal):
    subprocess.run(["logger", "--tag", "harness", "said inside the test"], check=True)
    assert journal.wait("said inside the test") == "said inside the test"
    assert not any("Linux version" in line for line in journal.lines())
