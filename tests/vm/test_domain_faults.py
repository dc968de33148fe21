"""Faults around a libvirt domain: whatever dies, stops or hangs, the host has its input and nothing is left over."""

import contextlib
import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from journal import Journal
from listing import Listing
from nodes import wait_for
from service import DOMAINS, GUESTD, PS2_KEYBOARD, Stopwatch, domain_guest, keys_down, systemctl, vfioctl

pytestmark = pytest.mark.long

CONFIGURATION = DOMAINS
RECORDS = Path("/run/vfio-guestd/grants")
SEED = 3
KILLS = 10  # of attach, and as many of detach


def switch(hw, service, to):
    hw.chord("ctrl", "ctrl_r")
    service.wait_active(to)


def works(hw, service, domain, key="w"):
    """It is ready, is switched to, and gets the key."""
    service.wait_ready(domain.name)
    domain.take_all()
    switch(hw, service, domain.name)
    hw.tap(key)
    domain.expect((f"KEY_{key.upper()}", 1), (f"KEY_{key.upper()}", 0))


def host_has_the_keyboard(hw, service):
    service.wait_active("host")
    with service.mirror(PS2_KEYBOARD) as host:
        hw.tap("h")
        host.expect(("KEY_H", 1), ("KEY_H", 0))


# --- the domain comes to an end or to a halt -------------------------------------------


def suspended(domain):
    domain.suspend()
    return domain.resume, "paused"


def saved(domain):
    domain.managedsave()
    return domain.start, "absent"


def destroyed(domain):
    domain.destroy()
    return domain.start, "absent"


def shut_down(domain):
    domain.shutdown()
    return domain.start, "absent"


def crashed(domain):
    os.kill(domain.pid, signal.SIGKILL)
    domain.wait_off()
    return domain.start, "absent"


@pytest.mark.differs
@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", [suspended, saved, destroyed, shut_down, crashed])
def test_host_gets_the_input_back(hw, service, domain, end):
    """While a key is held in the guest; and the guest works again when it goes on."""
    works(hw, service, domain)
    hw.key_down("g")
    domain.expect(("KEY_G", 1))
    go_on, state = end(domain)
    guest = service.wait_guest("win", state=state)
    assert guest["reason"], guest
    service.wait_active("host")
    hw.key_up("g")
    host_has_the_keyboard(hw, service)
    assert not service.target("win")["ready"]
    assert vfioctl("switch", "win", check=False).returncode == 4
    go_on()
    works(hw, service, domain)
    assert domain.keys_down() == set()


@pytest.mark.differs
@pytest.mark.timeout(300)
def test_frozen_while_active(hw, service, domain, capsys):
    works(hw, service, domain)
    os.kill(domain.pid, signal.SIGSTOP)
    try:
        watch = Stopwatch()
        service.wait_active("host")
        seconds = watch.figure(capsys, "QEMU stopped to the host active (configured: 1 s)")
        host_has_the_keyboard(hw, service)
        assert service.wait_guest("win", state="hung")["reason"]
    finally:
        os.kill(domain.pid, signal.SIGCONT)
    assert seconds < 5
    works(hw, service, domain)


@pytest.mark.timeout(300)
def test_focus_on_start(hw, service, domain):
    domain.destroy()
    service.reset(domain_guest(more="focus-on-start = true;"))
    domain.start()
    service.wait_active("win")
    hw.tap("f")
    domain.expect(("KEY_F", 1), ("KEY_F", 0))


# --- libvirt goes ------------------------------------------------------------------------


@pytest.mark.differs
@pytest.mark.timeout(300)
def test_libvirt_restarted_while_active(hw, service, domain, libvirt):
    works(hw, service, domain)
    grants = vfioctl("grants", "--json").stdout
    libvirt.restart()
    hw.tap("r")
    domain.expect(("KEY_R", 1), ("KEY_R", 0))
    service.wait(lambda s: s["guestd"]["libvirt"] == "connected", "the connection to libvirt")
    service.wait_guest("win", state="ready")
    assert service.active() == "win"
    assert vfioctl("grants", "--json").stdout == grants


@pytest.mark.differs
@pytest.mark.timeout(300)
def test_libvirt_killed_while_a_call_waits(hw, service, domain, libvirt):
    """It is the waiting thread that notices, not the one that connects again."""
    works(hw, service, domain)
    os.kill(domain.pid, signal.SIGSTOP)
    try:
        service.wait_guest("win", state="hung")
        since = Journal()
        libvirt.kill()
    finally:
        os.kill(domain.pid, signal.SIGCONT)
    since.wait("^Connected to libvirt", GUESTD, timeout=60)
    host_has_the_keyboard(hw, service)
    works(hw, service, domain)


@pytest.mark.timeout(300)
def test_libvirt_gone_for_good(hw, service, domain, libvirt):
    works(hw, service, domain)
    libvirt.stop()
    hw.tap("s")
    domain.expect(("KEY_S", 1), ("KEY_S", 0))  # it goes on, as far as anybody knows
    guest = service.wait_guest("win", 60, state="connecting")
    assert "libvirt" in guest["reason"], guest
    host_has_the_keyboard(hw, service)
    libvirt.start()
    works(hw, service, domain)


# --- vfio-guestd dies ---------------------------------------------------------------------


class Progress:
    """How far a daemon has come, counted in its reads and writes: a point in its work, whatever the time."""

    def __init__(self, pid):
        self.pid = pid
        self._begin = self._count()

    def __call__(self):
        return self._count() - self._begin

    def _count(self):
        words = Path(f"/proc/{self.pid}/io").read_text().split()
        return int(words[words.index("syscr:") + 1]) + int(words[words.index("syscw:") + 1])


def guestd(service):
    return wait_for(lambda: service.pid(GUESTD), what="vfio-guestd")


def length_of(service, verb):
    """How much progress the verb is."""
    progress = Progress(guestd(service))
    vfioctl(verb, "win")
    return progress()


def run_until(service, verb, point):
    """Have the verb begun, and return when vfio-guestd has come so far in it (or is done)."""
    progress = Progress(guestd(service))
    running = subprocess.Popen(["vfioctl", verb, "win"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while running.poll() is None and progress() < point:
        pass
    return running


def points(service, count, seed):
    """(verb, how far): for as many attaches as detaches, in turn, so that each can be done."""
    rng = random.Random(seed)
    lengths = {verb: length_of(service, verb) for verb in ("detach", "attach")}
    return [(verb, rng.randrange(1, lengths[verb])) for _ in range(count) for verb in ("detach", "attach")]


@pytest.mark.timeout(900)
def test_guestd_killed_at_random_points(hw, service, granted, capsys):
    attached = Listing()
    done = points(service, KILLS, SEED)
    for number, (verb, point) in enumerate(done):
        if verb == "attach":
            vfioctl("detach", "win")
            service.wait_guest("win", state="detached")
        running = run_until(service, verb, point)
        before = guestd(service)
        os.kill(before, signal.SIGKILL)
        running.wait()
        wait_for(lambda: service.pid(GUESTD) not in (0, before), what="vfio-guestd again")
        systemctl("reset-failed", GUESTD)
        service.wait_guest("win", state="ready")
        assert Listing().changes(attached) == [], (number, verb, point)
        if number % 5 == 4:
            works(hw, service, granted, "abcd"[number // 5])
            switch(hw, service, "host")
    with capsys.disabled():
        print(f"\n    figure: vfio-guestd killed at {len(done)} points (seed {SEED}): all put right", end="", flush=True)


@pytest.mark.timeout(600)
def test_libvirt_restarted_at_random_points(hw, service, granted, libvirt):
    attached = Listing()
    for verb, point in points(service, 2, SEED + 1):
        running = run_until(service, verb, point)
        libvirt.restart()
        running.wait()
        service.wait(lambda s: s["guestd"]["libvirt"] == "connected", "the connection to libvirt")
        if verb == "attach" or service.guest("win")["state"] != "detached":
            vfioctl("attach", "win", check=False)
            service.wait_guest("win", state="ready")
            assert Listing().changes(attached) == [], (verb, point)
    works(hw, service, granted)


@pytest.mark.timeout(900)
def test_qemu_killed_at_random_points(hw, service, granted):
    done = points(service, 2, SEED + 2)
    granted.destroy()
    service.wait_guest("win", state="absent")
    stopped = Listing()
    for verb, point in done:
        granted.start()
        service.wait_guest("win", state="ready")
        if verb == "attach":
            vfioctl("detach", "win")
        running = run_until(service, verb, point)
        os.kill(granted.pid, signal.SIGKILL)
        running.wait()
        granted.wait_off()
        service.wait_guest("win", state="absent")
        assert Listing().changes(stopped) == [], (verb, point)
        assert json.loads(vfioctl("grants", "--json").stdout)["grants"] == []


@pytest.mark.timeout(300)
def test_pid_used_again(service, granted, tmp_path):
    """The pid of a QEMU that died while vfio-guestd could not see it is another process's by the time it looks."""
    pid, profile = granted.pid, granted.profile.partition(" ")[0]
    nodes = [(path.name, os.stat(path).st_rdev) for path in granted.dev(f"/dev/vfio-inputd/{profile}").iterdir()]
    host = Listing()
    daemon = guestd(service)
    os.kill(daemon, signal.SIGSTOP)
    try:
        os.kill(pid, signal.SIGKILL)
        granted.wait_off()
        with another_process(pid, profile, nodes) as its_nodes:
            os.kill(daemon, signal.SIGKILL)
            os.kill(daemon, signal.SIGCONT)
            wait_for(lambda: service.pid(GUESTD) not in (0, daemon), what="vfio-guestd again")
            service.wait_guest("win", state="absent")
            assert all(node.exists() for node in its_nodes)
            assert list(RECORDS.iterdir()) == []
            assert not [change for change in Listing().changes(host) if change.startswith("/dev")]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemon, signal.SIGCONT)


@contextlib.contextmanager
def another_process(pid, profile, nodes):
    """A process with this pid and with nodes at the very same paths, in a /dev of its own."""
    script = 'mount -t tmpfs none /dev && mkdir -p "/dev/vfio-inputd/$1" && echo up && exec cat'
    process = at_pid(pid, ["unshare", "--mount", "sh", "-c", script, "sh", profile])
    try:
        assert process.pid == pid
        assert process.stdout.readline() == b"up\n"
        its_nodes = [Path(f"/proc/{pid}/root/dev/vfio-inputd/{profile}/{name}") for name, _ in nodes]
        for node, (_, number) in zip(its_nodes, nodes):
            os.mknod(node, 0o20600, number)
        yield its_nodes
    finally:
        process.kill()
        process.wait()


def at_pid(pid, command, tries=50):
    """Start the command under this pid; another process may be quicker, so that it takes some tries."""
    for _ in range(tries):
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    raise AssertionError(f"the pid {pid} could not be had")


@pytest.mark.timeout(300)
def test_guestd_restarted_while_active(hw, service, granted):
    """An orderly stop takes the nodes back; the next start gives them again."""
    works(hw, service, granted)
    attached = Listing()
    systemctl("restart", GUESTD)
    service.wait_guest("win", state="ready")
    assert Listing().changes(attached) == []
    service.wait_active("host")
    works(hw, service, granted)


@pytest.mark.timeout(300)
def test_inputd_killed_while_active(hw, service, granted):
    nodes = service.guest_nodes("win")
    works(hw, service, granted)
    hw.key_down("k")
    granted.expect(("KEY_K", 1))
    os.kill(service.pid(), signal.SIGKILL)
    granted.expect(("KEY_K", 0))
    hw.key_up("k")
    service.wait_grabbed(PS2_KEYBOARD)
    service.wait_ready("win")
    assert service.guest_nodes("win") == nodes and keys_down(nodes[0]) == set()
    if service.active() == "win":
        switch(hw, service, "host")
    works(hw, service, granted)


def test_guestd_that_is_not_there_leaves_the_guest_alone(hw, service, granted):
    """Between a crash and the restart nothing is lost: the kernel goes on without it."""
    works(hw, service, granted)
    daemon = guestd(service)
    os.kill(daemon, signal.SIGSTOP)
    try:
        hw.type_text("still", interval_ms=60)
        granted.expect(*((f"KEY_{letter}", value) for letter in "STILL" for value in (1, 0)))
    finally:
        os.kill(daemon, signal.SIGCONT)
