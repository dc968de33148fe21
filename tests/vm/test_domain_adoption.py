"""Which of libvirt's domains become guests, under which names, and when they stop being it. None of them runs."""

import os
import subprocess

import pytest

from domain import HOSTDEV
from nodes import wait_for

pytestmark = pytest.mark.long

UUID = "7e6d3b0a-8f55-4c5a-9b1e-3f0c2c9d0a11"


def libvirt_section(**settings):
    words = "".join(f' {name} = {value};' for name, value in settings.items())
    return f"libvirt = {{{words} }};\n"


def wait_guests(service, *names):
    """Exactly these guests are known (and the domain that tests share), and have their two nodes."""
    service.wait(lambda s: sorted(g["name"] for g in s["guests"] if g["name"] != "win") == sorted(names), f"the guests {names}")
    for name in names:
        service.guest_nodes(name)


RULES = {
    "hostdev is the default": ("", ["passthrough", "told"]),
    "all": (libvirt_section(adopt='"all"'), ["passthrough", "plain", "told", "windows-11"]),
    "none": (libvirt_section(adopt='"none"'), ["told"]),
    "only": (libvirt_section(adopt='"all"', only='[ "pl*" ]'), ["plain", "told"]),
    "only by uuid": (libvirt_section(adopt='"all"', only=f'[ "{UUID}" ]'), ["plain", "told"]),
    "ignore": (libvirt_section(adopt='"all"', ignore='[ "p*" ]'), ["told", "windows-11"]),
    "by name": (libvirt_section(adopt='"none"') + 'guests = ( { name = "mine"; domain = "plain"; } );',
                ["mine", "told"]),
    "by uuid": (libvirt_section(adopt='"none"') + f'guests = ( {{ name = "mine"; domain = "{UUID}"; }} );',
                ["mine", "told"]),
}


def test_rules(service, new_domain):
    new_domain("passthrough", devices=HOSTDEV)
    new_domain("plain", uuid=UUID)
    new_domain("Windows 11")
    new_domain("silent", metadata={"adopt": "no"})
    new_domain("loud", metadata={"adopt": "yes", "name": "told"})
    for rule, (text, names) in RULES.items():
        service.configure(text)
        wait_guests(service, *names)


def test_domains_come_and_go(service, new_domain):
    service.reset(libvirt_section(adopt='"all"'))
    wait_guests(service)
    one = new_domain("one")
    wait_guests(service, "one")
    assert service.guest("one")["state"] == "absent"
    assert service.guest("one")["uuid"] == one.uuid
    nodes = service.guest_nodes("one")
    one.remove()
    wait_guests(service)
    wait_for(lambda: not any(map(os.path.exists, nodes)), what="the end of its nodes")


def test_metadata_can_be_set_while_it_is_defined(service, new_domain):
    service.reset(libvirt_section(adopt='"none"'))
    new_domain("one")
    wait_guests(service)
    virsh_metadata("one", "--set", "<guest adopt='yes' name='now' toggle='f9'/>")
    wait_guests(service, "now")
    service.wait(lambda s: s["targets"][-1]["toggle"] == ["f9"], "its hotkey")
    virsh_metadata("one", "--remove")
    wait_guests(service)


def test_metadata_with_a_mistake_says_so(service, new_domain, journal):
    service.reset(libvirt_section(adopt='"none"'))
    new_domain("one", metadata={"adopt": "yes", "toggle": "nokey"})
    journal.wait("one.*nokey", "vfio-guestd.service")
    wait_guests(service)


def test_hotkey_of_another_is_refused_and_said(service, new_domain, journal):
    service.reset('host = [ "f8" ];\n' + libvirt_section(adopt='"none"'))
    new_domain("one", metadata={"adopt": "yes", "toggle": "f8"})
    wait_guests(service, "one")
    journal.wait("one: the hotkey of its domain.s metadata is one of the configuration", "vfio-guestd.service")


@pytest.mark.timeout(300)
def test_libvirt_that_comes_later(service, libvirt, new_domain, journal):
    service.reset(libvirt_section(adopt='"all"'))
    new_domain("one")
    wait_guests(service, "one")
    libvirt.stop()
    subprocess.run(["systemctl", "restart", "vfio-guestd.service"], check=True)
    service.wait(lambda s: s["guestd"]["libvirt"] != "connected", "the loss of libvirt")
    libvirt.start()
    wait_guests(service, "one")


def virsh_metadata(domain, *arguments):
    subprocess.run(["virsh", "metadata", domain, "urn:vfio-inputd:guest:1", "--key", "vfio", "--config", *arguments],
                   check=True, capture_output=True)
