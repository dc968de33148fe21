"""The route for full fidelity: virtio input devices, in a Linux that has a driver for them."""

import pytest

from linuxguest import LinuxDomain
from service import PS2_KEYBOARD
from uinput import FULL_MOUSE, Uinput

pytestmark = [pytest.mark.differs, pytest.mark.long]
CONFIGURATION = 'guests = ( { name = "linux"; route = "virtio"; } );\n'


@pytest.fixture(scope="module")
def shared():
    guests = []
    yield guests
    for guest in guests:
        guest.remove()


@pytest.fixture
def linux(libvirt, service, shared):
    if not shared:
        shared.append(LinuxDomain("linux"))
        shared[0].start(timeout=300)
    service.wait_guest("linux", 60, state="ready", route="virtio")
    shared[0].take_all()
    return shared[0]


def switch(hw, service, to):
    hw.chord("ctrl", "ctrl_r")
    service.wait_active(to)


@pytest.mark.timeout(400)
def test_keys(hw, service, linux):
    switch(hw, service, "linux")
    hw.type_text("hi", interval_ms=60)
    linux.expect(("KEY_H", 1), ("KEY_H", 0), ("KEY_I", 1), ("KEY_I", 0))
    switch(hw, service, "host")
    linux.expect(("KEY_LEFTCTRL", 1), ("KEY_LEFTCTRL", 0))
    assert linux.keys_down() == set()


@pytest.mark.timeout(400)
def test_buttons_and_both_wheels(hw, service, linux):
    with Uinput("harness mouse", FULL_MOUSE, phys="harness/mouse") as mouse:
        service.wait(lambda s: any(d["name"] == mouse.name and d["grabbed"] for d in s["devices"]), "the mouse")
        switch(hw, service, "linux")
        frames = [[("REL_X", 5), ("REL_Y", -3)],
                  [("REL_WHEEL", -1), ("REL_WHEEL_HI_RES", -120)], [("REL_WHEEL_HI_RES", 30)],
                  [("REL_HWHEEL", 1), ("REL_HWHEEL_HI_RES", 120)], [("REL_HWHEEL_HI_RES", -15)],
                  *([(button, value)] for button in FULL_MOUSE if button.startswith("BTN_") for value in (1, 0))]
        for frame in frames:
            mouse.send(*frame)
            linux.expect(*frame)
        # Several clicks at once become several frames, as QEMU's own input counts one a frame.
        mouse.send(("REL_WHEEL", 2), ("REL_WHEEL_HI_RES", 240))
        linux.expect(("REL_WHEEL", 1), ("REL_WHEEL_HI_RES", 240), ("REL_WHEEL", 1))


@pytest.mark.timeout(400)
def test_light_of_the_guest_is_shown_while_it_is_active(hw, service, linux):
    """The guest has lit Caps Lock as soon as it saw its keyboard."""
    lamp = service.lamp(PS2_KEYBOARD, "capslock")
    lamp.wait(0)
    switch(hw, service, "linux")
    lamp.wait(1)
    switch(hw, service, "host")
    lamp.wait(0)
