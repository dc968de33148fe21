#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for vfio-inputd or vfio-guestd on a private bus: doc/dbus-api.rst as far as its callers see it.

    fake_services.py inputd|guestd

Takes the bus from $DBUS_SYSTEM_BUS_ADDRESS. Says "ready" on standard output when it owns its name, then takes
orders, one JSON object a line, and answers each with "done":

    {"behave": {"Switch": {"error": "org.vfio.Error.NotReady", "message": "…"}}}
                                      also {"hang": true}, {"die": true}; {} is normal again
    {"wait": "Identify"}                                               until that member hangs
    {"release": "Identify"}                                            lets go what hangs
    {"signal": ["Switched", "sss", ["host", "win10", "request"]]}
    {"change": ["/org/vfio/Inputd1/target/win10", "Ready", false]}     property, with its change signal
    {"set": [path, property, value]}                                   the same without signal
    {"add": [path, {property: value, …}]}, {"remove": path}            objects, with their signals
    {"grant": [domain, node, path, pid, [[layer, state, text], …]]}    what ListGrants says
    {"checked": [guest, [[layer, state, text], …]]}                    what CheckGuest finds
    {"calls": true}                                                    answers with the calls so far
    {"interactive": "Pause"}                                           whether its last call allowed a password
"""

import json
import os
import sys

import dbus
import dbus.lowlevel
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

PROPERTIES = 'org.freedesktop.DBus.Properties'
OBJECT_MANAGER = 'org.freedesktop.DBus.ObjectManager'


def strings(values):
    return dbus.Array(values, signature='s')


def layers(values):
    return dbus.Array([dbus.Struct(v, signature='sss') for v in values], signature='(sss)')


TYPES = {
    'ActiveTarget': dbus.String, 'Paused': dbus.Boolean, 'Version': dbus.String, 'Toggle': strings,
    'Name': dbus.String, 'Node': dbus.String, 'Phys': dbus.String, 'Vendor': dbus.UInt16, 'Product': dbus.UInt16,
    'Kind': dbus.String, 'Grabbed': dbus.Boolean, 'State': dbus.String, 'HeldKeys': dbus.UInt32,
    'Ready': dbus.Boolean, 'Reason': dbus.String, 'Nodes': strings, 'Switches': dbus.UInt64,
    'Domain': dbus.String, 'Route': dbus.String, 'Pid': dbus.UInt32, 'Uuid': dbus.String,
    'RouteReason': dbus.String, 'Layers': layers, 'Libvirt': dbus.String,
}


def typed(properties):
    """As the contract has them; {"string": "…"} is a string where it has something else."""
    return dbus.Dictionary({k: dbus.String(v['string']) if isinstance(v, dict) else TYPES[k](v)
                            for k, v in properties.items()}, signature='sv')


def device(name, node, phys, kind, vendor=0x046d, product=0xc52b):
    return {'Name': name, 'Node': f'/dev/input/{node}', 'Phys': phys, 'Vendor': vendor, 'Product': product,
            'Kind': kind, 'Grabbed': True, 'State': 'grabbed', 'HeldKeys': 0}


def target(name, kind, ready=True, reason='', switches=0, toggle=()):
    nodes = [f'/dev/input/by-id/vfio-inputd-{name}-event-{end}' for end in ('kbd', 'mouse')]
    return {'Name': name, 'Kind': kind, 'Ready': ready, 'Reason': reason,
            'Nodes': nodes if kind == 'guest' else [], 'Switches': switches, 'Toggle': list(toggle)}


def guest(name, domain, state, reason='', pid=0, uuid='', route='qmp', route_reason='', layers=()):
    return {'Name': name, 'Domain': domain, 'Uuid': uuid, 'State': state, 'Route': route, 'RouteReason': route_reason,
            'Reason': reason, 'Pid': pid, 'Layers': list(layers)}


WIN10 = 'c7a5fdbd-edaf-9455-926a-d65c16db1809'
LAYERS = [('namespace', 'open', 'the node is there'), ('dac', 'open', 'uid 64055 owns it'),
          ('apparmor', 'absent', 'AppArmor is not enabled'), ('cgroup', 'open', 'c 13:84 is allowed')]

INPUTD = {
    '/org/vfio/Inputd1': {'ActiveTarget': 'host', 'Paused': False, 'Version': '0.1.0',
                          'Toggle': ['leftctrl', 'rightctrl']},
    '/org/vfio/Inputd1/target/host': target('host', 'host', switches=4),
    '/org/vfio/Inputd1/target/win10': target('win10', 'guest', switches=1, toggle=['f12', 'f12']),
    '/org/vfio/Inputd1/target/linux': target('linux', 'guest', False, 'QEMU is not running'),
    '/org/vfio/Inputd1/device/1': device('Receiver Keyboard', 'event3', 'usb-0000:00:14.0-1/input0', 'keyboard'),
    '/org/vfio/Inputd1/device/2': device('Receiver Media', 'event10', 'usb-0000:00:14.0-1/input1', 'keys'),
    '/org/vfio/Inputd1/device/3': device('Mouse', 'event4', 'usb-0000:00:14.0-2/input0', 'mouse', 0x1c4f, 2),
}

GUESTD = {
    '/org/vfio/Guestd1': {'Version': '0.1.0', 'Libvirt': 'connected'},
    '/org/vfio/Guestd1/guest/win10': guest('win10', 'Windows 10', 'ready', pid=4711, uuid=WIN10, route='grant',
                                           route_reason='libvirt does not hot-attach evdev devices', layers=LAYERS),
    '/org/vfio/Guestd1/guest/linux': guest('linux', '', 'absent', 'QEMU is not running'),
}

# domain: node -> path, pid, layers
GRANTS = {
    'Windows 10': {'/dev/input/event20': (f'/dev/vfio-inputd/libvirt-{WIN10}/input3', 4711, LAYERS)},
}
IN_USE = ('/dev/input/event3', 'The host uses /dev/input/event3: vfio-inputd has grabbed it')


class Service(dbus.service.Object):
    def __init__(self, connection, kind):
        self.connection_ = connection
        self.root = f'/org/vfio/{kind}1'
        self.manager = f'org.vfio.{kind}1.Manager'
        self.objects = {path: typed(p) for path, p in (INPUTD if kind == 'Inputd' else GUESTD).items()}
        self.behaviour = {}
        self.calls = []
        self.interactive = {}
        self.hanging = {}
        self.waited_for = None
        self.checked = {}
        connection.add_message_filter(self.look)
        super().__init__(connection, self.root)

    def look(self, _, message):
        if message.get_type() == dbus.lowlevel.MESSAGE_TYPE_METHOD_CALL:
            self.interactive[message.get_member()] = bool(message.get_allow_interactive_authorization())
        return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED

    def interface(self, path):
        if path == self.root:
            return self.manager
        noun = path[len(self.root) + 1:].split('/')[0]
        return f"{self.manager.rsplit('.', 1)[0]}.{noun.capitalize()}"

    def signal(self, path, interface, member, signature, arguments):
        message = dbus.lowlevel.SignalMessage(path, interface, member)
        message.append(*arguments, signature=signature)
        self.connection_.send_message(message)
        self.connection_.flush()

    def change(self, path, name, value, tell=True):
        changed = typed({name: value})
        self.objects[path].update(changed)
        if tell:
            self.signal(path, PROPERTIES, 'PropertiesChanged', 'sa{sv}as', [self.interface(path), changed, []])

    def answer(self, member, reply, fail, *values):
        """Does what the test wants of this member; else replies with the values."""
        wanted = self.behaviour.get(member, {})
        self.calls.append(member)
        if wanted.get('die'):
            os._exit(1)
        if wanted.get('hang'):
            self.hanging[member] = (reply, values)
            if self.waited_for == member:
                self.waited_for = None
                print('done', flush=True)
            return False
        if 'error' in wanted:
            fail(dbus.DBusException(wanted['message'], name=wanted['error']))
            return False
        reply(*values)
        return True

    # Both services

    @dbus.service.method(PROPERTIES, 's', 'a{sv}', async_callbacks=('reply', 'fail'))
    def GetAll(self, interface, reply, fail):
        self.answer('GetAll', reply, fail, self.objects[self.root])

    @dbus.service.method(OBJECT_MANAGER, '', 'a{oa{sa{sv}}}', async_callbacks=('reply', 'fail'))
    def GetManagedObjects(self, reply, fail):
        below = {path: {'org.freedesktop.DBus.Peer': dbus.Dictionary({}, signature='sv'), self.interface(path): p}
                 for path, p in self.objects.items() if path != self.root}
        self.answer('GetManagedObjects', reply, fail, below)


class Inputd(Service):
    MANAGER = 'org.vfio.Inputd1.Manager'

    def switch(self, name):
        before = str(self.objects[self.root]['ActiveTarget'])
        self.change(self.root, 'ActiveTarget', name)
        self.signal(self.root, self.manager, 'Switched', 'sss', [before, name, 'request'])

    @dbus.service.method(MANAGER, 's', '', async_callbacks=('reply', 'fail'))
    def Switch(self, name, reply, fail):
        if not any(path.split('/')[-2:] == ['target', name] for path in self.objects):
            fail(dbus.DBusException(f'there is no target "{name}"', name='org.vfio.Error.NoSuchTarget'))
        elif self.answer('Switch', reply, fail):
            self.switch(name)

    @dbus.service.method(MANAGER, '', '', async_callbacks=('reply', 'fail'))
    def Toggle(self, reply, fail):
        if self.answer('Toggle', reply, fail):
            self.switch('win10' if self.objects[self.root]['ActiveTarget'] == 'host' else 'host')

    @dbus.service.method(MANAGER, '', '', async_callbacks=('reply', 'fail'))
    def Pause(self, reply, fail):
        if self.answer('Pause', reply, fail):
            self.change(self.root, 'Paused', True)

    @dbus.service.method(MANAGER, '', '', async_callbacks=('reply', 'fail'))
    def Resume(self, reply, fail):
        if self.answer('Resume', reply, fail):
            self.change(self.root, 'Paused', False)

    @dbus.service.method(MANAGER, '', '', async_callbacks=('reply', 'fail'))
    def Reload(self, reply, fail):
        self.answer('Reload', reply, fail)

    @dbus.service.method(MANAGER, '', 'o', async_callbacks=('reply', 'fail'))
    def Identify(self, reply, fail):
        path = self.behaviour.get('Identify', {}).get('path', f'{self.root}/device/1')
        self.answer('Identify', reply, fail, dbus.ObjectPath(path))


class Guestd(Service):
    MANAGER = 'org.vfio.Guestd1.Manager'

    def change_guest(self, member, name, reply, fail):
        path = f'{self.root}/guest/{name}'
        if path not in self.objects:
            fail(dbus.DBusException(f'there is no guest "{name}"', name='org.vfio.Error.NoSuchGuest'))
        elif self.answer(member, reply, fail):
            self.change(path, 'State', 'ready' if member == 'Attach' else 'detached')

    @dbus.service.method(MANAGER, 's', '', async_callbacks=('reply', 'fail'))
    def Attach(self, name, reply, fail):
        self.change_guest('Attach', name, reply, fail)

    @dbus.service.method(MANAGER, 's', '', async_callbacks=('reply', 'fail'))
    def Detach(self, name, reply, fail):
        self.change_guest('Detach', name, reply, fail)


    @dbus.service.method(MANAGER, 's', '', async_callbacks=('reply', 'fail'))
    def CheckGuest(self, name, reply, fail):
        if self.answer('CheckGuest', reply, fail) and name in self.checked:
            self.change(f'{self.root}/guest/{name}', 'Layers', self.checked[name])

    def find_domain(self, domain, fail):
        known = {'Windows 10', 'linux'}
        if domain == WIN10:
            return 'Windows 10'
        if domain not in known:
            fail(dbus.DBusException(f"There is no running domain '{domain}'.", name='org.vfio.Error.NoSuchDomain'))
            return None
        return domain

    @dbus.service.method(MANAGER, 'ssb', 's', async_callbacks=('reply', 'fail'))
    def Grant(self, domain, node, in_use, reply, fail):
        domain = self.find_domain(str(domain), fail)
        if domain is None:
            return
        if node == IN_USE[0] and not in_use:
            fail(dbus.DBusException(IN_USE[1], name='org.vfio.Error.InUse'))
            return
        path = f'/dev/vfio-inputd/libvirt-{WIN10}/input9'
        if self.answer('Grant', reply, fail, path):
            GRANTS.setdefault(domain, {})[str(node)] = (path, 4712, LAYERS)
            self.signal(self.root, self.manager, 'GrantsChanged', '', [])

    @dbus.service.method(MANAGER, 'ss', '', async_callbacks=('reply', 'fail'))
    def Revoke(self, domain, node, reply, fail):
        granted = GRANTS.get('Windows 10' if domain == WIN10 else str(domain), {})
        for host, (path, _, _) in granted.items():
            if node in (host, path):
                if self.answer('Revoke', reply, fail):
                    del granted[host]
                    self.signal(self.root, self.manager, 'GrantsChanged', '', [])
                return
        fail(dbus.DBusException(f"'{node}' is not granted to '{domain}'.", name='org.vfio.Error.NoSuchGrant'))

    @dbus.service.method(MANAGER, '', 'a(sssua(sss))', async_callbacks=('reply', 'fail'))
    def ListGrants(self, reply, fail):
        self.answer('ListGrants', reply, fail, [(domain, node, path, pid, said) for domain, nodes in GRANTS.items()
                                                for node, (path, pid, said) in nodes.items()])


def obey(service, order):
    answer = 'done'
    for verb, what in order.items():
        if verb == 'behave':
            service.behaviour = what
        elif verb == 'signal':
            service.signal(service.root, service.manager, *what)
        elif verb in ('change', 'set'):
            service.change(*what, tell=verb == 'change')
        elif verb == 'add':
            path, properties = what
            service.objects[path] = typed(properties)
            service.signal(service.root, OBJECT_MANAGER, 'InterfacesAdded', 'oa{sa{sv}}',
                           [path, {service.interface(path): service.objects[path]}])
        elif verb == 'remove':
            del service.objects[what]
            service.signal(service.root, OBJECT_MANAGER, 'InterfacesRemoved', 'oas', [what, [service.interface(what)]])
        elif verb == 'wait':
            if what not in service.hanging:
                service.waited_for = what
                return
        elif verb == 'release':
            reply, values = service.hanging.pop(what)
            reply(*values)
        elif verb == 'checked':
            name, said = what
            service.checked[name] = said
        elif verb == 'grant':
            domain, node, path, pid, said = what
            GRANTS.setdefault(domain, {})[node] = (path, pid, [tuple(layer) for layer in said])
        elif verb == 'interactive':
            answer = json.dumps(service.interactive[what])
        elif verb == 'calls':
            answer = json.dumps(service.calls)
        else:
            raise ValueError(verb)
    print(answer, flush=True)


def main():
    kind = {'inputd': Inputd, 'guestd': Guestd}[sys.argv[1]]
    loop = GLib.MainLoop()
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    connection = dbus.bus.BusConnection(os.environ['DBUS_SYSTEM_BUS_ADDRESS'])
    service = kind(connection, sys.argv[1].capitalize())
    connection.call_on_disconnection(lambda _: loop.quit())

    def on_input(source, condition):
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        obey(service, json.loads(line))
        return True

    # Started by the bus there is nobody to give orders, and standard input is /dev/null.
    if 'DBUS_STARTER_ADDRESS' not in os.environ:
        GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, on_input)
    assert connection.request_name(f'org.vfio.{sys.argv[1].capitalize()}1') == dbus.bus.REQUEST_NAME_REPLY_PRIMARY_OWNER
    print('ready', flush=True)
    loop.run()


if __name__ == '__main__':
    main()
