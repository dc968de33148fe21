"""AppArmor and systemd around our daemons. Runs last: it judges all that the other tests have made them do."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import usage
from journal import journalctl
from nodes import wait_for_node
from service import CONFIG, PS2_KEYBOARD, UNITS

pytestmark = [pytest.mark.differs, pytest.mark.long]

PROFILES = ("vfio-inputd", "vfio-guestd")
EXPOSURE = {"vfio-inputd.service": 15, "vfio-guestd.service": 27}  # tenths

# What somebody does who has taken over one of the daemons. He is root here, which
# neither of them quite is. Prints which attempts succeeded.
HIJACKED = """
import json, os, socket, sys
profile, attempts = sys.argv[1], json.loads(sys.argv[2])

def read(path):
    with open(path, "rb") as file:
        return len(file.read(1))

def open_for(path, mode):
    os.close(os.open(path, getattr(os, mode) | os.O_NONBLOCK | os.O_CLOEXEC))

def append(path):
    open(path, "ab").close()

def run(path):
    os.waitpid(os.posix_spawn(path, [path], {}), 0)

def connect(family):
    socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close()

def signal(pid):
    os.kill(pid, 0)

def become(uid):
    os.setresuid(uid, uid, uid)

def listen(path):
    socket.socket(socket.AF_UNIX).bind(path)
    os.unlink(path)

def attempt(verb, *arguments):
    try:
        globals()[verb](*arguments)
    except PermissionError:
        return False
    return True

socket.socket(socket.AF_UNIX).close()
open("/proc/self/comm", "w").write("hijacked")
attributes = os.open("/proc/thread-self/attr/apparmor/current", os.O_WRONLY)
os.write(attributes, f"changeprofile {profile}".encode())
print(json.dumps([attempt(*each) for each in attempts]))
"""


@pytest.fixture
def ours(service):
    """What the kernel's access control said of our profiles, less what the tests below provoke.

    libvirtd's own profile does not let it look at the state of a confined client in
    /proc/PID/stat, of which it wants only the start time, and gets that: not ours.
    """
    def read():
        lines = journalctl("--quiet", "--boot", "--output=cat", "_TRANSPORT=audit", "+", "_TRANSPORT=kernel").splitlines()
        return [line for line in lines if re.search(r'(profile|name)="vfio-(inputd|guestd)"', line)
                and 'comm="hijacked"' not in line]

    return read


def attempts_of(profile, attempts):
    """Which of these a process with that profile succeeds in."""
    ran = subprocess.run([sys.executable, "-c", HIJACKED, profile, json.dumps(attempts)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [each for each, succeeded in zip(attempts, json.loads(ran.stdout)) if succeeded]


def test_both_daemons_are_confined(service):
    for unit, profile in zip(UNITS, PROFILES):
        label = Path(f"/proc/{service.pid(unit)}/attr/apparmor/current").read_text()
        assert label == f"{profile} (enforce)\n"


def test_nothing_of_ours_was_denied(ours):
    assert [line for line in ours() if 'apparmor="DENIED"' in line] == []


def test_the_log_shows_what_is_denied(ours):
    """Without which the test before would mean nothing."""
    assert any('apparmor="STATUS"' in line and 'operation="profile_' in line for line in ours())


@pytest.mark.parametrize("profile", PROFILES)
def test_a_hijacked_daemon_gets_nowhere(hw, service, profile):
    secret = Path("/home/desk/secret")
    secret.write_text("secret")
    node = wait_for_node(phys=PS2_KEYBOARD)
    attempts = [
        ["read", "/etc/shadow"], ["read", str(secret)], ["read", "/proc/1/environ"], ["read", "/dev/vda"],
        ["append", "/etc/hostname"], ["append", str(CONFIG)], ["append", "/tmp/mine"], ["append", "/run/mine"],
        ["run", "/bin/true"], ["run", "/usr/bin/vfioctl"], ["listen", "/run/mine.here"], ["signal", 1],
        ["connect", "AF_INET"], ["connect", "AF_INET6"], ["connect", "AF_PACKET"],
    ]
    if profile == "vfio-guestd":
        attempts += [["open_for", node, "O_RDONLY"], ["open_for", node, "O_RDWR"], ["open_for", "/dev/uinput", "O_RDWR"],
                     ["connect", "AF_NETLINK"]]
    attempts += [["become", 1000]]
    assert attempts_of("unconfined", attempts) == attempts, "an attempt of this test proves nothing"
    assert attempts_of(profile, attempts) == []


def test_the_profile_of_the_switch_has_what_it_needs(hw, service):
    """The other way round: the attempts above fail by the profile, not by a mistake in them."""
    node = wait_for_node(phys=PS2_KEYBOARD)
    attempts = [["open_for", node, "O_RDWR"], ["open_for", "/dev/uinput", "O_RDWR"], ["read", str(CONFIG)]]
    assert attempts_of("vfio-inputd", attempts) == attempts


@pytest.mark.parametrize("unit", UNITS)
def test_exposure(service, capsys, unit):
    judged = subprocess.run(["systemd-analyze", "security", f"--threshold={EXPOSURE[unit]}", unit], capture_output=True,
                            text=True)
    with capsys.disabled():
        print(f"\n    figure: {judged.stdout.strip().splitlines()[-1].lstrip('→ ')}", end="", flush=True)
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize("unit", UNITS)
def test_what_was_used_of_what_is_allowed(service, capsys, unit):
    """By all the tests before this one, next to what the unit lets the daemon have."""
    calls = usage.what_is_allowed(unit, "SystemCallFilter")
    capabilities = usage.what_is_allowed(unit, "CapabilityBoundingSet")
    with capsys.disabled():
        print(f"\n{unit} allows {len(calls)} system calls, and the capabilities {' '.join(sorted(capabilities)) or '(none)'}")
        for program in usage.PROGRAMS[unit]:
            asked = usage.capabilities(program)
            print(f"{program} used of the capabilities {counts(asked, capabilities)}; "
                  f"asked in vain for {counts(asked, asked.keys() - capabilities)}")
            used = usage.system_calls(program)
            print(f"{program} used of the system calls {len(used)}: {counts(used, used.keys())}", flush=True)
    daemon = usage.system_calls(usage.PROGRAMS[unit][0])
    assert {"read", "write", "epoll_wait"} <= daemon.keys() <= calls


def counts(times, among):
    return ", ".join(f"{name} {times[name]}" for name in sorted(times.keys() & among)) or "none"
