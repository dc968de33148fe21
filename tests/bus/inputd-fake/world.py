# SPDX-License-Identifier: LGPL-2.1-or-later
"""The world around vfio-inputd-fake (fake.h): a system bus, systemd, the kernel's devices, udev.

Everything arrives through GLib's main loop. A test waits with World.wait(), which turns the loop until something is
true and fails after DEADLINE; nothing sleeps.
"""

import array
import contextlib
import fcntl
import os
import pathlib
import pwd
import shlex
import signal
import socket
import struct
import subprocess
import tempfile

from gi.repository import Gio, GLib

HERE = pathlib.Path(__file__).parent
TOP = pathlib.Path(os.environ.get("top_srcdir", HERE.parents[2]))
BUILD = pathlib.Path(os.environ.get("top_builddir", TOP))
PROGRAM = BUILD / "tests/bus/vfio-inputd-fake"
# In front of the daemon's command: "valgrind --error-exitcode=99".
WRAPPER = shlex.split(os.environ.get("VFIO_TEST_WRAPPER", ""))
DEADLINE = 60  # seconds; reached only when something is wrong
NOBODY = pwd.getpwnam("nobody").pw_uid

NAME = "org.vfio.Inputd1"
ROOT = "/org/vfio/Inputd1"
MANAGER = "org.vfio.Inputd1.Manager"
DEVICE = "org.vfio.Inputd1.Device"
TARGET = "org.vfio.Inputd1.Target"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"

EVENT = struct.Struct("llHHi")  # struct input_event
EV_SYN, EV_KEY, EV_REL, EV_LED = 0, 1, 2, 0x11
SYN = (EV_SYN, 0, 0)
SYN_DROPPED = (EV_SYN, 3, 0)

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <policy user="{user}">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow own="org.vfio.Guestd1"/>
    <allow own="org.vfio.Inputd1"/>
  </policy>
  <limit name="max_connections_per_user">2048</limit>
  <limit name="max_replies_per_connection">8192</limit>
  <servicedir>{services}</servicedir>
  <include>{systemd}/org.vfio.Inputd1.conf</include>
  <include>{systemd}/org.vfio.Guestd1.conf</include>
</busconfig>
"""


def socket_name(fd):
    """Name of the socket behind a descriptor, which stays open."""
    with socket.socket(fileno=os.dup(fd)) as sock:
        return os.fsdecode(sock.getsockname()).lstrip("\0")


class BusError(Exception):
    def __init__(self, error):
        super().__init__(error.message)
        self.name = Gio.DBusError.get_remote_error(error) or str(error.code)
        self.message = error.message.removeprefix(f"GDBus.Error:{self.name}: ")


class Node:
    """A virtual device of the daemon."""

    def __init__(self, sock):
        self.sock = sock
        self.devnode = self.phys = self.name = None
        self.adopted = 0
        self.frames = []  # as written: [(type, code, value), …]
        self.closed = False

    def on_packet(self, data):
        if not self.devnode:
            self.devnode, self.phys, self.name = data.decode().split("\n")
        elif data == b"adopted":
            self.adopted += 1
        else:
            self.frames.append([e[2:] for e in EVENT.iter_unpack(data)])

    def keys(self):
        return [(code, value) for frame in self.frames for kind, code, value in frame if kind == EV_KEY]

    def set_led(self, code, value):
        self.sock.send(EVENT.pack(0, 0, EV_LED, code, value))


class Hardware:
    """A real device: what the daemon opens as /dev/input/EVENT."""

    def __init__(self, world, event):
        self.event = event
        self.sock = None  # the daemon's latest open of it
        self.opened = self.closed = 0
        self.written = []  # by the daemon: LEDs, releases
        self.usec = 1000000
        world.listen(event, socket.SOCK_STREAM, self.on_open)
        self.world = world

    def on_open(self, sock):
        self.sock = sock
        self.opened += 1
        self.world.watch(sock, self.on_readable)

    def on_readable(self, sock):
        data = sock.recv(4096)
        self.written += [e[2:] for e in EVENT.iter_unpack(data)]
        if data:
            return True
        self.closed += 1
        if sock is self.sock:
            self.sock = None
        return False

    def send(self, *frames):
        """Each frame: [(type, code, value), …] without its SYN_REPORT."""
        data = b""
        for frame in frames:
            self.usec += 10000
            data += b"".join(EVENT.pack(0, self.usec, *event) for event in [*frame, SYN])
        self.sock.sendall(data)

    def press(self, *keys):
        self.send(*[[(EV_KEY, key, 1)] for key in keys])

    def release(self, *keys):
        self.send(*[[(EV_KEY, key, 0)] for key in keys])

    def tap(self, *keys):
        for key in keys:
            self.press(key)
            self.release(key)


class World:
    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="vfio-")))
        self.folder.chmod(0o755)
        self.config = self.folder / "vfio-inputd.conf"
        self.address = f"unix:path={self.folder}/bus"
        self.sources = set()
        self.signals = []  # (path, interface, member, arguments)
        self.notified = []  # what systemd was told: (text, descriptors)
        self.store = {}  # what it keeps: name -> descriptor
        self.nodes = []
        self.hardware = {}
        self.log = []
        self.partial = ""
        self.owners = {}
        self.exited = []
        self.process = self.bus_process = self.bus = None
        self.control = None
        self.answers = []  # on the control socket
        self.on_new_bus = lambda: None
        self.listen("control", socket.SOCK_SEQPACKET, self.on_control)
        self.listen("uinput", socket.SOCK_SEQPACKET, self.on_node)
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(self.folder / "notify"))
        self.stack.callback(self.systemd.close)
        self.watch(self.systemd, self.on_notify)

    # ---- the main loop

    def watch(self, sock, handler):
        """Calls handler(sock) whenever there is something to read, until it returns false."""
        def on_fd(fd, condition):
            try:
                if handler(sock):
                    return True
            except ConnectionError:
                pass
            self.sources.discard(source)
            return False

        fd = sock if isinstance(sock, int) else sock.fileno()
        source = GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, fd, GLib.IOCondition.IN | GLib.IOCondition.HUP, on_fd)
        self.sources.add(source)

    def listen(self, name, kind, on_accept):
        listener = socket.socket(socket.AF_UNIX, kind)
        self.stack.callback(listener.close)
        (self.folder / name).unlink(missing_ok=True)
        listener.bind(str(self.folder / name))
        listener.listen(1024)

        def on_readable(_):
            sock, _ = listener.accept()
            self.stack.callback(sock.close)
            on_accept(sock)
            return True

        self.watch(listener, on_readable)

    def wait(self, what, condition, seconds=DEADLINE):
        """Turns the loop until condition() is true, and returns its value."""
        over = []
        timer = GLib.timeout_add(int(seconds * 1000), lambda: over.append(True) or True)
        try:
            while not (value := condition()):
                if over:
                    raise AssertionError(f"timed out: {what}\n" + "\n".join(self.log[-20:]))
                GLib.MainContext.default().iteration(True)
            return value
        finally:
            GLib.source_remove(timer)

    def pass_time(self, seconds):
        """For what must not happen: turns the loop for so long."""
        over = []
        timer = GLib.timeout_add(int(seconds * 1000), lambda: over.append(True) or True)
        while not over:
            GLib.MainContext.default().iteration(True)
        GLib.source_remove(timer)

    # ---- the bus

    def start_bus(self):
        config = self.folder / "bus.conf"
        config.write_text(BUS_CONFIG.format(socket=self.folder / "bus", user=os.geteuid(), services=self.folder,
                                            systemd=TOP / "systemd"))
        # As it is installed; here it cannot be started.
        self.write("org.vfio.Guestd1.service", "[D-BUS Service]\nName=org.vfio.Guestd1\nExec=/bin/false\nUser=root\n")
        (self.folder / "bus").unlink(missing_ok=True)
        self.bus_process = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"],
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.watch(self.bus_process.stdout, lambda f: started.append(f.readline()) and False)
        started = []
        self.wait("dbus-daemon", lambda: started)
        self.bus = self.connect()
        self.owners = {}
        self.bus.signal_subscribe(None, None, None, None, None, Gio.DBusSignalFlags.NONE, self.on_signal)
        # The subscription is sent by another thread and not waited for: without this the daemon may be quicker.
        self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", None, None,
                           Gio.DBusCallFlags.NONE, DEADLINE * 1000, None)
        self.on_new_bus()

    def stop_bus(self):
        if self.bus_process:
            self.bus_process.kill()
            self.bus_process.wait(DEADLINE)
            self.bus_process.stdout.close()
        self.bus_process = None

    def connect(self, uid=None):
        """A connection of that user; only root can be somebody else."""
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        if uid is not None and uid != os.geteuid():
            os.seteuid(uid)
        try:
            return Gio.DBusConnection.new_for_address_sync(self.address, flags, None, None)
        finally:
            if os.getuid() == 0:
                os.seteuid(0)

    def on_signal(self, connection, sender, path, interface, member, arguments, *_):
        if member == "NameOwnerChanged":
            name, _, owner = arguments.unpack()
            self.owners[name] = owner
        if path.startswith(ROOT):
            self.signals.append((path, interface, member, arguments.unpack()))

    def take_signals(self, member, path=None):
        """Arguments of the signals of that name so far, which are forgotten."""
        taken = [s for s in self.signals if s[2] == member and path in (None, s[0])]
        self.signals = [s for s in self.signals if s not in taken]
        return [s[3] for s in taken]

    def start_call(self, path, interface, member, arguments=None, connection=None, flags=Gio.DBusCallFlags.NONE,
                   name=NAME):
        """Returns a list into which the reply, or a BusError, will be put."""
        answer = []

        def on_answer(source, result):
            try:
                answer.append(source.call_finish(result).unpack())
            except GLib.Error as e:
                answer.append(BusError(e))

        (connection or self.bus).call(name, path, interface, member, arguments, None,
                                      flags | Gio.DBusCallFlags.NO_AUTO_START, DEADLINE * 1000, None, on_answer)
        return answer

    def raw_call(self, *arguments, **keywords):
        answer = self.start_call(*arguments, **keywords)
        value = self.wait(f"an answer to {arguments[2]}", lambda: answer)[0]
        if isinstance(value, BusError):
            raise value
        return value

    def call(self, member, signature="", *arguments, **keywords):
        """A method of the manager."""
        body = GLib.Variant(f"({signature})", arguments) if signature else None
        value = self.raw_call(ROOT, MANAGER, member, body, **keywords)
        return value[0] if value else None

    def get(self, name, path=ROOT, interface=MANAGER, **keywords):
        return self.raw_call(path, PROPERTIES, "Get", GLib.Variant("(ss)", (interface, name)), **keywords)[0]

    def objects(self):
        return self.raw_call(ROOT, OBJECT_MANAGER, "GetManagedObjects")[0]

    def targets(self):
        return {o[TARGET]["Name"]: o[TARGET] for o in self.objects().values() if TARGET in o}

    def devices(self):
        return {o[DEVICE]["Node"]: {**o[DEVICE], "path": path} for path, o in self.objects().items() if DEVICE in o}

    def wait_device(self, event, state):
        """Until the device behind /dev/input/EVENT is in that state."""
        node = f"/dev/input/{event}"
        while (found := self.devices().get(node)) is None or found["State"] != state:
            before = len(self.signals)
            self.wait(f"{event} to be {state}, it is {found and found['State']}", lambda: len(self.signals) != before)
        return found

    # ---- systemd

    def on_notify(self, sock):
        size = array.array("i").itemsize
        data, control, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(8 * size), socket.MSG_DONTWAIT)
        fds = array.array("i")
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content[:len(content) - len(content) % size])
        text = data.decode()
        self.notified.append((text, list(fds)))
        fields = dict(line.split("=", 1) for line in text.splitlines())
        if "FDSTORE" in fields:
            self.forget(fields["FDNAME"])
            self.store[fields["FDNAME"]] = fds[0]
        elif "FDSTOREREMOVE" in fields:
            self.forget(fields["FDNAME"])
        return True

    def forget(self, name):
        if name in self.store:
            os.close(self.store.pop(name))

    def notifications(self, prefix):
        return [text for text, _ in self.notified if text.startswith(prefix)]

    # ---- kernel and udev

    def on_control(self, sock):
        self.control = sock
        self.watch(sock, self.on_control_message)

    def on_control_message(self, sock):
        message = sock.recv(100).decode()
        if message == "start":
            for hardware in self.hardware.values():
                sock.send(hardware.plug)
            sock.send(b"go")
        elif message:
            self.answers.append(message)
        return bool(message)

    def command(self, command):
        """Tells the fake hotplug something and waits until it is done."""
        before = len(self.answers)
        self.control.send(command.encode() if isinstance(command, str) else command)
        self.wait(command, lambda: len(self.answers) > before)

    def plug(self, event, kind, name="Test Device", vendor=0x046d, product=0xc52b):
        name = name if isinstance(name, bytes) else name.encode()
        hardware = self.hardware[event] = Hardware(self, event)
        hardware.plug = f"plug {event} {kind} {vendor:x} {product:x} ".encode() + name
        if self.process:
            self.command(hardware.plug)
        return hardware

    def unplug(self, event):
        del self.hardware[event]
        self.command(f"unplug {event}")

    def on_node(self, sock):
        node = Node(sock)

        def on_readable(_):
            data = sock.recv(65536)
            if data:
                node.on_packet(data)
            else:
                node.closed = True
            return bool(data)

        self.nodes.append(node)
        self.watch(sock, on_readable)

    def node(self, phys):
        """The live virtual device of that phys, as soon as there is one."""
        def find():
            return next((n for n in self.nodes if n.phys == phys and not n.closed), None)
        return self.wait(f"a virtual device {phys}", find)

    def write(self, name, text=""):
        (self.folder / name).write_text(text)

    def remove(self, name):
        (self.folder / name).unlink()

    # ---- the daemon

    def spawn(self, *arguments, env=(), store=None):
        """Starts it. store: what the descriptor store gives back, name -> descriptor."""
        environment = {
            **os.environ,
            "DBUS_SYSTEM_BUS_ADDRESS": self.address,
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "VFIO_FAKE_DIR": str(self.folder),
            "VFIO_LOG_LEVEL": "debug",
            **dict(env),
        }
        command = [*WRAPPER, str(PROGRAM), f"--config={self.config}", *arguments]
        copies = []
        if store:
            # systemd hands them over from number 3 on, and says to whom.
            copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200) for fd in store.values()]
            environment |= {"LISTEN_FDS": str(len(store)), "LISTEN_FDNAMES": ":".join(store)}
            redirections = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(copies))
            command = ["bash", "-c", f'export LISTEN_PID=$$; exec "$@" {redirections}', "bash", *command]
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, pass_fds=copies)
        for fd in copies:
            os.close(fd)
        self.exited = []
        process, end = self.process, os.pidfd_open(self.process.pid)
        self.stack.callback(os.close, end)
        self.stack.callback(process.stderr.close)
        self.watch(end, lambda _: self.exited.append(process.wait()))
        self.watch(process.stderr, self.on_log)

    def on_log(self, pipe):
        data = os.read(pipe.fileno(), 65536)
        self.partial += data.decode(errors="replace")
        *lines, self.partial = self.partial.split("\n")
        self.log += lines
        return bool(data)

    def logged(self, text):
        return [line for line in self.log if text in line]

    def start(self, *arguments, **keywords):
        """Bus, daemon, and both know each other."""
        if not self.bus_process:
            self.start_bus()
        self.spawn(*arguments, **keywords)
        self.wait_ready()
        self.wait("its name on the bus", lambda: self.owners.get(NAME))

    def wait_ready(self):
        self.wait("READY=1", lambda: self.exited or self.notifications("READY=1"))
        assert not self.exited, "\n".join(self.log)

    def kill(self, number):
        os.kill(self.process.pid, number)

    def stop(self, number=signal.SIGTERM):
        """Returns its exit status."""
        if not self.exited:
            self.kill(number)
        return self.wait("its end", lambda: self.exited)[0]

    def close(self):
        """Ends everything. A daemon that still runs must end well."""
        try:
            if self.process and not self.exited:
                status = self.stop()
                assert status == 0, f"exit status {status}\n" + "\n".join(self.log)
        finally:
            if self.process and not self.exited:
                self.process.kill()
                self.process.wait(DEADLINE)
            self.stop_bus()
            for source in self.sources:
                GLib.source_remove(source)
            for fd in self.store.values():
                os.close(fd)
            self.stack.close()
