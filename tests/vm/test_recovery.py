"""Faults: restarts, crashes, hangs, dead guests, the panic chord. Nobody is locked out, nothing is stuck."""

import os
import signal
import subprocess

import libevdev
import pytest

from nodes import wait_for
from service import (CONFIG, PS2_KEYBOARD, PS2_MOUSE, Stopwatch, keys_down, signal_unit, systemctl, vfioctl)

INPUTD = "vfio-inputd.service"
GUESTD = "vfio-guestd.service"


def switch(hw, service, to):
    hw.chord("ctrl", "ctrl_r")
    service.wait_active(to)


def is_free(node):
    """Whether nobody has grabbed the node."""
    with open(node, "r+b", buffering=0) as file:
        os.set_blocking(file.fileno(), False)
        device = libevdev.Device(file)
        try:
            device.grab()
        except (OSError, libevdev.device.DeviceGrabError):
            return False
        return True  # and the grab ends with the file


def feed_is_whole(hw, service, vm, nodes):
    """The guest still receives through the same nodes, and holds no key."""
    service.wait_grabbed(PS2_KEYBOARD)
    service.wait_ready("vm")
    assert service.guest_nodes() == nodes
    vm.take_all()
    switch(hw, service, "vm")
    hw.tap("z")
    vm.expect(("KEY_Z", 1), ("KEY_Z", 0))
    assert keys_down(nodes[0]) == set() and vm.keys_down() == set()


def test_restart_keeps_every_node(hw, service, vm, capsys):
    nodes = service.guest_nodes()
    with service.mirror(PS2_KEYBOARD) as host:
        path = host.path
        watch = Stopwatch()
        systemctl("restart", INPUTD)
        service.wait_grabbed(PS2_KEYBOARD)
        watch.figure(capsys, "restart to grabbed again")
        hw.tap("h")
        host.expect(("KEY_H", 1), ("KEY_H", 0))
        assert service.mirror(PS2_KEYBOARD).path == path
    feed_is_whole(hw, service, vm, nodes)


def test_killed_while_the_guest_holds_a_key(hw, service, vm, capsys):
    nodes = service.guest_nodes()
    switch(hw, service, "vm")
    hw.key_down("k")
    vm.expect(("KEY_K", 1))
    before = service.pid()
    watch = Stopwatch()
    signal_unit(INPUTD, signal.SIGKILL)
    wait_for(lambda: not keys_down(nodes[0]), what="release of the key")
    watch.figure(capsys, "kill -9 to the guest's key released")
    hw.key_up("k")
    service.wait_grabbed(PS2_KEYBOARD)
    watch.figure(capsys, "kill -9 to grabbed again")
    assert service.pid() != before and service.active() == "host"
    feed_is_whole(hw, service, vm, nodes)


def test_killed_while_the_host_holds_a_key(hw, service, capsys):
    with service.mirror(PS2_KEYBOARD) as host:
        hw.key_down("k")
        host.expect(("KEY_K", 1))
        signal_unit(INPUTD, signal.SIGKILL)
        host.expect(("KEY_K", 0))
        hw.key_up("k")
        service.wait_grabbed(PS2_KEYBOARD)
        hw.tap("h")
        host.expect(("KEY_H", 1), ("KEY_H", 0))


def test_a_service_that_hangs_is_killed_and_frees_the_keyboard(hw, service, vm, capsys):
    nodes = service.guest_nodes()
    node = service.device(PS2_KEYBOARD)["node"]
    switch(hw, service, "vm")
    before = service.pid()
    os.kill(before, signal.SIGSTOP)
    watch = Stopwatch()
    wait_for(lambda: not os.path.exists(f"/proc/{before}") or is_free(node), 30, what="the end of the hung service")
    assert watch.figure(capsys, "SIGSTOP to the keyboard free") < 15
    service.wait_grabbed(PS2_KEYBOARD, timeout=30)
    assert service.pid() != before and service.active() == "host"
    feed_is_whole(hw, service, vm, nodes)


def test_guestd_killed_while_the_guest_is_active(hw, service, vm):
    nodes = service.guest_nodes()
    switch(hw, service, "vm")
    before = service.pid(GUESTD)
    signal_unit(GUESTD, signal.SIGKILL)
    hw.tap("i")
    vm.expect(("KEY_I", 1), ("KEY_I", 0))
    wait_for(lambda: service.pid(GUESTD) not in (0, before), what="vfio-guestd again")
    service.wait_ready("vm")
    assert service.active() == "vm" and service.guest_nodes() == nodes
    hw.tap("j")
    vm.expect(("KEY_J", 1), ("KEY_J", 0))


def test_guest_killed_while_active(hw, service, vm, capsys):
    nodes = service.guest_nodes()
    with service.mirror(PS2_KEYBOARD) as host:
        switch(hw, service, "vm")
        hw.key_down("g")
        vm.expect(("KEY_G", 1))
        host.read()
        watch = Stopwatch()
        os.kill(vm.pid, signal.SIGKILL)
        service.wait_active("host")
        assert watch.figure(capsys, "kill -9 of QEMU to the host active, vfioctl's own time included") < 5
        hw.key_up("g")
        hw.tap("h")
        host.expect(("KEY_H", 1), ("KEY_H", 0))
    assert keys_down(nodes[0]) == set()
    assert os.stat(nodes[0]).st_uid == 0 and os.stat(nodes[1]).st_uid == 0


def test_guest_frozen_while_active(hw, service, vm, capsys):
    switch(hw, service, "vm")
    os.kill(vm.pid, signal.SIGSTOP)
    watch = Stopwatch()
    service.wait_active("host")
    watch.figure(capsys, "QEMU stopped to the host active (configured: 1 s)")
    os.kill(vm.pid, signal.SIGCONT)
    service.wait_ready("vm")
    vm.take_all()
    switch(hw, service, "vm")
    hw.tap("c")
    vm.expect(("KEY_C", 1), ("KEY_C", 0))


def test_guest_started_again(hw, service, vm):
    from guest import Guest
    from service import QMP
    nodes = service.guest_nodes()
    vm.kill()
    service.wait_not_ready("vm")
    with Guest(monitor=QMP) as again:
        feed_is_whole(hw, service, again, nodes)


PANIC = ("backspace", "esc", "ret")


def panic(hw, service, watch, capsys):
    nodes = [device["node"] for device in service.status()["devices"]]
    for key in PANIC:
        hw.key_down(key)
    service.wait(lambda s: s["paused"], "the pause")
    wait_for(lambda: all(is_free(node) for node in nodes), what="all devices free")
    for key in PANIC:
        hw.key_up(key)
    assert len(nodes) >= 2


@pytest.mark.parametrize("active", ["host", "vm"])
def test_panic_chord_frees_every_device(hw, service, vm, capsys, active):
    if active == "vm":
        switch(hw, service, "vm")
    panic(hw, service, Stopwatch(), capsys)
    assert service.active() == "host"
    assert vfioctl("switch", "vm", check=False).returncode == 4
    vfioctl("resume")
    service.wait_grabbed(PS2_KEYBOARD)
    service.wait_grabbed(PS2_MOUSE)
    vm.take_all()
    switch(hw, service, "vm")
    hw.tap("v")
    vm.expect(("KEY_V", 1), ("KEY_V", 0))


def test_panic_chord_with_a_broken_configuration(hw, service, journal, capsys):
    service.configure('toggle = [ "leftctrl", "rightctl" ];\n', reload=False)
    systemctl("restart", INPUTD)
    service.wait_grabbed(PS2_KEYBOARD)
    journal.wait(r"/etc/vfio-inputd\.conf:1: .*rightctl", INPUTD)
    panic(hw, service, Stopwatch(), capsys)
    vfioctl("resume")
    service.wait_grabbed(PS2_KEYBOARD)


def test_pause_leaves_the_real_devices_to_the_host(hw, service):
    from nodes import Node
    node = service.device(PS2_KEYBOARD)["node"]
    vfioctl("pause")
    wait_for(lambda: is_free(node), what="the free keyboard")
    with Node(node) as real:
        hw.tap("p")
        real.expect(("KEY_P", 1), ("KEY_P", 0))
    vfioctl("resume")
    with service.mirror(PS2_KEYBOARD) as host:
        hw.tap("q")
        host.expect(("KEY_Q", 1), ("KEY_Q", 0))


def test_key_held_while_the_service_starts_is_not_stuck(hw, service):
    from nodes import Node
    node = service.device(PS2_KEYBOARD)["node"]
    systemctl("stop", INPUTD)
    with Node(node) as real:
        hw.key_down("w")
        real.expect(("KEY_W", 1))
        systemctl("start", INPUTD)
        service.wait(lambda s: any(d["node"] == node and d["state"] == "waiting" for d in s["devices"]), "the wait")
        hw.key_up("w")
        real.expect(("KEY_W", 0))
        service.wait_grabbed(PS2_KEYBOARD)


def test_key_that_stays_down_is_released_before_the_grab(hw, service):
    from nodes import Node
    service.configure("grab-wait-ms = 500;\n")
    node = service.device(PS2_KEYBOARD)["node"]
    systemctl("stop", INPUTD)
    with Node(node) as real:
        hw.key_down("w")
        real.expect(("KEY_W", 1))
        systemctl("start", INPUTD)
        real.expect(("KEY_W", 0))
        with service.mirror(PS2_KEYBOARD) as host:
            hw.key_up("w")
            hw.tap("n")
            host.expect(("KEY_N", 1), ("KEY_N", 0))
        assert real.read() == []


def test_stopping_gives_everything_back(hw, service, vm):
    nodes = service.guest_nodes()
    device = service.device(PS2_KEYBOARD)["node"]
    systemctl("stop", INPUTD)
    wait_for(lambda: not any(os.path.exists(node) for node in nodes), what="the end of the guest's nodes")
    assert is_free(device)
    assert "input-linux" not in str(vm.qmp.execute("qom-list", path="/objects"))
    systemctl("start", INPUTD)
    service.wait_ready("vm")
    assert service.target("vm")["ready"]


def test_installed_again_while_running(hw, service, vm):
    """An upgrade restarts the service; the guest notices nothing."""
    nodes = service.guest_nodes()
    subprocess.run(["dpkg-reconfigure", "-fnoninteractive", "vfio-inputd"], check=True, capture_output=True)
    feed_is_whole(hw, service, vm, nodes)
    assert CONFIG.exists()
