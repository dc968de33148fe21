"""libvirt in the test machine: its daemon, requests to it, and the events of its domains.

    with connection() as libvirt:
        libvirt.lookupByName("win").suspend()

    with Events() as events:
        domain.start()
        running = events.wait("win", "resumed")      the time.monotonic() at which it came

Every request has a connection of its own, so that none is hurt when the daemon is restarted.
"""

import contextlib
import queue
import subprocess
import threading
import time
from pathlib import Path

import libvirt

URI = "qemu:///system"
SERVICE = "libvirtd.service"
SOCKETS = ("libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket")
LIFECYCLE = ("defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended", "crashed")


def run_events():
    while True:
        libvirt.virEventRunDefaultImpl()


libvirt.registerErrorHandler(lambda context, error: None, None)  # they are raised as well
libvirt.virEventRegisterDefaultImpl()
threading.Thread(target=run_events, daemon=True).start()


def connect(timeout=60):
    """In a thread: pytest's limit cannot end the call if libvirt's daemon never answers."""
    opened = queue.SimpleQueue()

    def connect_now():
        try:
            opened.put(libvirt.open(URI))
        except libvirt.libvirtError as error:
            opened.put(error)

    threading.Thread(target=connect_now, daemon=True).start()
    try:
        result = opened.get(timeout=timeout)
    except queue.Empty:
        raise AssertionError(f"libvirt's daemon does not answer in {timeout} s:\n{stacks()}") from None
    if isinstance(result, libvirt.libvirtError):
        raise result
    return result


def stacks():
    """Where the daemon's threads wait in the kernel, for a person."""
    pids = subprocess.run(["pidof", "libvirtd", "virtqemud"], capture_output=True, text=True).stdout.split()
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    return "\n".join(f"{(task / 'comm').read_text().strip()}: {(task / 'wchan').read_text()}" for task in tasks)


@contextlib.contextmanager
def connection():
    connected = connect()
    try:
        yield connected
    finally:
        connected.close()


class Events:
    """The lifecycle of all domains since this was made: (domain, what, time)."""

    def __init__(self):
        self.seen = []
        self._came = threading.Condition()
        self._connection = connect()
        self._id = self._connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._take, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.domainEventDeregisterAny(self._id)
            self._connection.close()

    def wait(self, domain, what, timeout=60):
        """The time of the latest such event, for which it waits if there is none."""
        def latest():
            return next((at for name, event, at in reversed(self.seen) if (name, event) == (domain, what)), None)

        with self._came:
            assert self._came.wait_for(latest, timeout), f"no {what} of {domain} in {timeout} s, only {self.seen}"
            return latest()

    def _take(self, connected, domain, event, detail, _):
        with self._came:
            self.seen.append((domain.name(), LIFECYCLE[event], time.monotonic()))
            self._came.notify_all()


def systemctl(verb, *units):
    subprocess.run(["systemctl", verb, *units], check=True, capture_output=True)


def start():
    systemctl("start", *SOCKETS)


def restart():
    systemctl("restart", SERVICE)


def kill():
    """A crash, after which its socket or systemd starts it again."""
    systemctl("kill", "--signal=KILL", "--kill-who=main", SERVICE)


def stop():
    """Gone for good: no socket starts it again."""
    systemctl("stop", *SOCKETS, SERVICE)
