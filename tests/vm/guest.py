"""A nested guest of a user: a QEMU of her own, with the boot sector of guest/.

    with Guest() as guest:
        guest.attach("/dev/input/event7")
        guest.expect(("KEY_A", 1), ("KEY_A", 0))

What it received is told by receiver.py.
"""

import itertools
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from qmp import Qmp
from receiver import BOOT_SECTOR, Receiver


class Guest(Receiver):
    """A QEMU with the boot sector, as one of the machine's users."""

    def __init__(self, user="desk", groups=(), monitor=None, args=(), boot_timeout=60):
        """`monitor`: path of a second QMP socket, left to the test. `args`: more options for QEMU."""
        self.directory = Path(tempfile.mkdtemp(prefix="guest-"))
        console, console_far = socket.socketpair()
        control, control_far = socket.socketpair()
        self._sockets = (console, control)
        self._attached = itertools.count(1)
        second = ["-qmp", f"unix:{monitor},server=on,wait=off"] if monitor else []
        command = [
            "qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-m", "16", "-nodefaults", "-display", "none",
            "-drive", f"if=floppy,format=raw,readonly=on,file={BOOT_SECTOR}",
            "-chardev", f"socket,id=console,fd={console_far.fileno()}",
            "-device", "isa-debugcon,iobase=0xe9,chardev=console",
            "-chardev", f"socket,id=control,fd={control_far.fileno()}", "-mon", "chardev=control,mode=control",
            *second, *args,
        ]
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(command, user=user, group=user, extra_groups=groups, cwd="/",
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=(console_far.fileno(), control_far.fileno()))
        console_far.close()
        control_far.close()
        super().__init__()
        threading.Thread(target=self.follow, args=(console.fileno(),), daemon=True).start()
        try:
            self.qmp = Qmp(control)
            assert self.ready.wait(boot_timeout), f"the guest is not up in {boot_timeout} s: {self.log()}"
        except BaseException:
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return (self.directory / "log").read_text(errors="replace").strip()

    def attach(self, node, **properties):
        """Give the guest an evdev node by QEMU's input-linux; returns the object's id."""
        id = f"input{next(self._attached)}"
        self.qmp.execute_raw({"execute": "object-add", "arguments": {
            "qom-type": "input-linux", "id": id, "evdev": str(node)} | properties})
        return id

    def detach(self, id):
        self.qmp.execute("object-del", id=id)

    def quit(self):
        """End as a user's QEMU does when its window is closed."""
        self.qmp.execute("quit")
        self.process.wait(30)

    def kill(self):
        self.process.kill()
        self.process.wait()
        for each in self._sockets:
            each.close()
        shutil.rmtree(self.directory, ignore_errors=True)
