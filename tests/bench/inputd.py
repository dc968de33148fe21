"""vfio-inputd's bus interface, as far as the bench needs it, and with waiting."""

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

NAME = "org.vfio.Inputd1"
ROOT = "/org/vfio/Inputd1"
PROPERTIES = "org.freedesktop.DBus.Properties"
PATIENCE_MS = 60000


class Inputd:
    def __init__(self):
        dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
        self._bus = dbus.SystemBus()

    def call(self, method, *arguments):
        return dbus.Interface(self._object(ROOT), f"{NAME}.Manager").get_dbus_method(method)(*arguments)

    def device(self, node):
        """The object path of the device with that node, as soon as there is one."""
        return self._find("Device", "Node", node)

    def target(self, name):
        return self._find("Target", "Name", name)

    def wait(self, path, interface, name, accepted):
        """The property's value, as soon as it is an accepted one."""
        def look():
            value = self._object(path).Get(f"{NAME}.{interface}", name, dbus_interface=PROPERTIES)
            return value if accepted(value) else None

        return self._wait(look, f"{interface}.{name} of {path}")

    def _find(self, interface, name, value):
        def look():
            objects = self._object(ROOT).GetManagedObjects(dbus_interface="org.freedesktop.DBus.ObjectManager")
            return next((path for path, interfaces in objects.items()
                         if interfaces.get(f"{NAME}.{interface}", {}).get(name) == value), None)

        return self._wait(look, f"a {interface} with the {name} {value}")

    def _object(self, path):
        return self._bus.get_object(NAME, path, introspect=False)

    def _wait(self, look, what):
        """Looks again whenever the service says that anything has changed."""
        loop = GLib.MainLoop()
        changed = self._bus.add_signal_receiver(lambda *_: loop.quit(), bus_name=NAME)
        try:
            while (found := look()) is None:
                timer = GLib.timeout_add(PATIENCE_MS, give_up, loop, what)
                loop.run()
                GLib.source_remove(timer)
            return found
        finally:
            changed.remove()


def give_up(loop, what):
    raise SystemExit(f"{what} has not come in {PATIENCE_MS // 1000} s")
