# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private bus with vfio-guestd on it, and around it what it deals with: a vfio-inputd, a polkit, QEMUs.

The bus services live in this process; vfio-guestd and the QEMUs are processes of their own. Everybody writes what
is done to him into one file, the story, whose order is the order in which it happened.
"""

import json
import os
import pathlib
import signal
import shutil
import subprocess
import sys
import tempfile
import time

from gi.repository import Gio, GLib

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE = int(os.environ.get("GUESTD_DEADLINE", 20))
KEYBOARD, POINTER = '/dev/input/event900', '/dev/input/event901'
GUESTD, GUESTD_PATH = 'org.vfio.Guestd1', '/org/vfio/Guestd1'
INPUTD, INPUTD_PATH = 'org.vfio.Inputd1', '/org/vfio/Inputd1'

BUS_CONFIG = '''<busconfig>
  <type>custom</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
'''

INPUTD_XML = '''<node>
  <interface name="org.vfio.Inputd1.Manager">
    <method name="SetReady"><arg type="s" direction="in"/><arg type="b" direction="in"/>
      <arg type="s" direction="in"/></method>
    <method name="SetStopped"><arg type="s" direction="in"/><arg type="s" direction="in"/></method>
    <method name="AddGuest"><arg type="s" direction="in"/></method>
    <method name="RemoveGuest"><arg type="s" direction="in"/></method>
    <method name="SetToggle"><arg type="s" direction="in"/><arg type="as" direction="in"/></method>
    <method name="SetGrabToggle"><arg type="s" direction="in"/><arg type="s" direction="in"/></method>
    <method name="Switch"><arg type="s" direction="in"/></method>
    <property name="ActiveTarget" type="s" access="read"/>
    <signal name="Reloaded"/>
  </interface>
  <interface name="org.freedesktop.DBus.ObjectManager">
    <method name="GetManagedObjects"><arg type="a{oa{sa{sv}}}" direction="out"/></method>
  </interface>
</node>'''

POLKIT_XML = '''<node>
  <interface name="org.freedesktop.PolicyKit1.Authority">
    <method name="CheckAuthorization">
      <arg type="(sa{sv})" direction="in"/><arg type="s" direction="in"/><arg type="a{ss}" direction="in"/>
      <arg type="u" direction="in"/><arg type="s" direction="in"/><arg type="(bba{ss})" direction="out"/>
    </method>
    <method name="CancelCheckAuthorization"><arg type="s" direction="in"/></method>
  </interface>
</node>'''


def bus_path(name):
    """The escaping of sd_bus_path_encode."""
    return ''.join(c if c.isascii() and (c.isalpha() or (c.isdigit() and i)) else f'_{ord(c):02x}'
                   for i, c in enumerate(name))


class Story:
    def __init__(self, path):
        self.path = path
        self.path.touch()
        self.path.chmod(0o666)

    def add(self, line):
        with self.path.open('a', encoding='utf-8') as f:
            f.write(line + '\n')

    def lines(self):
        return self.path.read_text(encoding='utf-8').splitlines()

    def clear(self):
        os.truncate(self.path, 0)

    def positions(self, *starts):
        """Where lines that start so come, in this order; a missing one raises."""
        lines, at, found = self.lines(), -1, []
        for start in starts:
            at = next((i for i in range(at + 1, len(lines)) if lines[i].startswith(start)), None)
            if at is None:
                raise AssertionError(f'no "{start}" after {found} in:\n' + '\n'.join(lines))
            found.append(at)
        return found


class Inputd:
    """vfio-inputd, as far as vfio-guestd sees it."""

    def __init__(self, world):
        self.world = world
        self.connection = Gio.DBusConnection.new_for_address_sync(
            world.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
            | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.targets = {}
        self.active = 'host'
        self.makes_nodes = True
        self.holds = False  # replies to SetReady are not sent but kept
        self.held = []
        for interface in Gio.DBusNodeInfo.new_for_xml(INPUTD_XML).interfaces:
            self.connection.register_object(INPUTD_PATH, interface, self.on_call, self.on_get, None)
        self.connection.call_sync('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus',
                                  'RequestName', GLib.Variant('(su)', (INPUTD, 0)), None, 0, -1, None)

    def close(self):
        self.connection.close_sync(None)

    def ask_release(self):
        """Calls Release as vfio-inputd does before it stops. The list that it returns gets True."""
        replied = []
        self.connection.call(GUESTD, GUESTD_PATH, GUESTD + '.Manager', 'Release', None, None, 0, DEADLINE * 1000, None,
                             lambda connection, task: replied.append(bool(connection.call_finish(task))))
        return replied

    def on_get(self, connection, sender, path, interface, name):
        return GLib.Variant('s', self.active)

    def properties(self, name):
        nodes = self.targets[name]
        return {'org.vfio.Inputd1.Target': {'Name': GLib.Variant('s', name), 'Kind': GLib.Variant('s', 'guest'),
                                            'Nodes': GLib.Variant('as', nodes)}}

    def path(self, name):
        return f'{INPUTD_PATH}/target/{bus_path(name)}'

    def emit(self, path, interface, member, value):
        self.connection.emit_signal(None, path, interface, member, value)

    def add(self, name, nodes=(KEYBOARD, POINTER)):
        self.targets[name] = list(nodes)
        self.emit(INPUTD_PATH, 'org.freedesktop.DBus.ObjectManager', 'InterfacesAdded',
                  GLib.Variant('(oa{sa{sv}})', (self.path(name), self.properties(name))))

    def remove(self, name):
        del self.targets[name]
        self.emit(INPUTD_PATH, 'org.freedesktop.DBus.ObjectManager', 'InterfacesRemoved',
                  GLib.Variant('(oas)', (self.path(name), ['org.vfio.Inputd1.Target'])))

    def change(self, path, interface, **properties):
        self.emit(path, 'org.freedesktop.DBus.Properties', 'PropertiesChanged',
                  GLib.Variant('(sa{sv}as)', (interface, properties, [])))

    def set_nodes(self, name, nodes):
        self.targets[name] = list(nodes)
        self.change(self.path(name), 'org.vfio.Inputd1.Target', Nodes=GLib.Variant('as', list(nodes)))

    def set_active(self, name):
        self.active = name
        self.change(INPUTD_PATH, 'org.vfio.Inputd1.Manager', ActiveTarget=GLib.Variant('s', name))

    def reloaded(self):
        self.emit(INPUTD_PATH, 'org.vfio.Inputd1.Manager', 'Reloaded', None)

    def on_call(self, connection, sender, path, interface, method, parameters, invocation):
        if method == 'GetManagedObjects':
            objects = {self.path(name): self.properties(name) for name in self.targets}
            invocation.return_value(GLib.Variant('(a{oa{sa{sv}}})', (objects,)))
            return
        arguments = parameters.unpack()
        name = arguments[0]
        if self.world.closed:
            return
        self.world.story.add(f'inputd {method} ' + ' '.join(json.dumps(a) for a in arguments))
        if method == 'AddGuest':
            if name not in self.targets and self.makes_nodes:
                self.add(name)
        elif name not in self.targets:
            invocation.return_dbus_error('org.vfio.Error.NoSuchTarget', 'no such target')
            return
        elif method == 'RemoveGuest':
            self.remove(name)
        elif method == 'Switch':
            self.set_active(name)
        elif method in ('SetReady', 'SetStopped') and self.holds:
            self.held.append(invocation)
            return
        invocation.return_value(None)

    def release(self):
        self.holds = False
        while self.held:
            self.held.pop(0).return_value(None)


class Polkit:
    """Says yes or no to everybody but root, who is not asked about."""

    def __init__(self, connection):
        self.answer = True
        for interface in Gio.DBusNodeInfo.new_for_xml(POLKIT_XML).interfaces:
            connection.register_object('/org/freedesktop/PolicyKit1/Authority', interface, self.on_call, None, None)
        connection.call_sync('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'RequestName',
                             GLib.Variant('(su)', ('org.freedesktop.PolicyKit1', 0)), None, 0, -1, None)

    def on_call(self, connection, sender, path, interface, method, parameters, invocation):
        if method == 'CheckAuthorization':
            invocation.return_value(GLib.Variant('((bba{ss}))', ((self.answer, False, {}),)))
        else:
            invocation.return_value(None)


class Qemu:
    def __init__(self, world, path, *options):
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / 'fake_qemu.py'), '--socket', str(path), '--log', str(world.story.path),
             *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            raise AssertionError('the fake QEMU does not start')
        self.pid = self.process.pid

    def order(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip('\n')

    def objects(self):
        return json.loads(self.order('objects'))

    def kill(self):
        self.process.kill()
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Denied(Exception):
    """A bus error: args are its name and message."""


class World:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='guestd-'))
        self.folder.chmod(0o777)
        self.output = (self.folder / 'guestd.log').open('ab')
        self.story = Story(self.folder / 'story')
        self.dac = self.folder / 'dac'
        self.dac.mkdir()
        self.state = self.folder / 'state'
        self.state.mkdir()
        self.config = self.folder / 'vfio-inputd.conf'
        self.socket = self.folder / 'desk.qmp'
        self.guestd = self.inputd = None
        self.closed = self.stopped = False
        self.qemus = []
        self.states = []
        self.start_bus()
        self.connection = Gio.DBusConnection.new_for_address_sync(
            self.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
            | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.polkit = Polkit(self.connection)
        self.connection.signal_subscribe(GUESTD, GUESTD + '.Manager', 'GuestChanged', GUESTD_PATH, None, 0,
                                         lambda *a: self.states.append(a[5].unpack()))

    def start_bus(self):
        config = self.folder / 'bus.conf'
        path = self.folder / 'bus'
        config.write_text(BUS_CONFIG.format(path=path))
        self.address = f'unix:path={path}'
        self.bus = subprocess.Popen(['dbus-daemon', f'--config-file={config}', '--nofork', '--nopidfile',
                                     '--print-address'], stdout=subprocess.PIPE, stderr=self.output)
        self.bus.stdout.readline()

    def close(self):
        self.closed = True
        for qemu in self.qemus:
            qemu.close()
        died = self.guestd and not self.stopped and self.guestd.poll() is not None and self.report()
        if self.guestd and self.guestd.poll() is None:
            self.guestd.kill()
        if self.guestd:
            self.guestd.wait()
        self.connection.close_sync(None)
        if self.inputd:
            self.inputd.close()
        self.bus.kill()
        self.bus.wait()
        self.bus.stdout.close()
        self.output.close()
        shutil.rmtree(self.folder)
        if died:
            raise AssertionError('vfio-guestd has died\n' + died)

    # --- acting -------------------------------------------------------------

    def configure(self, text=None, **settings):
        if text is None:
            settings = {'qmp': str(self.socket), 'timeout-ms': 200, **settings}
            inner = ' '.join(f'{k} = {json.dumps(v)};' for k, v in settings.items())
            text = f'guests = ( {{ name = "desk"; {inner} }} );\n'
        # libvirt's own test driver, inside the process: this machine's libvirt is none of our business.
        if 'libvirt' not in text:
            text += 'libvirt = { uri = "test:///default"; };\n'
        self.config.write_text(text)

    def start_inputd(self, *guests):
        self.inputd = Inputd(self)
        for guest in guests:
            self.inputd.add(guest)

    def stop_inputd(self):
        self.inputd.close()
        self.inputd = None

    def start_guestd(self, wait=True):
        environment = {**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': self.address, 'VFIO_LOG_LEVEL': 'debug',
                       'RUNTIME_DIRECTORY': str(self.state),
                       'GUESTD_FAKE_DAC': str(self.dac), 'GUESTD_FAKE_LOG': str(self.story.path)}
        self.stopped = False
        self.guestd = subprocess.Popen([*os.environ['VFIO_GUESTD'].split(), '--config', str(self.config)],
                                       env=environment, stderr=self.output)
        if wait:
            self.until(lambda: self.owner(GUESTD), 'vfio-guestd owns its name')

    def stop_guestd(self, number=signal.SIGTERM):
        started = time.monotonic()
        self.guestd.send_signal(number)
        self.until(lambda: self.guestd.poll() is not None, 'vfio-guestd ends')
        if self.guestd.returncode != (0 if number != signal.SIGKILL else -signal.SIGKILL):
            raise AssertionError(f'vfio-guestd: exit status {self.guestd.returncode}\n{self.report()}')
        self.stopped = True
        return time.monotonic() - started

    def start_qemu(self, *options, path=None):
        qemu = Qemu(self, path or self.socket, *options)
        self.qemus.append(qemu)
        return qemu

    # --- asking -------------------------------------------------------------

    def until(self, condition, what, seconds=DEADLINE):
        context = GLib.MainContext.default()
        end = time.monotonic() + seconds
        tick = GLib.timeout_add(10, lambda: True)
        try:
            while not condition():
                if time.monotonic() > end:
                    raise AssertionError(f'not within {seconds} s: {what}\n{self.report()}')
                context.iteration(True)
        finally:
            GLib.source_remove(tick)

    def report(self):
        return '\n'.join(['states:', *map(str, self.states), 'story:', *self.story.lines()[-40:], 'log:',
                          (self.folder / 'guestd.log').read_text(errors='replace')[-4000:]])

    def begin(self, name, path, interface, method, parameters=None):
        """Begins a method call. The list that it returns gets the result, or a GLib.Error."""
        result = []

        def on_done(connection, task):
            try:
                result.append(connection.call_finish(task).unpack())
            except GLib.Error as e:
                result.append(e)

        self.connection.call(name, path, interface, method, parameters, None, 0, DEADLINE * 1000, None, on_done)
        return result

    def call(self, name, path, interface, method, parameters=None):
        """A method call; the services in this process go on while it waits."""
        result = self.begin(name, path, interface, method, parameters)
        self.until(lambda: result, f'{method} replies', DEADLINE + 5)
        if isinstance(result[0], GLib.Error):
            remote = Gio.DBusError.get_remote_error(result[0])
            raise Denied(remote, result[0].message.split(': ', 1)[-1])
        return result[0]

    def begin_manage(self, method, guest='desk'):
        return self.begin(GUESTD, GUESTD_PATH, GUESTD + '.Manager', method, GLib.Variant('(s)', (guest,)))

    def manage(self, method, guest='desk'):
        return self.call(GUESTD, GUESTD_PATH, GUESTD + '.Manager', method, GLib.Variant('(s)', (guest,)))

    def owner(self, name):
        return self.call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'NameHasOwner',
                         GLib.Variant('(s)', (name,)))[0]

    def guest(self, name='desk'):
        return self.call(GUESTD, f'{GUESTD_PATH}/guest/{bus_path(name)}', 'org.freedesktop.DBus.Properties',
                         'GetAll', GLib.Variant('(s)', (GUESTD + '.Guest',)))[0]

    def guests(self):
        objects = self.call(GUESTD, GUESTD_PATH, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects')[0]
        return sorted(o[GUESTD + '.Guest']['Name'] for o in objects.values() if GUESTD + '.Guest' in o)

    def until_state(self, state, reason='', name='desk'):
        def reached():
            guest = self.guest(name)
            return guest['State'] == state and reason in guest['Reason']

        self.until(reached, f'{name} is {state} ({reason})')

    def given(self):
        """The nodes that belong to somebody but root."""
        return sorted(p.name for p in self.dac.iterdir() if p.name.startswith('event'))

    def memory_kb(self):
        with open(f'/proc/{self.guestd.pid}/statm', encoding='ascii') as f:
            return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') // 1024
