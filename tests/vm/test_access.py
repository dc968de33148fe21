"""Who can see and open what, and who may call what."""

import os
import subprocess

import pytest

from nodes import wait_for_node
from service import PS2_KEYBOARD, PS2_MOUSE, can_open, vfioctl


def list_devices():
    return subprocess.run(["libinput", "list-devices"], check=True, capture_output=True, text=True).stdout


def test_desktop_sees_the_mirrors_and_not_the_guest(hw, service):
    nodes = service.guest_nodes()
    listed = list_devices()
    for phys, name in ((PS2_KEYBOARD, "AT Translated Set 2 keyboard"), (PS2_MOUSE, "ImExPS/2 Generic Explorer Mouse")):
        with service.mirror(phys) as mirror:
            assert f"Kernel:           {mirror.path}\n" in listed
            assert mirror.device.name == name
            real = service.device(phys)
            assert (mirror.device.id["vendor"], mirror.device.id["product"]) == (real["vendor"], real["product"])
    assert "vfio-inputd" not in listed
    for node in nodes:
        assert f"{node}\n" not in listed


def test_ordinary_users_can_open_no_node(hw, service):
    service.configure('guests = ( { name = "absent"; qmp = "/run/desk/absent.qmp"; } );')
    with service.mirror(PS2_KEYBOARD) as mirror:
        for node in [mirror.path, *service.guest_nodes("absent")]:
            assert os.path.exists(node)
            assert not can_open(node, "desk") and not can_open(node, "other")


def test_only_the_guests_own_user_can_open_its_nodes(hw, service, vm):
    for node in service.guest_nodes():
        assert can_open(node, "desk") and not can_open(node, "other")
        assert os.stat(node).st_mode & 0o777 == 0o600


def test_guest_nodes_have_stable_names(hw, service):
    keyboard, pointer = service.guest_nodes()
    assert os.path.realpath("/dev/input/by-id/vfio-inputd-vm-event-kbd") == keyboard
    assert os.path.realpath("/dev/input/by-id/vfio-inputd-vm-event-mouse") == pointer


def test_guest_nodes_are_on_no_seat(hw, service):
    for node in service.guest_nodes():
        shown = subprocess.run(["udevadm", "info", "--query=property", node], check=True, capture_output=True,
                               text=True).stdout
        assert "LIBINPUT_IGNORE_DEVICE=1" in shown
        current = next((line for line in shown.splitlines() if line.startswith("CURRENT_TAGS=")), "")
        assert not {"seat", "uaccess", "power-switch"} & set(current.removeprefix("CURRENT_TAGS=").split(":"))


def test_power_button_is_left_alone(hw, service):
    power = wait_for_node(phys="LNXPWRBN/button/input0")
    assert power not in [device["node"] for device in service.status()["devices"]]


def test_the_daemon_grabs_no_node_of_its_own(hw, service):
    assert not any(device["phys"].startswith("vfio-inputd/") for device in service.status()["devices"])


@pytest.mark.parametrize("verb", [("switch", "host"), ("pause",), ("resume",), ("reload",)])
def test_a_user_in_no_session_may_change_nothing(hw, service, verb):
    refused = vfioctl("--no-ask-password", *verb, user="other", check=False)
    assert refused.returncode == 4, refused
    assert refused.stderr and not refused.stdout
    assert not service.status()["paused"]


def test_anybody_may_look(hw, service):
    assert vfioctl("status", user="other").stdout
    assert vfioctl("devices", "--json", user="other").stdout


def test_process_has_no_privilege(hw, service):
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{service.pid()}/status").read().splitlines())
    assert {status[cap].strip() for cap in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000000"}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    uid = int(status["Uid"].split()[0])
    assert uid != 0
    limits = open(f"/proc/{service.pid()}/limits").read()
    assert "Max core file size        0 " in limits
