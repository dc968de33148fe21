"""Fixtures for the tests that run inside the test machine.

hw        the machine's hardware (hw.py); keys are up and plugs pulled after the test
keyboard  a reader at the node of the PS/2 keyboard, which every test can press
mouse     a reader at the node of the PS/2 mouse
guest     a running nested guest (guest.py)
journal   the journal since the test began (journal.py)
service   vfio-inputd, running as installed (service.py), with the module's CONFIGURATION if it has one
vm        a nested guest that the service feeds, by the name "vm"

new_domain  makes libvirt domains (domain.py), which end with the test
domain      a running one that the service feeds, by the name "win"
granted     the same, by the route "grant"
pad         a gamepad that is plugged in

A failed test shows what our units wrote meanwhile.
"""

import contextlib
import shutil

import pytest

import libvirtd
import usage
from domain import Domain
from guest import Guest
from hw import Hardware
from journal import Journal
from nodes import Node, wait_for_node
from service import GUEST, QMP, Service, domain_guest, make_guest_directory, vfioctl
from uinput import Gamepad

STARTED = pytest.StashKey()


def pytest_configure(config):
    config.addinivalue_line("markers", "differs: what it shows depends on the release of Debian or the control groups")
    config.addinivalue_line("markers", "long: takes long; ./check leaves it out unless --long")


def pytest_sessionstart():
    usage.count_from_now()


@pytest.fixture
def hw():
    hardware = Hardware()
    yield hardware
    hardware.let_go()


@pytest.fixture
def keyboard():
    with Node(wait_for_node(phys="isa0060/serio0/input0")) as node:
        yield node


@pytest.fixture
def mouse():
    with Node(wait_for_node(phys="isa0060/serio1/input0")) as node:
        yield node


@pytest.fixture
def guest():
    with Guest() as guest:
        yield guest


@pytest.fixture
def service(hw, request):
    if not shutil.which("vfioctl"):
        pytest.skip("our packages are not in this machine")
    service = Service()
    service.reset(getattr(request.module, "CONFIGURATION", GUEST))
    yield service
    hw.let_go()


@pytest.fixture(scope="session")
def long_lived():
    """The nested guest that tests share, as long as none has killed it."""
    guests = []
    yield guests
    for guest in guests:
        guest.kill()


@pytest.fixture
def vm(service, long_lived):
    if not long_lived or long_lived[-1].process.poll() is not None:
        make_guest_directory()
        long_lived.append(Guest(monitor=QMP))
    service.wait_ready("vm")
    long_lived[-1].take_all()
    return long_lived[-1]


@pytest.fixture
def libvirt():
    """Running, at the beginning and again at the end."""
    libvirtd.start()
    yield libvirtd
    libvirtd.start()


@pytest.fixture
def new_domain(libvirt):
    with contextlib.ExitStack() as made:
        yield lambda *arguments, **options: made.enter_context(Domain(*arguments, **options))


@pytest.fixture(scope="session")
def long_lived_domain():
    """The domain that tests share; one that a test has ended is started again."""
    with contextlib.ExitStack() as made:
        yield lambda: made.enter_context(Domain("win"))


@pytest.fixture
def domain(libvirt, service, long_lived_domain, shared=[]):
    if not shared:
        shared.append(long_lived_domain())
    domain = shared[0]
    if not domain.is_active():
        domain.start()
    service.wait_ready(domain.name)
    domain.take_all()
    return domain


@pytest.fixture
def granted(service, domain):
    """The domain by the route "grant", also where there is a better one."""
    if service.guest(domain.name)["route"] != "grant":
        service.configure(domain_guest(domain.name, "grant"))
    service.wait_guest(domain.name, state="ready", route="grant")
    domain.take_all()
    yield domain
    if "shut" in service.layers(domain.name).values():  # a test that failed has left it so
        vfioctl("detach", domain.name)
        vfioctl("attach", domain.name)


@pytest.fixture
def pad():
    with Gamepad() as pad:
        yield pad


@pytest.fixture
def journal(request):
    return request.node.stash[STARTED]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    item.stash[STARTED] = Journal()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.failed and STARTED in item.stash:
        report.sections.append(("journal", item.stash[STARTED].report()))
