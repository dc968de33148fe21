"""The two sides inside the test machine: what arrives on the host, and what in the guest.

The host's side is read at the mirrors that the service shows to the host's
programs, all of them, as they come and go. The guest's side is what its
operating system got from its own keyboard controller and mouse (guest.py).
"""

import contextlib
import select
from pathlib import Path

import libevdev

from guest import Guest
from nodes import Node, UdevEvents, find_nodes
from service import GUEST, QMP, Service, make_guest_directory

SIDES = ("host", "guest")


class Sides:
    """`arrived(side, event)` is called for each event, in order, from within wait()."""

    def __init__(self, arrived):
        self._arrived = arrived
        self._mirrors = {}
        self._cleanup = contextlib.ExitStack()

    def __enter__(self):
        """Start the guest and wait until the service feeds it."""
        with contextlib.ExitStack() as cleanup:
            service = Service()
            service.start()
            service.configure(GUEST)
            make_guest_directory()
            self._udev = cleanup.enter_context(UdevEvents())
            self.guest = cleanup.enter_context(Guest(monitor=QMP))
            service.reset()
            service.wait_ready()
            self._find_mirrors()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_):
        for node in self._mirrors.values():
            node.close()
        self._cleanup.close()

    def wait(self, seconds, *others):
        """Pass on what arrives, at most for so long; returns early after anything has happened.

        `others` are descriptors that end the wait, too. The guest's side cannot be
        waited for, so it is looked at as often as a screen is drawn.
        """
        poll = select.poll()
        for each in (self._udev, *self._mirrors.values(), *others):
            poll.register(each, select.POLLIN)
        ready = poll.poll(1000 * seconds)
        for path in list(self._mirrors):
            self._read_mirror(path)
        if any(fd == self._udev.fileno() for fd, _ in ready):
            self._udev.drain()
            self._find_mirrors()
        for event in self.guest.take_all():
            self._arrived("guest", event)

    def _find_mirrors(self):
        for real in Path("/sys/class/input").glob("event*"):
            for path in find_nodes(phys="vfio-inputd/host/" + real.name.removeprefix("event")):
                if path not in self._mirrors:
                    self._mirrors[path] = Node(path)

    def _read_mirror(self, path):
        try:
            for event in self._mirrors[path].read():
                self._arrived("host", event)
        except libevdev.EventsDroppedException:
            pass  # only a hand at the mouse is that fast; the keys that follow are right
        except OSError:
            self._mirrors.pop(path).close()  # unplugged, or the service has let go of it
