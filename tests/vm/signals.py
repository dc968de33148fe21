"""The signals of our two services on the bus, each with the time at which it came.

    with Signals() as signals:
        domain.start()
        ready = signals.wait_ready("win")      the time.monotonic() at which vfio-inputd said so
"""

import threading
import time

from gi.repository import Gio, GLib

SERVICES = ("org.vfio.Inputd1", "org.vfio.Guestd1")
TARGET = "/org/vfio/Inputd1/target/"


class Signals:
    def __init__(self):
        self.seen = []
        self._came = threading.Condition()
        self._context = GLib.MainContext()
        self._loop = GLib.MainLoop(self._context)
        self._subscribed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._subscribed.wait(30)
        return self

    def __exit__(self, *_):
        self._loop.quit()
        self._thread.join()

    def wait(self, member, *arguments, path="", timeout=60):
        """The time of the first signal of that name whose arguments begin like this."""
        def matches(signal):
            return signal[1] == member and signal[0].startswith(path) and signal[2][:len(arguments)] == arguments

        return self._wait(matches, timeout, f"{member}{arguments}")

    def wait_ready(self, guest, timeout=60):
        """The time at which the guest became a target that is ready."""
        def matches(signal):
            return (signal[:2] == (TARGET + guest, "PropertiesChanged") and signal[2][1].get("Ready") is True
                    or signal[1] == "InterfacesAdded" and signal[2][0] == TARGET + guest
                    and any(interface.get("Ready") is True for interface in signal[2][1].values()))

        return self._wait(matches, timeout, f"{guest} ready")

    def _wait(self, matches, timeout, what):
        def first():
            return next((signal for signal in self.seen if matches(signal)), None)

        with self._came:
            assert self._came.wait_for(first, timeout), f"no signal {what} in {timeout} s, only {self.seen}"
            return first()[3]

    def _run(self):
        self._context.push_thread_default()
        bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
        ids = [bus.signal_subscribe(service, None, None, None, None, Gio.DBusSignalFlags.NONE, self._take)
               for service in SERVICES]
        # The daemon has the match when it has answered something that came after it.
        bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", None, None,
                      Gio.DBusCallFlags.NONE, -1)
        self._subscribed.set()
        self._loop.run()
        for id in ids:
            bus.signal_unsubscribe(id)
        self._context.pop_thread_default()

    def _take(self, bus, sender, path, interface, member, arguments):
        with self._came:
            self.seen.append((path, member, arguments.unpack(), time.monotonic()))
            self._came.notify_all()
