"""The test machine's hardware, for tests inside it.

    hw = Hardware()
    hw.tap("a")                              the PS/2 keyboard that is always there
    hw.chord("ctrl", "ctrl_r")
    hw.plug("usb-kbd", "k1")
    hw.key_down("KEY_A", keyboard="k1")      Linux names do as well
    hw.move(5, -3)
    with hw.typing("a long text"):           typed while the block runs
        ...

Each call returns when the device has taken the event. When the kernel has it is
another matter: wait for that at the node (see conftest.py).
"""

import contextlib
import json
import socket
import threading
from pathlib import Path

SOCKET = Path(__file__).resolve().parents[2] / "hw.sock"


class HardwareError(Exception):
    pass


class Hardware:
    def __init__(self):
        self._held = []
        self._plugged = []

    def key_down(self, key, keyboard=None):
        ask("key", key=key, down=True, keyboard=keyboard)
        self._held.append((self.key_up, key, keyboard))

    def key_up(self, key, keyboard=None):
        ask("key", key=key, down=False, keyboard=keyboard)
        self._forget(self.key_up, key, keyboard)

    def tap(self, key, keyboard=None):
        self.chord(key, keyboard=keyboard)

    def chord(self, *keys, keyboard=None):
        """Press the keys one after the other, release them in reverse order."""
        for key in keys:
            self.key_down(key, keyboard)
        for key in reversed(keys):
            self.key_up(key, keyboard)

    def type_text(self, text, interval_ms=40, keyboard=None):
        ask("type_text", text=text, interval_ms=interval_ms, keyboard=keyboard)

    @contextlib.contextmanager
    def typing(self, text, interval_ms=40, keyboard=None):
        """Types while the block runs, and waits for the end of the text after it."""
        typist = threading.Thread(target=self.type_text, args=(text, interval_ms, keyboard))
        typist.start()
        try:
            yield
        finally:
            typist.join()

    def move(self, dx, dy, mouse=None):
        ask("move", dx=dx, dy=dy, mouse=mouse)

    def button_down(self, button="left", mouse=None):
        ask("button", button=button, down=True, mouse=mouse)
        self._held.append((self.button_up, button, mouse))

    def button_up(self, button="left", mouse=None):
        ask("button", button=button, down=False, mouse=mouse)
        self._forget(self.button_up, button, mouse)

    def wheel(self, clicks, horizontal=False, mouse=None):
        ask("wheel", clicks=clicks, horizontal=horizontal, mouse=mouse)

    def plug(self, driver, id, **properties):
        """Plug in a usb-kbd, a usb-mouse or any other device QEMU can hotplug."""
        ask("plug", driver=driver, id=id, **properties)
        self._plugged.append(id)

    def unplug(self, id):
        ask("unplug", id=id)
        self._plugged.remove(id)
        self._held = [held for held in self._held if held[2] != id]

    def qmp(self, command, **arguments):
        """A command to the QEMU that runs this machine."""
        return ask("qmp", command=command, arguments=arguments)

    def let_go(self):
        """Release and unplug whatever this object has left pressed and plugged in."""
        for release, name, device in list(self._held):
            release(name, device)
        for id in list(self._plugged):
            self.unplug(id)

    def _forget(self, *held):
        if held in self._held:
            self._held.remove(held)


def ask(action, **arguments):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(SOCKET))
        connection.sendall(json.dumps({"do": action, "with": arguments}).encode() + b"\n")
        reply = json.loads(connection.makefile().readline())
    if "error" in reply:
        raise HardwareError(reply["error"])
    return reply["return"]
