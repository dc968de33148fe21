"""`vfioctl grant`: any input node for one running domain, until it stops, is revoked or the device goes."""

import contextlib
import json
import os
import re
import signal
from pathlib import Path

import pytest

from domain import DomainError
from listing import Listing
from nodes import wait_for
from service import DOMAINS, GUESTD, PS2_KEYBOARD, systemctl, vfioctl
from uinput import Gamepad

pytestmark = pytest.mark.long

CONFIGURATION = DOMAINS
LAYERS = ("namespace", "dac", "apparmor", "cgroup")


def grants():
    """All there are, or None if nobody answers."""
    reply = vfioctl("grants", "--json", check=False)
    return json.loads(reply.stdout)["grants"] if reply.returncode == 0 else None


def grant(domain, node, *options):
    return vfioctl("grant", *options, domain, node).stdout.strip()


@contextlib.contextmanager
def opened(domain, path):
    """Its QEMU opens the path, as for a device."""
    domain.qmp("object-add", qom_type="input-linux", id="harness", evdev=path)
    try:
        yield
    finally:
        domain.qmp("object-del", id="harness")


def refuses(domain, path):
    with pytest.raises(DomainError, match="No such file|Permission denied|not permitted"), opened(domain, path):
        pass


@pytest.mark.differs
def test_grant_and_revoke(service, domain, pad):
    before = Listing()
    path = grant("win", pad.node)
    assert re.fullmatch(rf"/dev/vfio-inputd/libvirt-{domain.uuid}/input\d+", path)
    with opened(domain, path):
        pass
    one, = grants()
    assert (one["domain"], one["node"], one["path"], one["pid"]) == ("win", pad.node, path, domain.pid)
    assert {layer["name"]: layer["state"] for layer in one["layers"]} == dict.fromkeys(LAYERS, "open")
    assert grant(domain.uuid, pad.node) == path  # twice is no error
    assert len(grants()) == 1
    vfioctl("revoke", "win", pad.node)
    assert grants() == []
    refuses(domain, path)
    assert Listing().changes(before) == []


def test_links_to_a_node_are_followed(service, domain, pad):
    link = Path("/dev/input/by-id/harness-pad")
    link.symlink_to(pad.node)
    try:
        path = grant("win", link)
        assert grants()[0]["node"] == pad.node
        vfioctl("revoke", "win", path)
        assert grants() == []
    finally:
        link.unlink()


@pytest.mark.differs
def test_unplugged_while_granted(service, domain, pad):
    """And a device that gets its event number next is nobody's."""
    before = Listing()
    path = grant("win", pad.node)
    number = os.stat(pad.node).st_rdev
    pad.unplug()
    wait_for(lambda: grants() == [], what="the end of the grant")
    with Gamepad("another gamepad") as other:
        assert (other.node, os.stat(other.node).st_rdev) == (pad.node, number)
        refuses(domain, path)
        refuses(domain, other.node)
        assert Listing().changes(before) == []


@pytest.mark.timeout(300)
def test_domain_stopped_while_granted(service, domain, pad):
    domain.destroy()
    service.wait_guest("win", state="absent")
    before = Listing()
    domain.start()
    path = grant("win", pad.node)
    domain.destroy()
    wait_for(lambda: grants() == [], what="the end of the grant")
    service.wait_guest("win", state="absent")
    assert Listing().changes(before) == []
    gone = vfioctl("revoke", "win", path, check=False)
    assert gone.returncode == 1 and gone.stderr
    refused = vfioctl("grant", "win", pad.node, check=False)
    assert refused.returncode == 1 and "does not run" in refused.stderr
    domain.start()
    refuses(domain, path)


@pytest.mark.parametrize("ending", ["kill", "restart"])
def test_a_grant_outlives_the_daemon(service, domain, pad, ending):
    before = Listing()
    path = grant("win", pad.node)
    daemon = service.pid(GUESTD)
    if ending == "kill":
        os.kill(daemon, signal.SIGKILL)
    else:
        systemctl("restart", GUESTD)
    wait_for(lambda: service.pid(GUESTD) not in (0, daemon), what="vfio-guestd again")
    wait_for(lambda: [each["path"] for each in grants() or []] == [path], what="the grant")
    with opened(domain, path):
        pass
    vfioctl("revoke", "win", pad.node)
    service.wait_ready("win")
    assert Listing().changes(before) == []
    systemctl("reset-failed", GUESTD)


@pytest.mark.parametrize("node", ["/dev/null", "/dev/vda", "/dev/input", "/dev/input/mice", "/dev/uinput",
                                  "/etc/passwd", "/nowhere", "LINK"])
def test_what_is_no_input_node_is_refused(service, domain, tmp_path, node):
    if node == "LINK":
        node = tmp_path / "link"
        node.symlink_to("/dev/null")
    before = Listing()
    for options in ((), ("--in-use",)):
        refused = vfioctl("grant", *options, "win", node, check=False)
        assert refused.returncode == 1 and "no input device" in refused.stderr and refused.stdout == "", refused
    assert grants() == [] and Listing().changes(before) == []


def test_what_the_host_uses_is_given_only_if_asked_for_twice(hw, service, domain):
    real = service.device(PS2_KEYBOARD)["node"]
    with service.mirror(PS2_KEYBOARD) as mirror:
        for node in (real, mirror.path):
            refused = vfioctl("grant", "win", node, check=False)
            assert refused.returncode == 4 and node in refused.stderr, refused
        assert grants() == []
        path = grant("win", real, "--in-use")
        assert grants()[0]["node"] == real
        vfioctl("revoke", "win", path)
        hw.tap("h")
        mirror.expect(("KEY_H", 1), ("KEY_H", 0))


def test_another_guests_node_is_never_given(service, domain):
    service.configure('libvirt = { adopt = "all"; };\nguests = ( { name = "absent"; qmp = "/run/desk/absent.qmp"; } );')
    for node in service.guest_nodes("absent"):
        for options in ((), ("--in-use",)):
            refused = vfioctl("grant", *options, "win", node, check=False)
            assert refused.returncode == 4 and "absent" in refused.stderr, refused
    assert grants() == []


@pytest.mark.parametrize("user", ["desk", "other"])
def test_unprivileged_users_are_refused(service, domain, pad, user):
    before = Listing()
    path = grant("win", pad.node)
    for verb in (("grant", "win", pad.node), ("revoke", "win", pad.node), ("revoke", "win", path)):
        refused = vfioctl("--no-ask-password", *verb, user=user, check=False)
        assert refused.returncode == 4 and refused.stderr and not refused.stdout, refused
    assert len(json.loads(vfioctl("grants", "--json", user=user).stdout)["grants"]) == 1
    vfioctl("revoke", "win", path)
    assert Listing().changes(before) == []


@pytest.mark.parametrize("arguments,status", [(("grant",), 2), (("grant", "win"), 2), (("revoke", "win"), 2),
                                              (("grant", "nobody", "PAD"), 1), (("revoke", "win", "PAD"), 1)])
def test_wrong_requests(service, domain, pad, arguments, status):
    arguments = [pad.node if argument == "PAD" else argument for argument in arguments]
    reply = vfioctl(*arguments, check=False)
    assert reply.returncode == status and reply.stderr and not reply.stdout, reply
