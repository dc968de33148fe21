"""The harness proves itself: what it presses arrives, and nothing else does."""

import subprocess

import libevdev
import pytest

from guest import Mouse
from hw import HardwareError
from journal import OUR_UNITS
from nodes import Node, wait_for_node, wait_until_gone

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


def test_journal_starts_with_the_test(journal):
    subprocess.run(["logger", "--tag", "harness", "said inside the test"], check=True)
    assert journal.wait("said inside the test") == "said inside the test"
    assert not any("Linux version" in line for line in journal.lines())
