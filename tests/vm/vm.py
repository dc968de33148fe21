"""Boots the test machine and runs commands in it.

    with Machine(get_image(), files={"tests/vm": HERE}) as machine:
        machine.wait_until_up()
        status = machine.run(["systemctl", "is-system-running"], timeout=60, output=print)

The machine is QEMU in pure emulation (TCG): KVM may be missing, or present and
broken, where tests run. Its disk is a throw-away overlay of the image. Files for
one run travel as a tar on a second disk, which the agent inside unpacks under
/run/vmtest (agent.py has the protocol of the control port).

A machine always ends: with its block, at its deadline, or, by a signal from the
kernel, when the process that started it dies.
"""

import base64
import contextlib
import ctypes
import itertools
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hardware import Hardware
from qmp import Qmp, QmpError

HERE = Path(__file__).resolve().parent
PR_SET_PDEATHSIG = 1
SECTOR = 512
SEATS = {"seat0": "VGA", "seat1": "ramfb"}  # see hardware.py
COMMAND_LINE = "root=LABEL=vfio-host rw panic=-1 quiet net.ifnames=0 mitigations=off apparmor=1 security=apparmor"
LEGACY_CGROUPS = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
ACCELERATORS = {
    "tcg": ["-accel", "tcg,thread=multi"],
    "kvm": ["-accel", "kvm"],
    # One instruction is one nanosecond of the machine's clock, so times repeat.
    "icount": ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"],
}


class MachineDied(Exception):
    """QEMU ended, or had to be ended, while something was expected of it."""


class Machine:
    def __init__(self, image, files=None, accel="tcg", icount=False, append="", cgroup1=False, memory=2048,
                 cpus=2, shell=False, display="none", qemu_args=(), deadline=1800, directory=None):
        self.image = image
        self.accel = "icount" if icount else choose_accelerator(image) if accel == "auto" else accel
        self.directory = Path(directory or tempfile.mkdtemp(prefix="vfio-vm-"))
        self._own_directory = directory is None
        self.serial_log = self.directory / "serial.log"
        self.journal_log = self.directory / "journal.log"
        self._files = files or {}
        self._append = [COMMAND_LINE, "console=ttyS0 vmtest vmlog", append,
                        LEGACY_CGROUPS if cgroup1 else "", "vmshell" if shell else ""]
        self._memory = memory
        self._cpus = 1 if icount else cpus
        self._shell = shell
        self._display = display
        self._qemu_args = list(qemu_args)
        self._deadline = deadline
        self._outputs = {}
        self._numbers = itertools.count(1)
        self._hello = queue.SimpleQueue()
        self._cleanup = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def wait_until_up(self, timeout=300):
        """Wait for the agent. Returns the seconds since the machine was switched on."""
        try:
            message = self._hello.get(timeout=timeout)
        except queue.Empty:
            raise MachineDied(f"the machine did not come up in {timeout} s{self._last_words()}") from None
        if message is None:
            raise MachineDied(f"the machine ended while it was booting{self._last_words()}")
        return time.monotonic() - self._switched_on

    def run(self, argv, timeout=600, output=lambda text: None, env=None, cwd=None):
        """Run a command inside as root; returns its exit status, 124 past its timeout."""
        number = next(self._numbers)
        messages = self._outputs[number] = queue.SimpleQueue()
        request = {"id": number, "run": [str(word) for word in argv], "timeout": timeout, "env": env or {}}
        self._send(request | ({"cwd": cwd} if cwd else {}))
        while True:
            try:
                message = messages.get(timeout=timeout + 30)
            except queue.Empty:
                raise MachineDied(f"the machine stopped answering{self._last_words()}") from None
            if message is None:
                raise MachineDied(f"the machine ended during {argv[0]}{self._last_words()}")
            if "exit" in message:
                return message["exit"]
            output(message["out"])

    def fetch(self, directory, destination):
        """Copy a directory out of the machine."""
        text = []
        status = self.run(["sh", "-c", f"tar -C '{directory}' -cz . | base64 -w0"], timeout=120, output=text.append)
        if status == 0:
            archive = subprocess.run(["tar", "-xz", "-C", destination], input=base64.b64decode("".join(text)))
            status = archive.returncode
        if status != 0:
            raise MachineDied(f"{directory} could not be copied out of the machine")

    def wait_until_off(self):
        """Wait until somebody inside powers the machine off."""
        self._process.wait()

    def close(self):
        self._cleanup.close()

    # Switching on

    def _start(self):
        if self._own_directory:
            self._cleanup.callback(shutil.rmtree, self.directory, ignore_errors=True)
        disk = self._make_disk()
        files = self.directory / "files.tar"
        pack(self._files, files)

        control, control_far = socket.socketpair()
        monitor, monitor_far = socket.socketpair()
        far = (control_far.fileno(), monitor_far.fileno())
        self._process = self._spawn(self._command(disk, files, *far), far)
        self._cleanup.callback(self._end)
        self._switched_on = time.monotonic()
        control_far.close()
        monitor_far.close()
        for mine in (control, monitor):
            self._cleanup.callback(mine.close)

        self._control = control
        self._control_lock = threading.Lock()
        self._workers = ThreadPoolExecutor(max_workers=8)
        self._cleanup.callback(self._workers.shutdown, wait=False)
        alarm = threading.Timer(self._deadline, self._process.kill)
        alarm.daemon = True
        alarm.start()
        self._cleanup.callback(alarm.cancel)
        try:
            self.qmp = Qmp(monitor)
        except (QmpError, OSError):
            raise MachineDied(f"QEMU did not start{self._last_words()}") from None
        self.hardware = Hardware(self.qmp, SEATS)
        threading.Thread(target=self._read_control, daemon=True).start()

    def _make_disk(self):
        disk = self.directory / "disk.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", self.image.disk, disk], check=True)
        return disk

    def _boot_options(self):
        return ["-machine", "q35", "-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd),
                "-append", " ".join(self._append)]

    def _spawn(self, command, inherited):
        libc = ctypes.CDLL(None)
        stdin = None if self._shell else subprocess.DEVNULL
        with open(self.directory / "qemu.log", "wb") as log:
            return subprocess.Popen(command, stdin=stdin, stdout=None if self._shell else log, stderr=log,
                                    pass_fds=inherited, start_new_session=not self._shell,
                                    preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    def _command(self, disk, files, control, monitor):
        seats = [option for id, driver in SEATS.items() for option in ("-device", f"{driver},id={id}")]
        shell = ["-chardev", "stdio,id=shell,signal=off", "-device", "virtconsole,chardev=shell"]
        return [
            "qemu-system-x86_64", "-nodefaults", "-no-reboot", *self._boot_options(), *ACCELERATORS[self.accel],
            "-cpu", "max", "-smp", str(self._cpus), "-m", str(self._memory),
            "-drive", f"file={disk},if=none,id=system,cache=unsafe",
            "-device", "virtio-blk-pci,drive=system",
            "-drive", f"file={files},if=none,id=files,format=raw,readonly=on",
            "-device", "virtio-blk-pci,drive=files,serial=vmtest",
            "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control",
            "-chardev", f"file,id=serial,path={self.serial_log}", "-serial", "chardev:serial",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=control,fd={control}",
            "-device", "virtserialport,chardev=control,name=org.vfio.control",
            "-chardev", f"file,id=log,path={self.journal_log}",
            "-device", "virtserialport,chardev=log,name=org.vfio.log",
            "-display", self._display, *seats, "-device", "qemu-xhci,id=usb",
            *(shell if self._shell else []), *self._qemu_args,
        ]

    def _end(self):
        self._process.kill()
        self._process.wait()

    def _last_words(self):
        """What QEMU or the console said last, as the end of an error message."""
        for log in (self.directory / "qemu.log", self.serial_log):
            lines = log.read_text(errors="replace").split("\n") if log.exists() else []
            said = [line.strip() for line in lines if line.strip()]
            if said:
                return f"; its last words: {said[-1]}"
        return ""

    # The control port

    def _send(self, message):
        with self._control_lock:
            try:
                self._control.sendall(json.dumps(message).encode() + b"\n")
            except OSError:
                raise MachineDied(f"the machine is off{self._last_words()}") from None

    def _read_control(self):
        with contextlib.suppress(OSError):
            for line in self._control.makefile("rb"):
                self._receive(json.loads(line))
        for waiting in (self._hello, *self._outputs.values()):
            waiting.put(None)

    def _receive(self, message):
        if "hello" in message:
            self._hello.put(message)
        elif "hardware" in message:
            self._workers.submit(self._act, message)
        else:
            self._outputs[message["id"]].put(message)

    def _act(self, request):
        reply = {"hardware": request["hardware"]}
        try:
            reply["return"] = self.hardware.do(request["do"], request["with"])
        except Exception as error:  # whatever it was, it belongs to the test that asked
            reply["error"] = f"{request['do']}: {error}"
        with contextlib.suppress(MachineDied):
            self._send(reply)


def pack(files, destination):
    """A tar of {name inside: file or directory outside}, padded to whole disk sectors."""
    def as_root(member):
        member.uid = member.gid = 0
        return None if "__pycache__" in member.name else member

    with tarfile.open(destination, "w") as archive:
        for name, source in files.items():
            archive.add(source, name, filter=as_root)
    os.truncate(destination, -(-destination.stat().st_size // SECTOR) * SECTOR)


def choose_accelerator(image, timeout=20):
    """KVM if it boots our kernel here, else emulation.

    /dev/kvm being there says little: nested or filtered KVM can hang a stock
    kernel at its first steps. So the kernel is started once with nothing to run;
    it must panic by itself, which ends QEMU.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    return "kvm" if boots(image, "kvm", timeout) else "tcg"


def boots(image, accel, timeout):
    command = ["qemu-system-x86_64", "-nodefaults", "-no-reboot", *ACCELERATORS[accel], "-m", "512",
               "-display", "none", "-serial", "stdio", "-kernel", str(image.kernel),
               "-append", "console=ttyS0 panic=-1"]
    try:
        probe = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0 and b"Kernel panic" in probe.stdout
