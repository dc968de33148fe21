"""The four layers of a grant: one that is broken on purpose is named; a second domain gets through none of them."""

import contextlib
import ctypes
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from domain import DomainError
from listing import allow, deny
from nodes import wait_for
from service import DOMAINS, vfioctl

pytestmark = pytest.mark.long

CONFIGURATION = DOMAINS
LAYERS = ("namespace", "dac", "apparmor", "cgroup")
PROFILES = Path("/etc/apparmor.d/libvirt")
AA_CLASS_FILE, AA_MAY_WRITE, AA_MAY_READ = 2, 2, 4


def granted_nodes(domain):
    """Where its QEMU finds its nodes, and what they are."""
    profile = domain.profile.partition(" ")[0]
    directory = domain.dev(f"/dev/vfio-inputd/{profile}")
    return {f"/dev/vfio-inputd/{profile}/{node.name}": node for node in directory.iterdir()}


def reload_profile(domain):
    subprocess.run(["apparmor_parser", "--skip-cache", "-r", PROFILES / domain.profile.partition(" ")[0]], check=True)


@contextlib.contextmanager
def namespace_broken(domain, node):
    node.unlink()
    yield


@contextlib.contextmanager
def dac_broken(domain, node):
    shutil.chown(node, "nobody")
    yield


@contextlib.contextmanager
def apparmor_broken(domain, node):
    rule = Path("/etc/apparmor.d/abstractions/libvirt-qemu.d/vfio-inputd")
    saved = rule.read_text()
    rule.write_text("# nothing\n")
    reload_profile(domain)
    try:
        yield
    finally:
        rule.write_text(saved)


@contextlib.contextmanager
def cgroup_broken(domain, node):
    deny(domain.pid, os.stat(node).st_rdev)
    yield


BREAKING = {"namespace": namespace_broken, "dac": dac_broken, "apparmor": apparmor_broken, "cgroup": cgroup_broken}


def shut_layers(domain):
    """As `vfioctl guests NAME` says: it looks at each of them anew."""
    guest, = json.loads(vfioctl("guests", domain.name, "--json").stdout)["guests"]
    return [layer["name"] for layer in guest["layers"] if layer["state"] == "shut"]


@pytest.mark.differs
@pytest.mark.timeout(300)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_broken_layer_is_named_and_mended(hw, service, granted, journal, layer):
    assert shut_layers(granted) == []
    node = next(iter(granted_nodes(granted).values()))
    with BREAKING[layer](granted, node):
        assert shut_layers(granted) == [layer]
        journal.wait(f"win: one of its layers is shut: {layer}: ", "vfio-guestd.service")
        assert service.guest("win")["state"] == "ready"  # what QEMU has open it keeps
        vfioctl("detach", "win")
        attach = vfioctl("attach", "win", check=False)
        if layer == "apparmor":  # which only an administrator can mend: the attach fails and says so
            assert attach.returncode != 0 and "apparmor" in attach.stderr, attach
            assert service.layers("win")["apparmor"] == "shut"
        else:
            assert attach.returncode == 0, attach
    vfioctl("attach", "win")
    service.wait_ready("win")
    assert shut_layers(granted) == []
    assert service.layers("win") == dict.fromkeys(LAYERS, "open")
    granted.take_all()
    hw.chord("ctrl", "ctrl_r")
    service.wait_active("win")
    hw.tap("m")
    granted.expect(("KEY_M", 1), ("KEY_M", 0))


@pytest.mark.differs
@pytest.mark.timeout(300)
def test_libvirt_rewriting_the_profile_does_not_lose_the_rule(service, granted):
    """It does so whenever a disk is plugged in or a medium changed."""
    image = granted.directory / "second.img"
    image.write_bytes(bytes(1440 << 10))
    granted.insert_floppy(image)
    try:
        assert str(image) in (PROFILES / (granted.profile.partition(" ")[0] + ".files")).read_text()
        assert shut_layers(granted) == []
        vfioctl("detach", "win")
        vfioctl("attach", "win")
        service.wait_ready("win")
    finally:
        granted.insert_floppy(granted.directory / "boot.img")


def test_the_rule_is_narrow(service, granted):
    """The profile of one domain allows what is below its own directory and no other device of ours or of the host."""
    other = "libvirt-00000000-0000-0000-0000-000000000000"
    mine = granted.profile.partition(" ")[0]
    assert may_open(mine, f"/dev/vfio-inputd/{mine}/input7")
    for path in (f"/dev/vfio-inputd/{other}/input7", f"/dev/vfio-inputd/{mine}/../{other}/input7",
                 "/dev/input/event0", "/dev/vfio-inputd/input7", f"/dev/vfio-inputd/{mine}/event7"):
        assert not may_open(mine, path), path


def may_open(profile, path):
    """The kernel's own answer."""
    library = ctypes.CDLL("libapparmor.so.1", use_errno=True)
    query = b"label\0" + profile.encode() + b"\0" + bytes([AA_CLASS_FILE]) + path.encode()
    buffer = ctypes.create_string_buffer(query, len(query))
    allowed, audited = ctypes.c_int(), ctypes.c_int()
    status = library.aa_query_label(AA_MAY_READ | AA_MAY_WRITE, buffer, len(query), ctypes.byref(allowed),
                                    ctypes.byref(audited))
    assert status == 0, os.strerror(ctypes.get_errno())
    return bool(allowed.value)


@pytest.mark.differs
@pytest.mark.timeout(400)
def test_a_second_domain_opens_none_of_the_first_ones_nodes(service, granted, new_domain):
    second = new_domain("second", metadata={"adopt": "no"})
    second.start()
    paths = dict(granted_nodes(granted))
    numbers = {os.stat(node).st_rdev for node in paths.values()}
    hosts = service.guest_nodes("win")

    def refuse(when):
        for path in [*paths, *hosts]:
            with pytest.raises(DomainError) as refused:
                second.qmp("object-add", qom_type="input-linux", id="stolen", evdev=path)
            assert re.search("No such file|Permission denied|not permitted", str(refused.value)), (when, refused.value)
        assert not second.dev("/dev/vfio-inputd").exists()

    refuse("attached")
    vfioctl("detach", "win")
    refuse("detached")
    vfioctl("attach", "win")
    service.wait_ready("win")
    paths.update(granted_nodes(granted))
    refuse("attached again")
    planted_but_refused(second, numbers)


def planted_but_refused(second, numbers):
    """Even with the node put into its /dev by hand, and with the device group open: the profile refuses."""
    number = numbers.pop()
    directory = second.dev("/dev/vfio-inputd/stolen")
    directory.mkdir(parents=True)
    node = directory / "input1"
    os.mknod(node, 0o20666, number)
    os.chmod(node, 0o666)
    try:
        allow(second.pid, number)
        with pytest.raises(DomainError, match="Permission denied"):
            second.qmp("object-add", qom_type="input-linux", id="stolen", evdev="/dev/vfio-inputd/stolen/input1")
    finally:
        deny(second.pid, number)
        shutil.rmtree(second.dev("/dev/vfio-inputd"))


def test_links_planted_by_the_guest_are_not_followed(service, granted):
    """What is not ours at the place of ours is left alone, and named."""
    vfioctl("detach", "win")
    target = granted.directory / "target"
    target.mkdir()
    planted = granted.dev("/dev/vfio-inputd")
    planted.symlink_to(target)
    try:
        refused = vfioctl("attach", "win", check=False)
        assert refused.returncode != 0 and "namespace" in refused.stderr, refused
        assert list(target.iterdir()) == []
    finally:
        planted.unlink()
    vfioctl("attach", "win")
    wait_for(lambda: service.guest("win").get("state") == "ready", what="ready again")
