"""calls.py GUEST NODE: calls every method of both daemons and prints {method: answer} as JSON.

GUEST is also the name of its domain, which runs, and NODE an input node; see test_polkit.py.

The answers: "yes" (it was let through, whatever came of it), "password" (an
administrator's is wanted), "no".
"""

import json
import sys

from gi.repository import Gio, GLib

GUEST, NODE = sys.argv[1:]
INPUTD, GUESTD = "org.vfio.Inputd1", "org.vfio.Guestd1"
TIMEOUT_MS = 5000
CALLS = (
    (INPUTD, "AddGuest", "(s)", ("polkit",)),
    (INPUTD, "SetReady", "(sbs)", ("polkit", False, "tried")),
    (INPUTD, "SetStopped", "(ss)", ("polkit", "tried")),
    (INPUTD, "SetToggle", "(sas)", ("polkit", [])),
    (INPUTD, "SetGrabToggle", "(ss)", ("polkit", "meta-meta")),
    (INPUTD, "RemoveGuest", "(s)", ("polkit",)),
    (INPUTD, "Switch", "(s)", ("host",)),
    (INPUTD, "Toggle", None, ()),
    (INPUTD, "Reload", None, ()),
    (INPUTD, "Pause", None, ()),
    (INPUTD, "Identify", None, ()),
    (INPUTD, "Resume", None, ()),
    (GUESTD, "CheckGuest", "(s)", (GUEST,)),
    (GUESTD, "Detach", "(s)", (GUEST,)),
    (GUESTD, "Attach", "(s)", (GUEST,)),
    (GUESTD, "ListGrants", None, ()),
    (GUESTD, "Grant", "(ssb)", (GUEST, NODE, False)),
    (GUESTD, "Revoke", "(ss)", (GUEST, NODE)),
    (GUESTD, "Release", None, ()),
)


def call(bus, service, method, signature, arguments):
    path = "/" + service.replace(".", "/")
    try:
        bus.call_sync(service, path, service + ".Manager", method,
                      GLib.Variant(signature, arguments) if signature else None, None, Gio.DBusCallFlags.NONE,
                      TIMEOUT_MS)
    except GLib.Error as error:
        name = Gio.DBusError.get_remote_error(error) or ""
        if name.endswith(".InteractiveAuthorizationRequired"):
            return "password"
        if name.endswith(".AccessDenied"):
            return "no"
    return "yes"


def main():
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    print(json.dumps({method: call(bus, service, method, signature, arguments)
                      for service, method, signature, arguments in CALLS}))


if __name__ == "__main__":
    main()
