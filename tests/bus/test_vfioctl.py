#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vfioctl against fake services on a bus of its own: each verb, each error, each event.

The program comes from $VFIOCTL (a command line, so that valgrind may stand before it), the sources from
$top_srcdir. Nothing sleeps: every wait is for an event, and every wait has an end.
"""

import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import dbus
import dbus.lowlevel
from gi.repository import GLib  # noqa: F401, for the fakes

if not shutil.which('dbus-daemon'):
    raise unittest.SkipTest('there is no dbus-daemon')

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.environ.get('top_srcdir', os.path.join(HERE, '..', '..'))
VFIOCTL = shlex.split(os.environ.get('VFIOCTL', './vfioctl'))
VFIOCTL[0] = os.path.abspath(VFIOCTL[0]) if '/' in VFIOCTL[0] else VFIOCTL[0]
FAKE = os.path.join(HERE, 'fake_services.py')

LONGEST = 60  # seconds that anything may take, also under valgrind on a slow machine
ROOT = '/org/vfio/Inputd1'
GUESTS = '/org/vfio/Guestd1'
WIN10 = 'c7a5fdbd-edaf-9455-926a-d65c16db1809'
GAMEPAD = '/dev/input/by-id/usb-Pad-event-joystick'
FOREIGN = {'doctor', 'setup'}  # of vfioctl-setup, which has tests of its own
HOSTILE = 'Evil\x1b]0;owned\x07\u009b31m\u202e\x7f "quoted" \\ [a-z]*\nEND'

BUS_CONFIG = '''<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    {policy}
  </policy>
</busconfig>
'''


def read_source(*path):
    with open(os.path.join(TOP, *path), encoding='utf-8') as file:
        return file.read()


class Lines:
    """The lines of a pipe, each waited for, but not for ever."""

    def __init__(self, pipe):
        self.fd = pipe.fileno()
        self.rest = b''

    def next(self, timeout=LONGEST):
        end = time.monotonic() + timeout
        while b'\n' not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f'no line came; so far: {self.rest!r}')
            more = os.read(self.fd, 65536)
            if not more:
                raise EOFError(f'end of output; so far: {self.rest!r}')
            self.rest += more
        line, self.rest = self.rest.split(b'\n', 1)
        return line.decode()


class Process:
    """A child that is certainly gone at the end of the test."""

    def __init__(self, test, command, environment, **more):
        self.popen = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, **more)
        self.lines = Lines(self.popen.stdout)
        test.addCleanup(self.stop)

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(LONGEST)
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe:
                pipe.close()


class Bus(Process):
    def __init__(self, test, policy='', services=()):
        folder = tempfile.mkdtemp(prefix='vfioctl-bus-')
        test.addCleanup(shutil.rmtree, folder)
        os.mkdir(f'{folder}/services')
        for name, command in services:
            with open(f'{folder}/services/{name}.service', 'w', encoding='utf-8') as file:
                file.write(f'[D-BUS Service]\nName={name}\nExec={command}\n')
        with open(f'{folder}/bus.conf', 'w', encoding='utf-8') as file:
            file.write(BUS_CONFIG.format(folder=folder, policy=policy))
        self.environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f'unix:path={folder}/bus', LC_ALL='C.UTF-8',
                                TERM='xterm')
        self.environment.pop('NO_COLOR', None)
        self.environment.pop('DBUS_STARTER_ADDRESS', None)
        self.folder = folder
        super().__init__(test, ['dbus-daemon', '--nofork', '--print-address', f'--config-file={folder}/bus.conf'],
                         self.environment, stderr=subprocess.DEVNULL)
        self.lines.next()


class Fake(Process):
    def __init__(self, test, bus, kind):
        super().__init__(test, [sys.executable, FAKE, kind], bus.environment, stdin=subprocess.PIPE)
        assert self.lines.next() == 'ready'

    def order(self, **order):
        self.popen.stdin.write(json.dumps(order).encode() + b'\n')
        self.popen.stdin.flush()
        return self.lines.next()

    def calls(self):
        return json.loads(self.order(calls=True))


class Result:
    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout.decode()
        self.err = completed.stderr.decode()

    def json(self):
        return json.loads(self.out)


class WithBus(unittest.TestCase):
    services = ('inputd', 'guestd')
    maxDiff = None

    def setUp(self):
        self.bus = Bus(self)
        for kind in self.services:
            setattr(self, kind, Fake(self, self.bus, kind))

    def run_(self, *args, environment=None):
        return Result(subprocess.run([*VFIOCTL, *args], env=environment or self.bus.environment, timeout=LONGEST,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     check=False))

    def ok(self, *args):
        result = self.run_(*args)
        self.assertEqual((result.status, result.err if result.status else ''), (0, ''), result.out)
        return result

    def fails(self, status, pattern, *args, **more):
        """The exit status and the words, and the same once more with --json."""
        result = self.run_(*args, **more)
        self.assertEqual(result.status, status, result.err)
        self.assertRegex(result.err, pattern)
        self.assertRegex(result.err, '(?m)^vfioctl: ')
        self.assertEqual(result.out, '')
        if status == 2:
            return result
        result = self.run_(*args, '--json', **more)
        self.assertEqual(result.status, status, result.err)
        answer = result.json()
        self.assertEqual(sorted(answer), ['error', 'message', 'ok'])
        self.assertIs(answer['ok'], False)
        self.assertRegex(answer['message'], pattern)
        return result


class Reading(WithBus):
    def test_status_json(self):
        status = self.ok('status', '--json').json()
        self.assertEqual({k: status[k] for k in ('active', 'paused', 'version', 'toggle', 'guestd')},
                         {'active': 'host', 'paused': False, 'version': '0.1.0', 'toggle': ['leftctrl', 'rightctrl'],
                          'guestd': {'running': True, 'version': '0.1.0', 'libvirt': 'connected', 'problem': ''}})
        self.assertEqual([t['name'] for t in status['targets']], ['host', 'linux', 'win10'])
        self.assertEqual(status['targets'][1]['reason'], 'QEMU is not running')
        self.assertIs(status['targets'][1]['ready'], False)
        self.assertEqual(status['targets'][2], {
            'name': 'win10', 'kind': 'guest', 'ready': True, 'reason': '', 'switches': 1, 'toggle': ['f12', 'f12'],
            'nodes': ['/dev/input/by-id/vfio-inputd-win10-event-kbd',
                      '/dev/input/by-id/vfio-inputd-win10-event-mouse']})
        self.assertEqual([d['node'] for d in status['devices']],
                         ['/dev/input/event3', '/dev/input/event10', '/dev/input/event4'])
        self.assertEqual(status['devices'][2], {
            'name': 'Mouse', 'node': '/dev/input/event4', 'phys': 'usb-0000:00:14.0-2/input0', 'vendor': 0x1c4f,
            'product': 2, 'kind': 'mouse', 'grabbed': True, 'state': 'grabbed', 'held_keys': 0,
            'group': 'usb-0000:00:14.0-2'})
        self.assertEqual(status['guests'][1], {
            'name': 'win10', 'domain': 'Windows 10', 'uuid': WIN10, 'state': 'ready', 'route': 'grant',
            'route_reason': 'libvirt does not hot-attach evdev devices', 'reason': '', 'pid': 4711,
            'layers': [{'name': 'namespace', 'state': 'open', 'text': 'the node is there'},
                       {'name': 'dac', 'state': 'open', 'text': 'uid 64055 owns it'},
                       {'name': 'apparmor', 'state': 'absent', 'text': 'AppArmor is not enabled'},
                       {'name': 'cgroup', 'state': 'open', 'text': 'c 13:84 is allowed'}]})

    def test_status_words(self):
        out = self.ok('status').out
        self.assertIn('vfio-inputd 0.1.0\nActive target: host\nHotkey: leftctrl + rightctrl\n', out)
        self.assertRegex(out, r'(?m)^  \*  host +ready +4 switches$')
        self.assertRegex(out, r'(?m)^     win10 +ready +1 switch +hotkey f12 twice$')
        self.assertRegex(out, r'(?m)^     linux +not ready +QEMU is not running$')
        self.assertRegex(out, r'(?m)^  /dev/input/event4 +mouse +1c4f:0002 +Mouse +grabbed$')
        self.assertRegex(out, r'(?m)^  win10 +ready +grant +pid 4711 +domain Windows 10$')
        self.assertNotIn('aused', out)
        self.assertNotIn('\x1b', out)

    def test_status_of_a_double_tap_and_of_no_hotkey(self):
        self.inputd.order(set=[ROOT, 'Toggle', ['leftctrl', 'leftctrl']])
        self.assertIn('Hotkey: leftctrl twice\n', self.ok('status').out)
        self.inputd.order(set=[ROOT, 'Toggle', []])
        self.assertIn('Hotkey: none\n', self.ok('status').out)
        self.assertEqual(self.ok('status', '--json').json()['toggle'], [])

    def test_status_when_paused(self):
        self.inputd.order(set=[ROOT, 'Paused', True])
        self.assertRegex(self.ok('status').out, '(?m)^Paused: .* vfioctl resume$')
        self.assertIs(self.ok('status', '--json').json()['paused'], True)

    def test_device_states(self):
        for state, text in (('waiting', 'waiting for 2 keys to be released'), ('failed', 'failed'),
                            ('busy', 'busy: another program grabs it')):
            self.inputd.order(set=[f'{ROOT}/device/3', 'HeldKeys', 2])
            self.inputd.order(set=[f'{ROOT}/device/3', 'State', state])
            self.assertRegex(self.ok('devices').out, f'(?m)Mouse +{text}$')

    def test_status_without_guestd(self):
        self.guestd.stop()
        self.assertIn('\nGuests\n  vfio-guestd is not running.\n', self.ok('status').out)
        status = self.ok('status', '--json').json()
        self.assertEqual(status['guests'], [])
        self.assertIs(status['guestd']['running'], False)

    def test_status_with_a_silent_guestd(self):
        self.guestd.order(behave={'GetAll': {'hang': True}})
        result = self.ok('status', '--timeout', '0.5')
        self.assertIn('\nGuests\n  vfio-guestd did not answer in time.', result.out)
        status = self.ok('status', '--json', '--timeout', '0.5').json()
        self.assertIn('did not answer', status['guestd']['problem'])
        self.assertIs(status['guestd']['running'], True)

    def test_devices(self):
        out = self.ok('devices').out.splitlines()
        self.assertEqual([out[0], out[3]], ['usb-0000:00:14.0-1', 'usb-0000:00:14.0-2'])
        self.assertRegex(out[1], '^  /dev/input/event3 .*Receiver Keyboard')
        self.assertRegex(out[2], '^  /dev/input/event10 .*Receiver Media')
        self.assertEqual(len(self.ok('devices', '--json').json()['devices']), 3)

    def test_devices_without_phys_are_groups_of_their_own(self):
        for n in (1, 2, 3):
            self.inputd.order(set=[f'{ROOT}/device/{n}', 'Phys', ''])
        groups = {d['group'] for d in self.ok('devices', '--json').json()['devices']}
        self.assertEqual(groups, {'/dev/input/event3', '/dev/input/event4', '/dev/input/event10'})

    def test_no_devices_and_guests(self):
        for n in (1, 2, 3):
            self.inputd.order(remove=f'{ROOT}/device/{n}')
        for name in ('win10', 'linux'):
            self.guestd.order(remove=f'{GUESTS}/guest/{name}')
        self.assertIn('Devices\n  none\n\nGuests\n  none\n', self.ok('status').out)
        self.assertEqual(self.ok('devices', '--json').json(), {'devices': []})
        self.assertEqual(self.run_('devices').err, 'There is no device.\n')
        self.assertEqual(self.run_('guests').err, 'There is no guest.\n')

    def test_guests(self):
        self.assertRegex(self.ok('guests').out, '(?m)^  linux +absent +qmp +QEMU is not running$')
        guests = self.ok('guests', '--json').json()
        self.assertEqual((guests['version'], guests['libvirt'], [g['name'] for g in guests['guests']]),
                         ('0.1.0', 'connected', ['linux', 'win10']))

    def test_guest_by_name(self):
        self.assertEqual(self.ok('guests', 'win10').out, f'''win10
  State:    ready
  Domain:   Windows 10
  UUID:     {WIN10}
  Process:  4711
  Route:    grant
  because:  libvirt does not hot-attach evdev devices
  Layers:
    namespace  open    the node is there
    dac        open    uid 64055 owns it
    apparmor   absent  AppArmor is not enabled
    cgroup     open    c 13:84 is allowed
''')
        self.assertEqual(self.ok('guests', 'linux').out,
                         'linux\n  State:   absent\n  Reason:  QEMU is not running\n  Route:   qmp\n')
        self.assertEqual(self.ok('guests', '--verbose').out,
                         self.ok('guests', 'linux').out + self.ok('guests', 'win10').out)
        guests = self.ok('guests', '--json', 'win10').json()['guests']
        self.assertEqual(guests, [self.ok('guests', '--json').json()['guests'][1]])
        self.fails(1, r'There is no guest "dos"\. \(guests: linux, win10\)', 'guests', 'dos')

    def test_layers_are_looked_at(self):
        """Each time, of those who have any; and where that cannot be done, what was said last is shown."""
        for error in ('org.freedesktop.DBus.Error.UnknownMethod', 'org.vfio.Error.NoSuchGuest'):
            self.guestd.order(behave={'CheckGuest': {'error': error, 'message': 'no'}})
            self.assertNotIn('shut', self.ok('guests', 'win10').out)
        self.guestd.order(behave={})
        self.guestd.order(checked=['win10', [['dac', 'open', 'fine'], ['apparmor', 'shut', 'the rule is missing']]])
        self.assertRegex(self.ok('guests').out, '(?m)^  win10 .* domain Windows 10 +apparmor: the rule is missing$')
        self.guestd.order(checked=['win10', [['apparmor', 'shut', 'once more']]])
        self.assertIn('    apparmor  shut  once more\n', self.ok('guests', 'win10').out)
        self.guestd.order(checked=['win10', [['apparmor', 'open', 'right again']]])
        self.assertEqual(self.ok('guests', '--json').json()['guests'][1]['layers'],
                         [{'name': 'apparmor', 'state': 'open', 'text': 'right again'}])
        self.assertEqual(self.guestd.calls().count('CheckGuest'), 5)

    def test_guest_with_nothing_known(self):
        self.guestd.order(add=[f'{GUESTS}/guest/bare', {'Name': 'bare'}])
        self.assertEqual(self.ok('guests', 'bare').out, 'bare\n')
        bare = self.ok('guests', '--json', 'bare').json()['guests'][0]
        self.assertEqual((bare['layers'], bare['route'], bare['route_reason'], bare['uuid']), ([], '', '', ''))

    def test_layers_of_another_type(self):
        self.guestd.order(set=[f'{GUESTS}/guest/win10', 'Layers', {'string': 'open'}])
        self.assertEqual(self.ok('guests', '--json', 'win10').json()['guests'][0]['layers'],
                         self.ok('guests', '--json', 'linux').json()['guests'][0]['layers'])

    def test_libvirt_out_of_reach(self):
        for libvirt, words in (('absent', ''), ('authentication failed', 'libvirt cannot be reached: authentication failed\n')):
            self.guestd.order(set=[GUESTS, 'Libvirt', libvirt])
            self.assertEqual(self.run_('guests').err, words)
            self.assertEqual(self.ok('guests', '--json').json()['libvirt'], libvirt)

    def test_grants(self):
        path = f'/dev/vfio-inputd/libvirt-{WIN10}/input3'
        self.assertRegex(self.ok('grants').out, rf'^  Windows 10  /dev/input/event20  as {path}  pid 4711\n$')
        self.guestd.order(grant=['linux', GAMEPAD, '/dev/x', 5, [['dac', 'open', 'fine'], ['apparmor', 'shut', 'no rule']]])
        self.assertRegex(self.ok('grants').out, rf'(?m)^  linux +{GAMEPAD} +as /dev/x +pid 5 +apparmor: no rule$')
        grants = self.ok('grants', '--json').json()['grants']
        self.assertEqual(grants[1], {'domain': 'linux', 'node': GAMEPAD, 'path': '/dev/x', 'pid': 5,
                                     'layers': [{'name': 'dac', 'state': 'open', 'text': 'fine'},
                                                {'name': 'apparmor', 'state': 'shut', 'text': 'no rule'}]})
        self.assertEqual((grants[0]['domain'], grants[0]['path'], len(grants[0]['layers'])), ('Windows 10', path, 4))

    def test_no_grants(self):
        self.ok('revoke', 'Windows 10', '/dev/input/event20')
        result = self.ok('grants')
        self.assertEqual((result.out, result.err), ('', 'There is no grant.\n'))
        self.assertEqual(self.ok('grants', '--json').json(), {'grants': []})

    def test_colour(self):
        self.inputd.order(set=[ROOT, 'Paused', True])
        for environment, expected in ((self.bus.environment, True), ({'NO_COLOR': '1'}, False), ({'TERM': 'dumb'}, False)):
            main, terminal = pty.openpty()
            subprocess.run([*VFIOCTL, 'status'], env={**self.bus.environment, **environment}, timeout=LONGEST,
                           stdout=terminal, check=True)
            os.close(terminal)
            out = b''
            while b'\nGuests' not in out:
                out += os.read(main, 65536)
            os.close(main)
            self.assertEqual(b'\x1b[1;31mPaused' in out, expected, environment)
            self.assertEqual(b'\x1b' in out, expected, environment)

    def test_output_that_cannot_be_written(self):
        with open('/dev/full', 'wb') as full:
            done = subprocess.run([*VFIOCTL, 'status'], env=self.bus.environment, timeout=LONGEST, stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'No space left', done.stderr)


class Hostile(WithBus):
    def setUp(self):
        super().setUp()
        self.inputd.order(set=[f'{ROOT}/device/3', 'Name', HOSTILE])

    def assert_safe(self, text):
        unsafe = [c for c in text if c != '\n' and (ord(c) < 32 or 127 <= ord(c) < 160 or 0x202a <= ord(c) <= 0x202e)]
        self.assertEqual(unsafe, [])

    def test_guests_and_grants(self):
        for name in ('State', 'Reason', 'Domain', 'Uuid', 'Route', 'RouteReason'):
            self.guestd.order(set=[f'{GUESTS}/guest/win10', name, HOSTILE])
        self.guestd.order(set=[f'{GUESTS}/guest/win10', 'Layers', [[HOSTILE, HOSTILE, HOSTILE], ['dac', 'shut', HOSTILE]]])
        self.guestd.order(set=[GUESTS, 'Libvirt', HOSTILE])
        self.guestd.order(grant=[HOSTILE, HOSTILE, HOSTILE, 1, [[HOSTILE, 'shut', HOSTILE]]])
        for args in (['guests'], ['guests', 'win10'], ['guests', '--verbose'], ['grants'], ['grant', '--list'],
                     ['revoke', '--list'], ['status']):
            for json_ in ([], ['--json']):
                result = self.ok(*args, *json_)
                self.assert_safe(result.out + result.err)
                self.assertIn('owned', result.out)
        self.assertEqual(self.ok('grants', '--json').json()['grants'][0]['layers'],
                         [{'name': HOSTILE, 'state': 'shut', 'text': HOSTILE}])

    def test_words(self):
        for verb in ('status', 'devices'):
            out = self.ok(verb).out
            self.assert_safe(out)
            self.assertIn('Evil?]0;owned???31m???? "quoted" \\ [a-z]*?END', out)

    def test_json(self):
        for verb in ('status', 'devices'):
            result = self.ok(verb, '--json')
            self.assert_safe(result.out)
            self.assertEqual(result.json()['devices'][2]['name'], HOSTILE)

    def test_identify(self):
        self.inputd.order(behave={'Identify': {'path': f'{ROOT}/device/3'}})
        line = ('{ vendor = 0x1c4f; product = 0x0002; '
                'name = "Evil?]0;owned???31m???? \\"quoted\\" \\\\\\\\ \\\\[a-z]\\\\*?END"; }')
        out = self.ok('devices', '--identify').out
        self.assert_safe(out)
        self.assertIn(line, out)
        self.assertEqual(self.ok('devices', '--identify', '--json').json()['device']['match'], line)

    def test_error_message(self):
        self.inputd.order(behave={'Switch': {'error': 'org.vfio.Error.Failed', 'message': HOSTILE}})
        result = self.run_('switch', 'win10')
        self.assertEqual(result.status, 1)
        self.assert_safe(result.err)

    def test_words_of_the_user(self):
        for word in ('\x1b[31m', b'\xff\xfe'):
            result = self.run_('switch', word)
            self.assertIn(result.status, (1, 2))
            self.assert_safe(result.err)
        self.assertEqual(result.status, 2)

    def test_monitor(self):
        for option in ((), ('--json',)):
            monitor = Monitor(self, self.bus, *option)
            monitor.until('runs' if not option else '"state"', 2)
            self.inputd.order(add=[f'{ROOT}/device/9', {'Name': HOSTILE, 'Node': '/dev/input/event9'}])
            self.assert_safe(monitor.until('Evil'))
            self.inputd.order(remove=f'{ROOT}/device/9')

    def test_properties_of_another_type(self):
        """What is not as in the contract is passed over, not misread."""
        self.inputd.order(add=[f'{ROOT}/device/7', {
            'Name': 'odd', 'Ready': True, 'Vendor': {'string': 'x'}, 'HeldKeys': {'string': 'y'}, 'Product': 5}])
        odd = [d for d in self.ok('status', '--json').json()['devices'] if d['name'] == 'odd']
        self.assertEqual([odd[0][k] for k in ('node', 'vendor', 'held_keys', 'product')], ['', 0, 0, 5])


class Changing(WithBus):
    def test_switch(self):
        self.assertEqual(self.ok('switch', 'win10').out, 'win10\n')
        self.assertEqual(self.ok('switch').out, 'host\n')
        self.assertEqual(self.ok('switch', '--json').json(), {'ok': True, 'active': 'win10'})
        self.assertEqual([c for c in self.inputd.calls() if c in ('Switch', 'Toggle')], ['Switch', 'Toggle', 'Toggle'])

    def test_pause_resume_reload(self):
        for verb, member in (('pause', 'Pause'), ('resume', 'Resume'), ('reload', 'Reload')):
            result = self.ok(verb)
            self.assertEqual(result.out, '')
            self.assertEqual(self.ok(verb, '--json').json(), {'ok': True})
            self.assertEqual(self.inputd.calls().count(member), 2)
        self.assertIn('vfioctl resume', self.run_('pause').err)

    def test_attach_detach(self):
        for verb, member, state in (('detach', 'Detach', 'detached'), ('attach', 'Attach', 'ready')):
            self.assertEqual(self.ok(verb, 'win10', '--json').json(), {'ok': True, 'guest': 'win10'})
            self.assertEqual(self.guestd.calls().count(member), 1)
            self.assertEqual(self.ok('guests', '--json').json()['guests'][1]['state'], state)
            self.assertEqual(self.ok(verb, 'win10').out, '')

    def test_lists(self):
        self.assertEqual(self.ok('switch', '--list').out, 'host\nlinux\nwin10\n')
        self.assertEqual(self.ok('attach', '--list').out, 'linux\nwin10\n')
        self.assertEqual(self.ok('--list', 'detach').out, 'linux\nwin10\n')
        self.assertEqual(self.ok('guests', '--list').out, 'linux\nwin10\n')
        self.assertEqual(self.ok('grant', '--list').out, 'Windows 10\n')
        self.assertEqual(self.ok('grant', '--list', '--json').json(), ['Windows 10'])
        self.assertEqual(self.ok('revoke', '--list').out, 'Windows 10\n')
        for node in ('/a', '/b'):
            self.guestd.order(grant=['linux', node, '/c', 1, []])
        self.assertEqual(self.ok('revoke', '--list', '--json').json(), ['Windows 10', 'linux'])
        self.assertEqual(self.ok('switch', '--list', '--json').json()[0]['name'], 'host')
        self.assertEqual(set(self.inputd.calls()), {'GetAll', 'GetManagedObjects'})

    def test_identify(self):
        result = self.run_('devices', '--identify')
        self.assertEqual(result.status, 0)
        self.assertEqual(result.err, 'Press a key or a button on the device…\n')
        self.assertIn('\n  { vendor = 0x046d; product = 0xc52b; name = "Receiver Keyboard"; }\n', result.out)
        self.assertRegex(result.out, r'other nodes[^{]*\{ .*name = "Receiver Media"; \}\n$')
        found = self.ok('devices', '--identify', '--json').json()
        self.assertEqual(found['device']['node'], '/dev/input/event3')
        self.assertEqual([s['name'] for s in found['siblings']], ['Receiver Media'])

    def test_identify_twins(self):
        """Two devices that differ only in where they are plugged in are told apart by phys."""
        self.inputd.order(set=[f'{ROOT}/device/3', 'Vendor', 0x046d])
        self.inputd.order(set=[f'{ROOT}/device/3', 'Product', 0xc52b])
        self.inputd.order(set=[f'{ROOT}/device/3', 'Name', 'Receiver Keyboard'])
        self.assertIn('name = "Receiver Keyboard"; phys = "usb-0000:00:14.0-1/input0"; }',
                      self.ok('devices', '--identify').out)

    def test_identified_and_gone(self):
        self.inputd.order(behave={'Identify': {'path': f'{ROOT}/device/77'}})
        self.fails(1, 'The device has gone again', 'devices', '--identify')

    def test_identify_has_time(self):
        """It waits longer than sd-bus does by itself, which is as long as the daemon takes."""
        self.inputd.order(behave={'Identify': {'hang': True}})
        vfioctl = Process(self, [*VFIOCTL, 'devices', '--identify'], dict(self.bus.environment, SYSTEMD_BUS_TIMEOUT='1'),
                          stderr=subprocess.DEVNULL)
        self.inputd.order(wait='Identify')
        with self.assertRaises(subprocess.TimeoutExpired):
            vfioctl.popen.wait(2)
        self.inputd.order(release='Identify')
        self.assertEqual(vfioctl.popen.wait(LONGEST), 0)

    def test_password(self):
        """polkit may ask for one, unless the user does not want that."""
        for verb, member in (('pause', 'Pause'), ('switch', 'Toggle')):
            self.ok(verb)
            self.assertEqual(self.inputd.order(interactive=member), 'true')
            self.ok('--no-ask-password', verb)
            self.assertEqual(self.inputd.order(interactive=member), 'false')


class Granting(WithBus):
    PATH = f'/dev/vfio-inputd/libvirt-{WIN10}/input9'

    def nodes(self):
        return [g['node'] for g in self.ok('grants', '--json').json()['grants']]

    def on_terminal(self, typed, *args):
        """What it does for a user at a terminal, whose answer is there already: status, stdout, stderr."""
        main, terminal = pty.openpty()
        os.write(main, typed)
        done = subprocess.run([*VFIOCTL, *args], env=self.bus.environment, timeout=LONGEST, stdin=terminal,
                              stdout=subprocess.PIPE, stderr=terminal, check=False)
        os.close(terminal)
        shown = b''
        while True:
            try:
                more = os.read(main, 65536)
            except OSError:  # the end, as Linux has it
                break
            shown += more
        os.close(main)
        return done.returncode, done.stdout.decode(), shown.decode()

    def test_grant(self):
        for domain in ('Windows 10', WIN10):
            result = self.ok('grant', domain, GAMEPAD)
            self.assertEqual((result.out, result.err), (f'{self.PATH}\n', ''))
        self.assertEqual(self.ok('grant', 'linux', GAMEPAD, '--json').json(), {'ok': True, 'path': self.PATH})
        self.assertEqual(self.nodes(), ['/dev/input/by-id/usb-Pad-event-joystick', '/dev/input/event20', GAMEPAD])

    def test_relative_node(self):
        """The daemon has another working directory."""
        os.mkdir(f'{self.bus.folder}/by-id')
        done = subprocess.run([*VFIOCTL, 'grant', 'linux', 'by-id/pad'], env=self.bus.environment, timeout=LONGEST,
                              stdout=subprocess.PIPE, cwd=self.bus.folder, check=True)
        self.assertEqual(done.stdout.decode(), f'{self.PATH}\n')
        self.assertEqual(self.nodes()[1], f'{self.bus.folder}/by-id/pad')

    def test_revoke(self):
        for node in (GAMEPAD, self.PATH):
            self.ok('grant', 'Windows 10', GAMEPAD)
            result = self.ok('revoke', 'Windows 10', node)
            self.assertEqual((result.out, result.err), ('', f'Windows 10 can no longer open {node}.\n'))
            self.assertEqual(self.nodes(), ['/dev/input/event20'])
        self.assertEqual(self.ok('revoke', WIN10, '/dev/input/event20', '--json').json(), {'ok': True})
        self.fails(1, 'is not granted', 'revoke', 'Windows 10', '/dev/input/event20')

    def test_in_use_without_a_terminal(self):
        result = self.fails(4, re.escape('The host uses /dev/input/event3: vfio-inputd has grabbed it. '
                                         'To give it to linux all the same: --in-use'),
                            'grant', 'linux', '/dev/input/event3')
        self.assertEqual(result.json()['error'], 'org.vfio.Error.InUse')
        self.assertEqual(self.ok('grant', 'linux', '/dev/input/event3', '--in-use').out, f'{self.PATH}\n')

    def test_in_use_on_a_terminal(self):
        question = ('The host uses /dev/input/event3: vfio-inputd has grabbed it. '
                    'Give it to linux all the same? [y/N] ')
        for typed in (b'n\n', b'\n', b'yellow\n', b'\x04'):
            status, out, shown = self.on_terminal(typed, 'grant', 'linux', '/dev/input/event3')
            self.assertEqual((status, out), (4, ''), typed)
            self.assertIn(question, shown)
            self.assertIn('Nothing was granted.', shown)
        self.assertEqual(self.guestd.calls().count('Grant'), 0)
        for typed in (b'y\n', b'YES\n'):
            status, out, shown = self.on_terminal(typed, 'grant', 'linux', '/dev/input/event3')
            self.assertEqual((status, out), (0, f'{self.PATH}\n'), typed)
            self.assertIn(question, shown)

    def test_no_needless_question(self):
        for args in (['linux', GAMEPAD], ['linux', '/dev/input/event3', '--in-use']):
            status, out, shown = self.on_terminal(b'', 'grant', *args)
            self.assertEqual((status, out, shown), (0, f'{self.PATH}\n', ''))
        status, out, shown = self.on_terminal(b'y\n', 'grant', 'linux', '/dev/input/event3', '--json')
        self.assertEqual((status, json.loads(out)['ok']), (4, False))
        self.assertNotIn('[y/N]', shown)

    def test_of_another_guest(self):
        """It stays refused, however much the user wants it."""
        self.guestd.order(behave={'Grant': {'error': 'org.vfio.Error.InUse', 'message': 'It belongs to guest win.'}})
        self.fails(4, 'It belongs to guest win.$', 'grant', 'linux', '/dev/input/event3', '--in-use')
        status, out, shown = self.on_terminal(b'y\n', 'grant', 'linux', '/dev/input/event3')
        self.assertEqual((status, out), (4, ''))
        self.assertIn('vfioctl: It belongs to guest win.', shown)

    def test_errors(self):
        self.fails(1, "no running domain 'dos'", 'grant', 'dos', GAMEPAD)
        for name, status in (('NoSuchNode', 1), ('Failed', 1), ('NotReady', 4)):
            self.guestd.order(behave={'Grant': {'error': f'org.vfio.Error.{name}', 'message': 'apparmor: it is so'}})
            self.fails(status, 'apparmor: it is so', 'grant', 'linux', GAMEPAD)
        denied = {'error': 'org.freedesktop.DBus.Error.AccessDenied', 'message': 'no'}
        self.guestd.order(behave={'Grant': denied, 'Revoke': denied})
        self.fails(4, 'Not authorised', 'grant', 'linux', GAMEPAD)
        self.fails(4, 'Not authorised', 'revoke', 'Windows 10', '/dev/input/event20')
        for member, args in (('Grant', ['grant', 'linux', GAMEPAD]), ('ListGrants', ['grants']),
                             ('Revoke', ['revoke', 'Windows 10', '/dev/input/event20']), ('ListGrants', ['revoke', '--list'])):
            self.guestd.order(behave={member: {'hang': True}})
            self.fails(3, 'vfio-guestd did not answer in time', *args, '--timeout', '0.2')

    def test_password(self):
        for args, member in ((['grant', 'linux', GAMEPAD], 'Grant'), (['revoke', 'linux', GAMEPAD], 'Revoke')):
            self.ok(*args)
            self.assertEqual(self.guestd.order(interactive=member), 'true')
        self.ok('--no-ask-password', 'grant', 'linux', GAMEPAD)
        self.assertEqual(self.guestd.order(interactive='Grant'), 'false')


class Errors(WithBus):
    DBUS = 'org.freedesktop.DBus.Error.'
    VFIO = 'org.vfio.Error.'

    CALLS = (('switch', 'Toggle'), ('pause', 'Pause'), ('resume', 'Resume'), ('reload', 'Reload'))

    def check(self, error, status, pattern, message='It is so.'):
        for verb, member in self.CALLS:
            self.inputd.order(behave={member: {'error': error, 'message': message}})
            result = self.fails(status, pattern, verb)
            self.assertEqual(result.json()['error'], error)

    def test_refused(self):
        self.check(self.VFIO + 'NotReady', 4, r'It is so\.$')
        self.check(self.VFIO + 'Paused', 4, 'It is so. Resume with: vfioctl resume')
        self.check(self.DBUS + 'AccessDenied', 4, r'Not authorised: It is so\. Try')
        self.check(self.DBUS + 'AccessDenied', 4, r'Not authorised: no\. Try', message='no')
        self.check(self.DBUS + 'InteractiveAuthorizationRequired', 4, 'password')

    def test_failed(self):
        for name in ('Failed', 'Busy', 'TimedOut', 'InvalidConfiguration', 'NeverHeardOf'):
            self.check(self.VFIO + name, 1, r'It is so\.$')
        self.check(self.DBUS + 'InvalidArgs', 1, 'It is so')
        self.check(self.DBUS + 'UnknownMethod', 1, 'different versions')
        self.check(self.DBUS + 'Failed', 1, 'org.freedesktop.DBus.Error.Failed', message='')

    def test_reload_names_the_line(self):
        where = '/etc/vfio-inputd.conf:12: "leftctrll" is no key, a name such as "leftctrl" was expected'
        self.inputd.order(behave={'Reload': {'error': self.VFIO + 'InvalidConfiguration', 'message': where}})
        self.fails(1, re.escape(where), 'reload')

    def test_no_such_target(self):
        self.fails(1, r'there is no target "dos" \(targets: host, linux, win10\)', 'switch', 'dos')

    def test_no_such_guest(self):
        for verb in ('attach', 'detach'):
            self.fails(1, r'there is no guest "dos" \(guests: linux, win10\)', verb, 'dos')

    def test_attach_not_ready(self):
        self.guestd.order(behave={'Attach': {'error': self.VFIO + 'NotReady', 'message': 'QEMU is not running'}})
        self.fails(4, 'QEMU is not running', 'attach', 'linux')

    def test_daemon_that_never_answers(self):
        for verb, member in self.CALLS + (('status', 'GetAll'), ('devices', 'GetManagedObjects')):
            self.inputd.order(behave={member: {'hang': True}})
            self.fails(3, 'vfio-inputd did not answer in time', verb, '--timeout', '0.2')
        self.inputd.order(behave={'Identify': {'hang': True}})
        self.fails(3, 'vfio-inputd did not answer in time', '--timeout=0.2', 'devices', '--identify')
        self.guestd.order(behave={'Attach': {'hang': True}})
        self.fails(3, 'vfio-guestd did not answer in time', 'attach', 'win10', '--timeout', '0.2')

    def test_daemon_that_dies(self):
        """In the middle of a call, and in the middle of two that belong together."""
        for args, member in ((['switch'], 'Toggle'), (['switch', 'win10'], 'Switch'), (['pause'], 'Pause'),
                             (['status'], 'GetAll'), (['status'], 'GetManagedObjects'),
                             (['devices', '--identify'], 'Identify')):
            self.inputd.order(behave={member: {'die': True}})
            result = self.run_(*args)
            self.assertEqual((result.status, result.out), (3, ''), args)
            self.assertIn('vfio-inputd ended without an answer', result.err)
            self.inputd.stop()
            self.inputd = Fake(self, self.bus, 'inputd')

    def test_switch_and_then_gone(self):
        """What was asked for is done; that the daemon ends after that is no failure of it."""
        self.inputd.order(behave={'GetAll': {'die': True}})
        self.assertEqual(self.ok('switch', 'win10').out, 'win10\n')

    def test_no_such_target_and_then_gone(self):
        self.inputd.order(behave={'GetAll': {'die': True}})
        result = self.run_('switch', 'dos')
        self.assertEqual((result.status, result.err), (1, 'vfioctl: there is no target "dos"\n'))


class Absent(WithBus):
    services = ()

    def test_inputd(self):
        for args in (['status'], ['switch'], ['switch', 'win10'], ['switch', '--list'], ['devices'],
                     ['devices', '--identify'], ['pause'], ['resume'], ['reload']):
            self.fails(3, 'vfio-inputd is not running.*systemctl enable --now vfio-inputd.service', *args)

    def test_guestd(self):
        for args in (['guests'], ['attach', 'win10'], ['detach', 'win10'], ['attach', '--list'], ['grants'],
                     ['grant', 'win10', GAMEPAD], ['revoke', 'win10', GAMEPAD], ['grant', '--list']):
            self.fails(3, 'vfio-guestd is not running.*systemctl start vfio-guestd.service', *args)

    def test_no_bus(self):
        environment = dict(self.bus.environment, DBUS_SYSTEM_BUS_ADDRESS=f'unix:path={self.bus.folder}/nothing')
        for verb in ('status', 'switch', 'devices', 'guests', 'monitor', 'pause', 'resume', 'reload'):
            self.fails(3, 'There is no system bus', verb, environment=environment)

    def test_bus_that_never_answers(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f'{self.bus.folder}/silent')
            listener.listen()
            environment = dict(self.bus.environment, DBUS_SYSTEM_BUS_ADDRESS=f'unix:path={self.bus.folder}/silent')
            self.fails(3, 'The system bus does not answer', 'status', '--timeout', '0.2', environment=environment)


class Activation(unittest.TestCase):
    """What may be started by asking, and what may not."""

    run_, fails, ok = WithBus.run_, WithBus.fails, WithBus.ok

    def setUp(self):
        start = f'{sys.executable} {FAKE}'
        self.bus = Bus(self, services=[('org.vfio.Inputd1', f'{start} inputd'), ('org.vfio.Guestd1', f'{start} guestd')])

    def running(self):
        connection = dbus.bus.BusConnection(self.bus.environment['DBUS_SYSTEM_BUS_ADDRESS'])
        names = [str(n) for n in connection.list_names() if n.startswith('org.vfio')]
        connection.close()
        return names

    def test_reading_starts_nothing(self):
        for verb in ('status', 'devices', 'switch'):
            self.fails(3, 'vfio-inputd is not running', verb)
        for args in (['guests'], ['grants'], ['grant', '--list'], ['revoke', '--list']):
            self.fails(3, 'vfio-guestd is not running', *args)
        monitor = Monitor(self, self.bus)
        monitor.until('does not run', 2)
        self.assertEqual(monitor.end(), 0)
        self.assertEqual(self.running(), [])

    def test_attach_starts_guestd(self):
        self.ok('attach', 'win10')
        self.assertEqual(self.running(), ['org.vfio.Guestd1'])

    def test_grant_starts_guestd(self):
        self.ok('grant', 'linux', GAMEPAD)
        self.assertEqual(self.running(), ['org.vfio.Guestd1'])

    def test_guestd_that_cannot_be_started(self):
        self.bus.stop()
        self.bus = Bus(self, services=[('org.vfio.Guestd1', shutil.which('false'))])
        self.fails(3, 'vfio-guestd could not be started', 'attach', 'win10')


class Denied(WithBus):
    """A bus that keeps its users from the daemon, as the system bus keeps some."""

    def setUp(self):
        self.bus = Bus(self, policy='<deny send_destination="org.vfio.Inputd1"/>')
        self.inputd = Fake(self, self.bus, 'inputd')

    def test_reading_and_changing(self):
        for verb in ('status', 'devices', 'switch', 'pause'):
            self.fails(4, 'Not authorised', verb)

    def test_monitor_says_so(self):
        monitor = Monitor(self, self.bus)
        self.assertIn('vfio-inputd does not say what its state is', monitor.until('vfio-inputd'))
        self.assertEqual(monitor.end(), 0)


class Usage(WithBus):
    services = ()

    def test_wrong(self):
        for args, pattern in (([], 'verb is missing'), (['fly'], 'no verb "fly"'), (['switch', 'a', 'b'], 'too many.*"b"'),
                              (['status', 'x'], 'too many'), (['attach'], '"attach" wants a GUEST'),
                              (['status', '--identify'], 'no option --identify'), (['devices', '--list'], 'no option'),
                              (['grant'], '"grant" wants DOMAIN NODE'), (['grant', 'x'], '"grant" wants DOMAIN NODE'),
                              (['revoke', 'x'], '"revoke" wants DOMAIN NODE'), (['revoke', 'x', 'y', '--in-use'], 'no option'),
                              (['guests', 'x', 'y'], 'too many'), (['grants', 'x'], 'too many'), (['status', '--verbose'], 'no option'),
                              (['grant', 'x', b'\xff'], 'no UTF-8'), (['grant', 'x', 'y', '--list'], 'too many'),
                              (['attach', 'x', '--list'], 'too many'), (['--bogus', 'status'], 'bogus'),
                              (['status', '--timeout'], 'timeout'), (['help', 'fly'], 'no verb "fly"')):
            result = self.run_(*args)
            self.assertEqual((result.status, result.out), (2, ''), args)
            self.assertRegex(result.err, pattern)
        for timeout in ('0', '-1', 'x', '1x', '', 'nan', 'inf', '1e9'):
            self.assertIn('--timeout wants', self.run_('status', f'--timeout={timeout}').err)

    def test_options_stand_anywhere(self):
        for posix in ({}, {'POSIXLY_CORRECT': '1'}):
            for args in (['--timeout', '5', 'guests', '--json'], ['guests', '--json', '--timeout=5']):
                result = self.run_(*args, environment={**self.bus.environment, **posix})
                self.assertEqual((result.status, result.json()['ok']), (3, False))

    def test_two_dashes_end_options(self):
        self.assertIn('vfio-inputd is not running', self.run_('switch', '--', '--help').err)

    def test_help_and_version_need_no_bus(self):
        environment = {'DBUS_SYSTEM_BUS_ADDRESS': 'unix:path=/nonexistent'}
        for args in (['help'], ['--help'], ['-h'], ['--version'], ['help', 'switch'], ['switch', '--help']):
            result = self.run_(*args, environment=environment)
            self.assertEqual((result.status, result.err), (0, ''))
        self.assertRegex(self.run_('--version').out, r'^vfioctl \d+\.\d+')
        self.assertEqual(self.run_('help').out, self.run_('--help').out)
        self.assertEqual(self.run_('help', 'switch').out, self.run_('switch', '--help').out)


class Monitor(Process):
    def __init__(self, test, bus, *options):
        super().__init__(test, [*VFIOCTL, 'monitor', *options], bus.environment, stderr=subprocess.PIPE)

    def until(self, text, times=1):
        """The line that has the text; passes over others."""
        while times:
            line = self.lines.next()
            times -= text in line
        return line

    def event(self):
        event = json.loads(self.lines.next())
        if not re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}', event.pop('time')):
            raise AssertionError('no time')
        return event

    def end(self, how=signal.SIGTERM):
        self.popen.send_signal(how)
        return self.popen.wait(LONGEST)


class Monitoring(WithBus):
    def start(self, *options):
        monitor = Monitor(self, self.bus, '--json', *options)
        first = sorted((monitor.event() for _ in range(2)), key=lambda e: e['service'])
        self.assertEqual(first[0], {'event': 'state', 'service': 'guestd', 'version': '0.1.0'})
        self.assertEqual(first[1], {'event': 'state', 'service': 'inputd', 'version': '0.1.0', 'active': 'host',
                                    'paused': 'no'})
        return monitor

    def expect(self, monitor, event, service='inputd', **fields):
        self.assertEqual(monitor.event(), {'event': event, 'service': service, **fields})

    def test_signals(self):
        monitor = self.start()
        self.inputd.order(signal=['Switched', 'sss', ['host', 'win10', 'hotkey']])
        self.expect(monitor, 'switched', **{'from': 'host', 'to': 'win10', 'reason': 'hotkey'})
        self.inputd.order(signal=['SwitchRefused', 'ss', ['linux', 'QEMU is not running']])
        self.expect(monitor, 'switch-refused', target='linux', reason='QEMU is not running')
        self.inputd.order(signal=['Reloaded', '', []])
        self.expect(monitor, 'reloaded')
        self.guestd.order(signal=['GuestChanged', 'sss', ['linux', 'connecting', 'waiting for QEMU']])
        self.expect(monitor, 'guest-changed', 'guestd', guest='linux', state='connecting', reason='waiting for QEMU')
        self.guestd.order(signal=['GrantsChanged', '', []])
        self.expect(monitor, 'grants-changed', 'guestd')
        self.inputd.order(signal=['Switched', 'ss', ['of another', 'signature']])
        self.inputd.order(signal=['Reloaded', '', []])
        self.expect(monitor, 'reloaded')
        self.assertEqual(monitor.end(), 0)

    def test_properties(self):
        monitor = self.start()
        self.ok('pause')
        self.expect(monitor, 'paused')
        self.inputd.order(change=[ROOT, 'Paused', True])  # no change, no line
        self.ok('resume')
        self.expect(monitor, 'resumed')
        path = f'{ROOT}/target/linux'
        self.inputd.order(change=[path, 'Reason', 'QEMU does not answer'])
        self.expect(monitor, 'target-not-ready', name='linux', reason='QEMU does not answer')
        self.inputd.order(change=[path, 'Switches', 3])
        self.inputd.order(change=[path, 'Ready', True])
        self.expect(monitor, 'target-ready', name='linux')
        self.inputd.order(change=[path, 'Ready', False])
        self.expect(monitor, 'target-not-ready', name='linux', reason='QEMU does not answer')

    def test_objects(self):
        monitor = self.start()
        path = f'{ROOT}/device/9'
        properties = {'Name': 'Late Keyboard', 'Node': '/dev/input/event9'}
        for _ in range(2):
            self.inputd.order(add=[path, properties])
            self.inputd.order(add=[path, properties])  # known already, no line
            self.expect(monitor, 'device-added', name='Late Keyboard', node='/dev/input/event9')
            self.inputd.order(remove=path)
            self.expect(monitor, 'device-removed', name='Late Keyboard', node='/dev/input/event9')
        self.inputd.order(remove=f'{ROOT}/target/win10')
        self.expect(monitor, 'target-removed', name='win10')
        self.inputd.order(add=[f'{ROOT}/target/bsd', {'Name': 'bsd', 'Kind': 'guest', 'Ready': False, 'Reason': 'new'}])
        self.expect(monitor, 'target-added', name='bsd')
        self.inputd.order(change=[f'{ROOT}/target/bsd', 'Ready', True])
        self.expect(monitor, 'target-ready', name='bsd')
        self.guestd.order(add=[f'{GUESTS}/guest/bsd', {'Name': 'bsd', 'State': 'absent'}])
        self.expect(monitor, 'guest-added', 'guestd', name='bsd')

    def test_restart(self):
        monitor = self.start()
        for how in (self.inputd.popen.terminate, self.inputd.popen.kill):
            self.inputd.stop()
            self.expect(monitor, 'stopped')
            self.inputd = Fake(self, self.bus, 'inputd')
            self.expect(monitor, 'started')
            self.assertEqual(monitor.event()['event'], 'state')
            self.inputd.order(signal=['Reloaded', '', []])
            self.expect(monitor, 'reloaded')
        self.inputd.order(remove=f'{ROOT}/device/1')
        self.assertEqual(monitor.event()['event'], 'device-removed')
        self.assertEqual(monitor.end(signal.SIGINT), 0)

    def test_first_start(self):
        self.inputd.stop()
        self.guestd.stop()
        monitor = Monitor(self, self.bus)
        monitor.until('vfio-inputd does not run')
        monitor.until('vfio-guestd does not run')
        self.inputd = Fake(self, self.bus, 'inputd')
        self.assertRegex(monitor.lines.next(), r'^\d\d:\d\d:\d\d vfio-inputd started$')
        self.assertRegex(monitor.lines.next(), r' vfio-inputd 0\.1\.0 runs, active target host, 3 devices$')

    def test_words(self):
        monitor = Monitor(self, self.bus)
        monitor.until('runs', 2)
        self.ok('switch', 'win10')
        self.assertRegex(monitor.lines.next(), r'^\d\d:\d\d:\d\d switched from host to win10: request$')
        self.inputd.order(signal=['SwitchRefused', 'ss', ['', 'there is no guest']])
        self.assertRegex(monitor.lines.next(), ' switch refused: there is no guest$')
        self.ok('pause')
        self.assertRegex(monitor.lines.next(), ' paused, .*vfioctl resume$')

    def test_silent_daemon(self):
        """It cannot say what its state is, but what it signals counts, and dying ends nothing."""
        self.inputd.order(behave={'GetManagedObjects': {'hang': True}})
        monitor = Monitor(self, self.bus, '--timeout', '0.3')
        monitor.until('vfio-inputd does not say what its state is')
        self.inputd.order(signal=['Reloaded', '', []])
        self.inputd.order(change=[ROOT, 'Paused', True])
        monitor.until('a new configuration')
        self.inputd.stop()
        self.assertIn('stopped', monitor.until('vfio-inputd'))
        self.assertEqual(monitor.end(), 0)

    def test_changes_while_loading(self):
        """A signal that comes before the replies is in them, and makes no line of its own."""
        self.inputd.order(behave={'GetManagedObjects': {'hang': True}})
        monitor = Monitor(self, self.bus)
        monitor.until('vfio-guestd')
        self.inputd.order(wait='GetManagedObjects')
        self.inputd.order(add=[f'{ROOT}/device/9', {'Name': 'early', 'Node': '/dev/input/event9'}])
        self.inputd.order(release='GetManagedObjects')
        self.assertIn('vfio-inputd 0.1.0 runs', monitor.lines.next())

    def test_stranger(self):
        """A signal that somebody else sends directly to the monitor is no event."""
        monitor = self.start()
        stranger = dbus.bus.BusConnection(self.bus.environment['DBUS_SYSTEM_BUS_ADDRESS'])
        daemon = stranger.get_object('org.freedesktop.DBus', '/org/freedesktop/DBus')
        for name in stranger.list_names():
            if not name.startswith(':') or name == stranger.get_unique_name():
                continue
            message = dbus.lowlevel.SignalMessage(ROOT, 'org.vfio.Inputd1.Manager', 'Switched')
            message.set_destination(name)
            message.append('host', 'evil', 'believe me', signature='sss')
            stranger.send_message(message)
        daemon.GetId(dbus_interface='org.freedesktop.DBus')  # the bus has passed them on
        stranger.close()
        self.inputd.order(signal=['Reloaded', '', []])
        self.expect(monitor, 'reloaded')

    def test_reader_gone(self):
        """Noticed at once, not only at the next line."""
        monitor = self.start()
        monitor.popen.stdout.close()
        self.assertEqual(monitor.popen.wait(LONGEST), 0)
        self.assertEqual(monitor.popen.stderr.read(), b'')

    def test_nobody_reads(self):
        self.inputd.stop()  # so that the first line comes before all else
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*VFIOCTL, 'monitor'], env=self.bus.environment, timeout=LONGEST, stdout=writer,
                              stderr=subprocess.PIPE, check=False)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (0, b''))

    def test_disk_full(self):
        with open('/dev/full', 'wb') as full:
            done = subprocess.run([*VFIOCTL, 'monitor'], env=self.bus.environment, timeout=LONGEST, stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'Cannot write', done.stderr)

    def test_into_a_file(self):
        with open(f'{self.bus.folder}/out', 'wb') as file:
            popen = subprocess.Popen([*VFIOCTL, 'monitor'], env=self.bus.environment, stdout=file)
        self.inputd.order(behave={'GetManagedObjects': {'hang': True}})
        self.inputd.order(wait='GetManagedObjects')
        popen.terminate()
        self.assertEqual(popen.wait(LONGEST), 0)

    def test_bus_gone(self):
        monitor = self.start()
        self.bus.stop()
        self.assertEqual(monitor.popen.wait(LONGEST), 3)
        self.assertIn(b'The connection to the system bus was lost', monitor.popen.stderr.read())


class Agreement(WithBus):
    """The table of verbs, of which --help is printed; the man page; the completion."""

    def setUp(self):
        super().setUp()
        text = self.ok('help').out
        self.verbs = dict(re.findall(r'(?m)^  ([a-z]+) ((?:\[?[A-Z]+\]?(?:\.\.\.)?(?: [A-Z]+\b)?)?) +[A-Z][a-z]',
                                     text.split('Options:')[0]))
        self.common = set(re.findall(r'(?m)^  .{4}--([a-z-]+)', text))
        self.own = {}
        for verb in set(self.verbs) - FOREIGN:
            own = re.search(rf'(?ms)^Options of {verb}:\n(.*?)\n\n', self.ok(verb, '--help').out)
            self.own[verb] = set(re.findall(r'--([a-z-]+)', own.group(1))) if own else set()
        self.man = read_source('doc', 'vfioctl.1.rst')

    def section(self, title):
        return re.search(rf'(?ms)^{title}\n=+\n(.*?)(?=^[A-Z ]+\n===|\Z)', self.man).group(1)

    def test_table_is_what_was_agreed(self):
        self.assertEqual(list(self.verbs), ['status', 'switch', 'devices', 'guests', 'attach', 'detach', 'grant', 'revoke',
                                            'grants', 'monitor', 'pause', 'resume', 'reload', 'doctor', 'setup', 'help'])
        self.assertEqual(self.common, {'json', 'no-ask-password', 'timeout', 'help', 'version'})
        self.assertEqual({v: o for v, o in self.own.items() if o},
                         {'devices': {'identify'}, 'guests': {'list', 'verbose'}, 'grant': {'list', 'in-use'},
                          **{v: {'list'} for v in ('switch', 'attach', 'detach', 'revoke')}})

    def test_one_file_for_each_verb(self):
        for verb in self.verbs:
            self.assertIn(f'enum outcome verb_{verb}(', read_source('client', f'{verb}.c'))

    def test_man_verbs(self):
        section = self.section('VERBS')
        documented = re.findall(r'(?m)^\*\*([a-z]+)\*\*(?: (.+))?$', section)
        self.assertEqual([(v, a.replace('*', '')) for v, a in documented], list(self.verbs.items()))
        for verb, own in self.own.items():
            paragraph = re.search(rf'(?ms)^\*\*{verb}\*\*(.*?)(?=^\*\*|\Z)', section).group(1)
            self.assertEqual(set(re.findall(r'``--([a-z-]+)``', paragraph)), own, verb)

    def test_man_options(self):
        documented = re.findall(r'(?m)^(?:-h, )?--([a-z-]+)', self.section('OPTIONS'))
        self.assertEqual(sorted(documented), sorted(self.common.union(*self.own.values())))

    def test_man_exit_status(self):
        self.assertEqual(re.findall(r'(?m)^(\d)$', self.section('EXIT STATUS')), list('01234'))
        self.assertEqual(re.findall(r'(\d) [a-z]', self.ok('help').out.split('Exit status:')[1].split('.')[0]),
                         list('01234'))

    def keys(self, value):
        if isinstance(value, list):
            return set().union(*map(self.keys, value))
        if isinstance(value, dict):
            return set(value).union(*map(self.keys, value.values()))
        return set()

    def test_man_json_keys(self):
        printed = set()
        for args in (['status'], ['devices'], ['devices', '--identify'], ['guests'], ['switch'], ['attach', 'win10'],
                     ['grant', 'linux', GAMEPAD], ['grants']):
            printed |= self.keys(self.ok(*args, '--json').json())
        printed |= self.keys(self.run_('switch', 'dos', '--json').json())
        documented = set(re.findall(r'``([a-z_]+)``', self.section('JSON'))) - {'inputd'}
        self.assertEqual(printed, documented)

    def test_man_events(self):
        source = read_source('client', 'watch.c')
        printed = set(re.findall(r'EVENT\(w, (?:now->paused \? )?"([a-z-]+)"', source)) | {'resumed'}
        printed |= {f'{kind}-{what}' for kind in ('device', 'target', 'guest') for what in ('added', 'removed')}
        lines = re.findall(r'(?m)^(``.*``)$', self.section('EVENTS'))
        self.assertEqual(set(re.findall(r'``([a-z-]+)``', ' '.join(lines))), printed)

    def complete(self, *words, by_id=None):
        script = '''
            source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _vfioctl
            printf '%s\\n' "${COMPREPLY[@]}"
        '''
        wrapper = f'{self.bus.folder}/vfioctl'
        with open(wrapper, 'w', encoding='utf-8') as file:
            file.write(f'#!/bin/sh\nexec {shlex.join(VFIOCTL)} "$@"\n')
        os.chmod(wrapper, 0o755)
        completion = read_source('client', 'vfioctl.bash-completion')
        with open(f'{self.bus.folder}/completion', 'w', encoding='utf-8') as file:
            file.write(completion.replace('/dev/input/by-id', by_id) if by_id else completion)
        done = subprocess.run(['bash', '-c', script, 'bash', f'{self.bus.folder}/completion',
                               wrapper, *words], env=self.bus.environment, stdout=subprocess.PIPE, timeout=LONGEST,
                              check=True)
        return set(done.stdout.decode().split('\n')) - {''}

    def test_completion_verbs_and_options(self):
        self.assertEqual(self.complete(''), set(self.verbs))
        self.assertEqual(self.complete('--json', 're'), {'resume', 'reload', 'revoke'})
        self.assertEqual(self.complete('help', ''), set(self.verbs))
        self.assertEqual(self.complete('-'), {f'--{o}' for o in self.common})
        for verb, own in self.own.items():
            self.assertEqual(self.complete(verb, '-'), {f'--{o}' for o in self.common | own})
        self.assertEqual(self.complete('--timeout', ''), set())
        self.assertEqual(self.complete('--timeout', '3', 'sw'), {'switch'})

    def test_completion_names(self):
        self.assertEqual(self.complete('switch', ''), {'host', 'win10', 'linux'})
        self.assertEqual(self.complete('switch', '--json', 'w'), {'win10'})
        self.assertEqual(self.complete('attach', ''), {'win10', 'linux'})
        self.assertEqual(self.complete('detach', 'l'), {'linux'})
        self.assertEqual(self.complete('guests', ''), {'win10', 'linux'})
        for verb in ('grant', 'revoke'):
            self.assertEqual(self.complete(verb, ''), {'Windows\\ 10'})

    def test_completion_nodes(self):
        by_id = f'{self.bus.folder}/by-id'
        os.mkdir(by_id)
        for verb in ('grant', 'revoke'):
            self.assertEqual(self.complete(verb, 'linux', '', by_id=by_id), set())
        nodes = {f'{by_id}/{n}' for n in ('usb-Pad-event-joystick', 'usb-Mouse-event-mouse')}
        for node in nodes:
            with open(node, 'wb'):
                pass
        for verb in ('grant', 'revoke'):
            self.assertEqual(self.complete(verb, 'linux', '', by_id=by_id), nodes)
            self.assertEqual(self.complete(verb, '--json', 'linux', f'{by_id}/usb-P', by_id=by_id),
                             {f'{by_id}/usb-Pad-event-joystick'})
            self.assertEqual(self.complete(verb, 'linux', f'{by_id}/x', '', by_id=by_id), set())

    def test_completion_of_what_takes_one(self):
        self.assertEqual(self.complete('switch', 'host', ''), set())
        self.assertEqual(self.complete('status', ''), set())

    def test_completion_is_not_executed(self):
        self.inputd.order(set=[f'{ROOT}/target/linux', 'Name', '$(touch$IFS"$HOME")`x`'])
        self.assertIn("\\$\\(touch\\$IFS\\\"\\$HOME\\\"\\)\\`x\\`", self.complete('switch', ''))


if __name__ == '__main__':
    unittest.main(verbosity=2)
