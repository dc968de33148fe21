"""A confined libvirt domain gets its nodes by each route, tells why by that one, and leaves nothing behind."""

import re
import statistics

import pytest

import libvirtd
from domain import evdev_inputs
from listing import Listing
from nodes import wait_for
from service import DOMAINS, PS2_KEYBOARD, SUITE, domain_guest, vfioctl
from signals import Signals

CONFIGURATION = DOMAINS
CYCLES = 20
CAN_ATTACH = SUITE != "bookworm"  # libvirt 9.0 refuses
REFUSAL = r"libvirt does not plug the nodes in: .*cannot be hot ?plugged"


def switch(hw, service, to):
    hw.chord("ctrl", "ctrl_r")
    service.wait_active(to)


def keys_reach(hw, service, domain, key="k"):
    """By both Ctrl keys to the guest, a key, and back."""
    switch(hw, service, domain.name)
    hw.tap(key)
    domain.expect((f"KEY_{key.upper()}", 1), (f"KEY_{key.upper()}", 0))
    switch(hw, service, "host")
    domain.expect(("KEY_LEFTCTRL", 1), ("KEY_LEFTCTRL", 0))
    assert domain.keys_down() == set()


def start(domain):
    """Returns the seconds from libvirt's "running" to our "ready"."""
    with libvirtd.Events() as events, Signals() as signals:
        domain.start()
        return signals.wait_ready(domain.name) - events.wait(domain.name, "resumed")


def stop(service, domain):
    domain.destroy()
    service.wait_guest(domain.name, state="absent")


def nothing_is_left(before):
    """What was done for a QEMU is undone at once when it has ended."""
    last = []

    def look():
        last[:] = Listing().changes(before)
        return not last

    try:
        wait_for(look, 10)
    except AssertionError:
        assert last == []


def show(capsys, what):
    with capsys.disabled():
        print(f"\n    figure: {what}", end="", flush=True)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_twenty_starts_and_stops(hw, service, new_domain, capsys):
    """Adopted by the rule, with nothing of ours in its XML; ready each time, and nothing is left each time."""
    service.configure('libvirt = { adopt = "all"; ignore = [ "win" ]; };')
    domain = new_domain("fresh")
    start(domain)
    stop(service, domain)
    before = Listing()
    times = []
    for cycle in range(CYCLES):
        times.append(start(domain))
        assert "evdev" not in domain.xml() or CAN_ATTACH
        assert domain.profile == f"libvirt-{domain.uuid} (enforce)"
        keys_reach(hw, service, domain, "abcdefghijklmnopqrst"[cycle])
        switch(hw, service, "fresh")
        stop(service, domain)
        service.wait_active("host")
        nothing_is_left(before)
    show(capsys, f"running to ready, {CYCLES} starts: median {statistics.median(times):.2f} s, "
                 f"{min(times):.2f} to {max(times):.2f} s")
    assert max(times) < 2


@pytest.mark.differs
@pytest.mark.timeout(400)
@pytest.mark.parametrize("route", ["auto", "grant", "attach", "static"])
def test_route(hw, service, new_domain, journal, capsys, route):
    expected = {"auto": "attach" if CAN_ATTACH else "grant"}.get(route, route)
    service.configure(domain_guest("fresh", "auto" if route == "static" else route))
    service.guest_nodes("fresh")
    domain = new_domain("fresh", devices=evdev_inputs("fresh") if route == "static" else "")
    if (route, CAN_ATTACH) == ("attach", False):
        domain.start()
        guest = service.wait_guest("fresh", state="failed")
        assert re.search(REFUSAL, guest["reason"]), guest
        journal.wait(REFUSAL, "vfio-guestd.service")
        assert not service.target("fresh")["ready"]
        stop(service, domain)
        return
    seconds = start(domain)
    show(capsys, f"running to ready by {expected}: {seconds:.2f} s")
    guest = service.wait_guest("fresh", state="ready")
    assert (guest["route"], guest["domain"], guest["uuid"]) == (expected, "fresh", domain.uuid)
    if (route, CAN_ATTACH) == ("auto", False):
        assert re.search(REFUSAL, guest["route_reason"]), guest
    if expected == "grant":
        assert service.layers("fresh") == dict.fromkeys(("namespace", "dac", "apparmor", "cgroup"), "open")
    else:
        assert guest["layers"] == []
    keys_reach(hw, service, domain)
    stop(service, domain)


@pytest.mark.long
@pytest.mark.differs
@pytest.mark.timeout(300)
def test_virtio_without_a_driver_is_not_ready_and_says_so(hw, service, new_domain):
    """Nor is it ready another way, as a guest without a driver never lets such devices go."""
    service.configure(domain_guest("fresh", "virtio"))
    domain = new_domain("fresh")
    domain.start()
    guest = service.wait_guest("fresh", state="paused", route="virtio")
    assert "driver" in guest["reason"], guest
    assert not service.target("fresh")["ready"]
    service.configure(domain_guest("fresh", "grant"))
    assert "does not let go" in service.wait_guest("fresh", state="failed")["reason"]
    stop(service, domain)
    start(domain)
    service.wait_guest("fresh", state="ready", route="grant")


@pytest.mark.long
@pytest.mark.differs
def test_detach_and_attach(hw, service, domain):
    before = Listing()
    vfioctl("detach", "win")
    service.wait_guest("win", state="detached")
    assert not service.target("win")["ready"]
    # libvirt, where it attaches, has the nodes in records of its own
    changes = Listing().changes(before, ignore=["^/run/libvirt/qemu/win.xml$", "^/etc/apparmor.d/libvirt/libvirt-.*[.]files$"])
    assert [c for c in changes if not c.endswith("is gone") and "device group" not in c] == []
    assert changes
    vfioctl("attach", "win")
    service.wait_ready("win")
    assert Listing().changes(before) == []
    domain.take_all()
    keys_reach(hw, service, domain)


def test_host_keeps_its_keys_while_a_domain_starts(hw, service, new_domain):
    domain = new_domain("other")
    with service.mirror(PS2_KEYBOARD) as host:
        start(domain)
        hw.tap("h")
        host.expect(("KEY_H", 1), ("KEY_H", 0))
    assert domain.take_all() == []
