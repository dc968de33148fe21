"""Fixtures for the tests that run inside the test machine.

hw        the machine's hardware (hw.py); keys are up and plugs pulled after the test
keyboard  a reader at the node of the PS/2 keyboard, which every test can press
mouse     a reader at the node of the PS/2 mouse
guest     a running nested guest (guest.py)
journal   the journal since the test began (journal.py)
service   vfio-inputd, running as installed (service.py)
vm        a nested guest that the service feeds, by the name "vm"

A failed test shows what our units wrote meanwhile.
"""

import shutil

import pytest

from guest import Guest
from hw import Hardware
from journal import Journal
from nodes import Node, wait_for_node
from service import QMP, Service, make_guest_directory

STARTED = pytest.StashKey()


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
def service(hw):
    if not shutil.which("vfioctl"):
        pytest.skip("our packages are not in this machine")
    service = Service()
    service.reset()
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
