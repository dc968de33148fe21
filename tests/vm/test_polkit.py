"""Who may call what: every method of both daemons, as root, in a session at the desk, in none, and as somebody else."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from nodes import wait_for
from service import DOMAINS, vfioctl

pytestmark = pytest.mark.long

CONFIGURATION = DOMAINS
CALLS = Path(__file__).resolve().parent / "calls.py"
SESSION = ["systemd-run", "--quiet", "--pipe", "--wait", "--uid=desk", "--property=PAMName=login",
           "--property=TTYPath=/dev/tty1", "--setenv=XDG_SESSION_TYPE=tty", "--setenv=XDG_SEAT=seat0",
           "--setenv=XDG_VTNR=1"]
USERS = {
    "root": [],
    "desk, active": SESSION,
    "desk, no session": ["setpriv", "--reuid=desk", "--regid=desk", "--init-groups"],
    "other": ["setpriv", "--reuid=other", "--regid=other", "--init-groups"],
}
YES, PASSWORD, NO = "yes", "password", "no"

# What a user in the active session, in none, and another one gets. Root may all but Release, which is vfio-inputd's.
EXPECTED = {
    "Switch": (YES, PASSWORD), "Toggle": (YES, PASSWORD), "Pause": (YES, PASSWORD), "Resume": (YES, PASSWORD),
    "Identify": (YES, PASSWORD), "Reload": (PASSWORD, PASSWORD),
    "AddGuest": (PASSWORD, PASSWORD), "RemoveGuest": (PASSWORD, PASSWORD), "SetReady": (PASSWORD, PASSWORD),
    "SetStopped": (PASSWORD, PASSWORD),
    "SetToggle": (PASSWORD, PASSWORD), "SetGrabToggle": (PASSWORD, PASSWORD),
    "Attach": (PASSWORD, PASSWORD), "Detach": (PASSWORD, PASSWORD), "CheckGuest": (YES, YES),
    "Grant": (PASSWORD, PASSWORD), "Revoke": (PASSWORD, PASSWORD), "ListGrants": (YES, YES), "Release": (NO, NO),
}


def ask(user, guest, node):
    """{method: answer} for one user."""
    shown = subprocess.run([*USERS[user], sys.executable, CALLS, guest, node], check=True, capture_output=True, text=True, cwd="/")
    return json.loads(shown.stdout)


def methods_on_the_bus():
    found = set()
    for service, path in (("org.vfio.Inputd1", "/org/vfio/Inputd1"), ("org.vfio.Guestd1", "/org/vfio/Guestd1")):
        text = subprocess.run(["busctl", "introspect", "--xml-interface", service, path], check=True,
                              capture_output=True, text=True).stdout
        interface = ElementTree.fromstring(text).find(f"interface[@name='{service}.Manager']")
        found |= {method.get("name") for method in interface.findall("method")}
    return found


def table(answers):
    lines = [f"{'method':16}" + "".join(f"{user:18}" for user in answers)]
    for method in EXPECTED:
        lines.append(f"{method:16}" + "".join(f"{answers[user][method]:18}" for user in answers))
    return "\n".join(lines)


@pytest.mark.timeout(300)
def test_table(hw, service, domain, pad, capsys):
    assert methods_on_the_bus() == set(EXPECTED)
    answers = {}
    for user in USERS:
        answers[user] = ask(user, domain.name, pad.node)
        vfioctl("resume")
        vfioctl("switch", "host")
    with capsys.disabled():
        print("\n" + table(answers), flush=True)
    for method, (active, none) in EXPECTED.items():
        got = [answers[user][method] for user in USERS]
        assert got == [NO if method == "Release" else YES, active, none, none], method


def test_the_session_is_what_it_says(service):
    """Without this the table would say nothing about a user at the desk."""
    script = "loginctl show-session --property=Active --property=Remote --property=Seat $XDG_SESSION_ID"
    shown = subprocess.run([*SESSION, "sh", "-c", script], check=True, capture_output=True, text=True).stdout
    assert set(shown.split()) == {"Active=yes", "Remote=no", "Seat=seat0"}
    wait_for(lambda: "desk" not in subprocess.run(["loginctl", "list-sessions"], capture_output=True,
                                                  text=True).stdout, what="the end of the session")
