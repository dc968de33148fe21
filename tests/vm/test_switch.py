"""The switch on real input: hardware keyboard -> kernel -> vfio-inputd -> host or QEMU guest."""

import random

import pytest

from guest import Guest
from nodes import wait_until_gone
from receiver import Mouse
from service import GUEST, PS2_KEYBOARD, PS2_MOUSE, QMP, Stopwatch, keys_down, make_guest_directory

USB_KEYBOARD = "QEMU QEMU USB Keyboard"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def taps(text):
    return [(f"KEY_{character.upper()}", value) for character in text for value in (1, 0)]


def pieces(text):
    """As much at a time as the queue of QEMU's PS/2 keyboard holds (16 bytes): a slow guest loses no key."""
    return [text[at:at + 6] for at in range(0, len(text), 6)]


CTRL = [("KEY_LEFTCTRL", 1), ("KEY_LEFTCTRL", 0)]


def switch(hw, service, to):
    hw.chord("ctrl", "ctrl_r")
    service.wait_active(to)


def test_host_gets_its_keys_as_before(hw, service):
    with service.mirror(PS2_KEYBOARD) as host:
        hw.type_text("hello")
        host.expect(*taps("hello"))
        assert host.device.name == "AT Translated Set 2 keyboard"


def test_both_ctrl_keys_switch_to_the_guest_and_back(hw, service, vm):
    with service.mirror(PS2_KEYBOARD) as host:
        switch(hw, service, "vm")
        hw.tap("a")
        vm.expect(("KEY_A", 1), ("KEY_A", 0))
        switch(hw, service, "host")
        hw.tap("b")
        host.expect(*CTRL, ("KEY_B", 1), ("KEY_B", 0))
        vm.expect(*CTRL)
        assert vm.keys_down() == set() and host.keys_down() == set()


def test_every_character_arrives_once_and_on_the_right_side(hw, service, vm, capsys):
    rng = random.Random(20)
    text = "".join(rng.choice(LETTERS) for _ in range(500))
    cuts = sorted(rng.sample(range(1, 500), 40))
    nodes = service.guest_nodes()
    with service.mirror(PS2_KEYBOARD) as host:
        sides, other = [host, vm], {"host": "vm", "vm": "host"}
        active = "host"
        for begin, end in zip([0, *cuts], [*cuts, 500]):
            for piece in pieces(text[begin:end]):
                hw.type_text(piece, interval_ms=30)
                sides[0].expect(*taps(piece))
            if end == 500:
                break
            active = other[active]
            switch(hw, service, active)
            sides[0].expect(*CTRL)
            sides.reverse()
            assert host.keys_down() == set()
            assert keys_down(nodes[0]) == set() and keys_down(nodes[1]) == set()
        # Nothing but what was expected came to either side, and no key is left.
        assert host.read() == [] and vm.take_all() == []
        assert vm.keys_down() == set()
    with capsys.disabled():
        print(f"\n    figure: {len(text)} characters, {len(cuts)} switches: each on its side, in order", end="")


def test_ctrl_keys_of_two_keyboards_are_one_chord(hw, service, vm):
    hw.plug("usb-kbd", "k1")
    usb = service.wait(lambda s: next((d for d in s["devices"] if d["name"] == USB_KEYBOARD and d["grabbed"]), None),
                       "grab of the USB keyboard")
    assert usb["kind"] == "keyboard"
    hw.key_down("ctrl")
    hw.key_down("ctrl_r", keyboard="k1")
    service.wait_active("vm")
    hw.key_up("ctrl")
    hw.key_up("ctrl_r", keyboard="k1")
    hw.tap("u", keyboard="k1")
    vm.expect(("KEY_U", 1), ("KEY_U", 0))
    hw.tap("p")
    vm.expect(("KEY_P", 1), ("KEY_P", 0))


def test_drag_across_a_switch_ends_where_it_began(hw, service, vm):
    with service.mirror(PS2_MOUSE) as host:
        hw.button_down("left")
        host.expect(("BTN_LEFT", 1))
        switch(hw, service, "vm")
        host.expect(("BTN_LEFT", 0))
        hw.move(5, -3)
        hw.button_up("left")
        hw.button_down("right")
        hw.button_up("right")
        vm.expect(Mouse(dx=5, dy=-3), Mouse(buttons={"right"}), Mouse())
        assert host.read() == []


def test_key_held_across_a_switch_reaches_nobody_later(hw, service, vm):
    with service.mirror(PS2_KEYBOARD) as host:
        hw.key_down("x")
        switch(hw, service, "vm")
        hw.key_up("x")
        hw.tap("y")
        host.expect(("KEY_X", 1), ("KEY_LEFTCTRL", 1), ("KEY_LEFTCTRL", 0), ("KEY_X", 0))
        vm.expect(("KEY_Y", 1), ("KEY_Y", 0))
        assert host.read() == []


def test_wheel_and_extra_clicks_reach_the_guest(hw, service, vm):
    switch(hw, service, "vm")
    hw.wheel(-1)
    hw.button_down("middle")
    hw.button_up("middle")
    vm.expect(Mouse(wheel=-1), Mouse())  # a wheel is a button to QEMU: press and release
    vm.expect(Mouse(buttons={"middle"}), Mouse())


@pytest.mark.parametrize("active", ["host", "vm"])
def test_held_key_repeats_where_it_arrives(hw, service, vm, active):
    if active == "vm":
        switch(hw, service, "vm")
        hw.key_down("a")
        vm.wait_repeats("KEY_A", 3)
        hw.key_up("a")
        vm.expect(("KEY_A", 1), ("KEY_A", 0))
        return
    with service.mirror(PS2_KEYBOARD) as host:
        hw.key_down("a")
        host.wait_repeats("KEY_A", 3)
        hw.key_up("a")


def test_lights_belong_to_the_target(hw, service, vm):
    with service.mirror(PS2_KEYBOARD) as host:
        lamp = service.lamp(PS2_KEYBOARD, "capslock")
        host.set_led("LED_CAPSL", 1)
        lamp.wait(1)
        switch(hw, service, "vm")
        lamp.wait(0)
        switch(hw, service, "host")
        lamp.wait(1)
        host.set_led("LED_CAPSL", 0)
        lamp.wait(0)


def test_usb_keyboard_unplugged_with_keys_held(hw, service, vm, capsys):
    nodes = service.guest_nodes()
    hw.plug("usb-kbd", "k1")
    usb = service.wait(lambda s: next((d for d in s["devices"] if d["name"] == USB_KEYBOARD and d["grabbed"]), None),
                       "grab of the USB keyboard")
    switch(hw, service, "vm")
    hw.key_down("q", keyboard="k1")
    vm.expect(("KEY_Q", 1))
    hw.unplug("k1")
    vm.expect(("KEY_Q", 0))
    wait_until_gone(usb["node"])
    assert keys_down(nodes[0]) == set()

    watch = Stopwatch()
    hw.plug("usb-kbd", "k2")
    service.wait(lambda s: any(d["name"] == USB_KEYBOARD and d["grabbed"] for d in s["devices"]), "the grab again")
    watch.figure(capsys, "USB keyboard plugged in to grabbed, QEMU's and vfioctl's own time included")
    hw.tap("r", keyboard="k2")
    vm.expect(("KEY_R", 1), ("KEY_R", 0))
    assert service.guest_nodes() == nodes


def test_usb_mouse_unplugged_with_a_button_held(hw, service, vm):
    nodes = service.guest_nodes()
    hw.plug("usb-mouse", "m1")
    service.wait(lambda s: any("USB Mouse" in d["name"] and d["grabbed"] for d in s["devices"]), "grab of the mouse")
    switch(hw, service, "vm")
    hw.button_down("left", mouse="m1")
    vm.expect(Mouse(buttons={"left"}))
    hw.unplug("m1")
    vm.expect(Mouse())
    assert keys_down(nodes[1]) == set()


def test_two_guests_and_direct_hotkeys(hw, service):
    service.configure(f'''
        next = [ "scrolllock" ];
        guests = ( {{ name = "one"; qmp = "{QMP}1"; toggle = [ "f9" ]; }},
                   {{ name = "two"; qmp = "{QMP}2"; toggle = [ "f10" ]; }} );
    ''')
    make_guest_directory()
    with Guest(monitor=f"{QMP}1") as one, Guest(monitor=f"{QMP}2") as two:
        service.wait_ready("one")
        service.wait_ready("two")
        hw.tap("f10")
        service.wait_active("two")
        hw.tap("b")
        hw.tap("f9")
        service.wait_active("one")
        hw.tap("a")
        hw.tap("scroll_lock")
        service.wait_active("two")
        hw.tap("scroll_lock")
        service.wait_active("host")
        one.expect(("KEY_A", 1), ("KEY_A", 0))
        two.expect(("KEY_B", 1), ("KEY_B", 0))
        assert one.take_all() == [] and two.take_all() == []


def test_qemus_own_hotkey_cannot_fire(hw, service, vm):
    service.configure('toggle = [ "scrolllock" ];\n' + GUEST)
    hw.tap("scroll_lock")
    service.wait_active("vm")
    hw.chord("meta_l", "meta_r")
    hw.chord("meta_r", "meta_l")
    hw.tap("k")
    vm.expect(("KEY_LEFTMETA", 1), ("KEY_LEFTMETA", 0), ("KEY_RIGHTMETA", 1), ("KEY_RIGHTMETA", 0),
              ("KEY_K", 1), ("KEY_K", 0))


def test_a_guest_that_is_not_there_is_refused(hw, service, journal):
    service.configure('guests = ( { name = "absent"; qmp = "/run/desk/absent.qmp"; } );')
    with service.mirror(PS2_KEYBOARD) as host:
        hw.chord("ctrl", "ctrl_r")
        journal.wait("no switch to absent", "vfio-inputd.service")
        hw.tap("h")
        host.expect(("KEY_LEFTCTRL", 1), ("KEY_LEFTCTRL", 0), ("KEY_H", 1), ("KEY_H", 0))
    assert service.active() == "host"
