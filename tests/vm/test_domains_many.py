"""Three domains with hotkeys of their own and two keyboards: every key goes where it belongs."""

import random

import pytest

from service import PS2_KEYBOARD

pytestmark = pytest.mark.long

SEED = 8
SWITCHES = 200
HOTKEYS = {"host": "f6", "red": "f7", "green": "f8", "blue": "f9"}
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
USB_KEYBOARD = "QEMU QEMU USB Keyboard"


@pytest.mark.timeout(900)
def test_random_switches(hw, service, new_domain, capsys):
    """Hotkeys from each place a hotkey can come from: the domain's metadata and the configuration."""
    service.reset(f'''
        host = [ "{HOTKEYS["host"]}" ];
        next = [ "scrolllock" ];
        libvirt = {{ adopt = "none"; }};
        guests = ( {{ name = "red"; toggle = [ "{HOTKEYS["red"]}" ]; }},
                   {{ name = "green"; toggle = [ "{HOTKEYS["green"]}" ]; }} );
    ''')
    domains = {name: new_domain(name, metadata={"adopt": "yes", "toggle": HOTKEYS[name]} if name == "blue" else None)
               for name in ("red", "green", "blue")}
    for name, domain in domains.items():
        domain.start()
        service.wait_ready(name)
    hw.plug("usb-kbd", "k1")
    service.wait(lambda s: any(d["name"] == USB_KEYBOARD and d["grabbed"] for d in s["devices"]), "the USB keyboard")
    with service.mirror(PS2_KEYBOARD) as host, mirror_of(service, USB_KEYBOARD) as usb_host:
        walk(hw, service, random.Random(SEED), domains, host, usb_host)
        assert host.read() == [] and usb_host.read() == []
        assert host.keys_down() == usb_host.keys_down() == set()
    for name, domain in domains.items():
        assert (name, domain.take_all(), domain.keys_down()) == (name, [], set())
    with capsys.disabled():
        print(f"\n    figure: {SWITCHES} switches among {len(HOTKEYS)} targets (seed {SEED}), "
              f"{SWITCHES} keys: each on its side, in order", end="", flush=True)


def walk(hw, service, rng, domains, host, usb_host):
    active, order = "host", list(HOTKEYS)  # the configured ones before the adopted one
    for _ in range(SWITCHES):
        if rng.random() < 0.2:
            active = order[(order.index(active) + 1) % len(order)]
            hw.tap("scroll_lock", keyboard=rng.choice([None, "k1"]))
        else:
            active = rng.choice([name for name in order if name != active])
            hw.tap(HOTKEYS[active], keyboard=rng.choice([None, "k1"]))
        letter, keyboard = rng.choice(LETTERS), rng.choice([None, "k1"])
        service.wait_active(active)
        hw.tap(letter, keyboard=keyboard)
        side = domains[active] if active != "host" else usb_host if keyboard else host
        side.expect((f"KEY_{letter.upper()}", 1), (f"KEY_{letter.upper()}", 0))


def mirror_of(service, name):
    device = next(device for device in service.status()["devices"] if device["name"] == name)
    return service.mirror(device["phys"])
