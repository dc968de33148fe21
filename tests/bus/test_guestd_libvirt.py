#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vfio-guestd with libvirt's own driver for tests, which lives inside vfio-guestd and has no QEMU behind its domains.

test:///default has one domain, "test", which runs; test:///FILE has those of the file. What needs a real domain is in
tests/vm. See test_guestd.py for the rest of the surroundings.
"""

import os
import signal
import subprocess
import sys
import unittest

try:
    from gi.repository import GLib
except ImportError as missing:
    print(f'SKIP: {missing}; python3-gi is needed')
    sys.exit(77)
if 'VFIO_GUESTD' not in os.environ:
    raise unittest.SkipTest('VFIO_GUESTD does not name the program')

from guestd_world import GUESTD, GUESTD_PATH, Denied, World  # noqa: E402

NOBODY = 65534
ERROR = 'org.vfio.Error.'
INVALID = 'org.freedesktop.DBus.Error.InvalidArgs'
DENIED = 'org.freedesktop.DBus.Error.AccessDenied'
DEFAULT = 'libvirt = { uri = "test:///default"; };\n'
NO_PID = 'its QEMU cannot be found in /run/libvirt/qemu: No such file or directory'
UUID = '00000000-0000-4000-8000-00000000000'


def domain(name, number, kind='qemu', metadata='', state=''):
    """metadata: attributes of our element; state: libvirt's number for it, without one the domain runs."""
    element = f'<metadata><guest xmlns="urn:vfio-inputd:guest:1" {metadata}/></metadata>' if metadata else ''
    run = (f'<test:runstate xmlns:test="http://libvirt.org/schemas/domain/test/1.0">{state}</test:runstate>'
           if state else '')
    return (f'<domain type="{kind}"><name>{name}</name><uuid>{UUID}{number}</uuid>{element}<memory>1024</memory>'
            f'<os><type>hvm</type></os>{run}</domain>')


class LibvirtTest(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.story = self.world.story

    def log(self):
        return (self.world.folder / 'guestd.log').read_text(errors='replace')

    def until_log(self, *texts):
        self.world.until(lambda: all(text in self.log() for text in texts), texts)

    def until_story(self, *starts):
        def told():
            try:
                return self.story.positions(*starts)
            except AssertionError:
                return None

        self.world.until(told, starts)

    def count(self, start):
        return sum(line.startswith(start) for line in self.story.lines())

    def until_guests(self, *names):
        self.world.until(lambda: self.world.guests() == list(names), names)

    def libvirt(self):
        return self.world.call(GUESTD, GUESTD_PATH, 'org.freedesktop.DBus.Properties', 'Get',
                               GLib.Variant('(ss)', (GUESTD + '.Manager', 'Libvirt')))[0]

    def until_libvirt(self, reason=None):
        """Connected, or not because of that."""
        self.world.until(lambda: reason in self.libvirt() if reason else self.libvirt() == 'connected',
                         reason or 'connected')

    def start(self, text=DEFAULT, guests=()):
        self.world.configure(text)
        self.world.start_inputd(*guests)
        self.world.start_guestd()

    def start_file(self, *domains, adopt='all', more=''):
        """With these domains."""
        path = self.world.folder / 'domains.xml'
        path.write_text(f'<node>{"".join(domains)}</node>')
        self.start(f'libvirt = {{ uri = "test://{path}"; adopt = "{adopt}"; }};\n{more}')

    def reload(self, text):
        self.world.configure(text)
        self.world.guestd.send_signal(signal.SIGHUP)

    def manage(self, method, signature=None, *arguments):
        return self.world.call(GUESTD, GUESTD_PATH, GUESTD + '.Manager', method,
                               GLib.Variant(signature, arguments) if signature else None)

    def assert_denied(self, error, text, method, signature, *arguments):
        with self.assertRaises(Denied) as caught:
            self.manage(method, signature, *arguments)
        self.assertEqual(caught.exception.args[0], error)
        self.assertIn(text, caught.exception.args[1])

    def call_as(self, uid, method, *arguments):
        """What gdbus says of it."""
        child = subprocess.Popen(
            ['gdbus', 'call', '--address', self.world.address, '--dest', GUESTD, '--object-path', GUESTD_PATH,
             '--method', f'{GUESTD}.Manager.{method}', *arguments], user=uid, text=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        self.world.until(lambda: child.poll() is not None, 'gdbus ends')
        with child.stderr:
            return child.stderr.read()


class Connection(LibvirtTest):
    def test_connected(self):
        self.start()
        self.until_libvirt()

    def test_failed_and_back(self):
        path = self.world.folder / 'domains.xml'
        self.start(f'libvirt = {{ uri = "test://{path}"; adopt = "all"; }};\n')
        self.until_libvirt(str(path))
        path.write_text(f'<node>{domain("win", 1)}</node>')
        self.until_libvirt()
        self.until_guests('win')

    @unittest.skipIf(os.path.exists('/run/libvirt/libvirt-sock') or os.path.exists('/run/libvirt/virtqemud-sock'),
                     'needs a machine without libvirt')
    def test_absent(self):
        self.start('libvirt = { uri = "qemu:///system"; };\nguests = ( { name = "win"; } );\n', guests=['win'])
        self.until_libvirt('absent')
        self.world.until_state('absent', 'libvirt is not installed', name='win')
        self.assert_denied(ERROR + 'NotReady', 'libvirt is not installed', 'Attach', '(s)', 'win')

    def test_another_uri(self):
        path = self.world.folder / 'domains.xml'
        path.write_text(f'<node>{domain("win", 1)}{domain("lin", 2)}</node>')
        self.start('guests = ( { name = "test"; } );\n' + DEFAULT, guests=['test'])
        self.world.until_state('failed', NO_PID, name='test')
        self.reload(f'libvirt = {{ uri = "test://{path}"; adopt = "all"; }};\n')
        self.until_guests('lin', 'win')
        self.until_story('inputd RemoveGuest "test"')
        self.reload('guests = ( { name = "test"; } );\n' + DEFAULT)
        self.until_guests('test')
        self.world.until_state('failed', NO_PID, name='test')


class Guests(LibvirtTest):
    def test_running_domain_without_qemu(self):
        self.start('guests = ( { name = "test"; } );\n' + DEFAULT, guests=['test'])
        self.world.until_state('failed', NO_PID, name='test')
        guest = self.world.guest('test')
        self.assertEqual((guest['Domain'], guest['Route'], guest['Pid'], guest['Layers']), ('test', '', 0, []))
        self.assertEqual(len(guest['Uuid']), 36)
        self.until_story(f'inputd SetReady "test" false "{NO_PID}"')
        self.assertEqual(self.count('inputd SetReady "test" true'), 0)
        self.assert_denied(ERROR + 'NotReady', NO_PID, 'Attach', '(s)', 'test')
        self.assert_denied(ERROR + 'NotReady', NO_PID, 'Detach', '(s)', 'test')
        self.assertEqual(self.manage('CheckGuest', '(s)', 'test'), ())

    def test_inputd_is_told_nothing_before_it_is_known(self):
        """After our own restart the guest may have its nodes, and the input."""
        for _ in range(4):
            self.start('guests = ( { name = "test"; } );\n' + DEFAULT, guests=['test'])
            self.until_story(f'inputd SetReady "test" false "{NO_PID}"')
            self.assertEqual(self.count('inputd SetReady'), 1)
            self.world.stop_guestd(signal.SIGKILL)
            self.world.stop_inputd()
            self.story.clear()

    def test_domain_by_name_and_by_uuid(self):
        self.start_file(domain('Win 11', 1), adopt='none', more=(
            'guests = ( { name = "a"; domain = "Win 11"; }, '
            f'{{ name = "b"; domain = "{UUID}2"; }}, {{ name = "c"; domain = "win 11"; }} );\n'))
        self.world.until_state('failed', '/run/libvirt/qemu', name='a')
        self.world.until_state('absent', f'libvirt has no domain "{UUID}2"', name='b')
        self.world.until_state('absent', 'libvirt has no domain "win 11"', name='c')

    def test_domain_that_is_off(self):
        self.start_file(domain('win', 1, state=5), adopt='none', more='guests = ( { name = "win"; } );\n')
        self.world.until_state('absent', 'the domain is not running', name='win')

    def test_stop(self):
        self.start('guests = ( { name = "test"; } );\n' + DEFAULT, guests=['test'])
        self.world.until_state('failed', name='test')
        self.world.stop_guestd()

    def test_stop_at_once(self):
        self.start('guests = ( { name = "test"; } );\n' + DEFAULT, guests=['test'])
        self.world.stop_guestd()

    def test_section_goes_and_comes(self):
        self.start('guests = ( { name = "test"; } );\n' + DEFAULT, guests=['test'])
        self.world.until_state('failed', name='test')
        self.reload(DEFAULT)
        self.until_guests()
        self.until_story('inputd RemoveGuest "test"')
        self.reload('guests = ( { name = "test"; } );\n' + DEFAULT)
        self.world.until_state('failed', NO_PID, name='test')
        self.until_story('inputd RemoveGuest "test"', 'inputd AddGuest "test"')


class Adoption(LibvirtTest):
    def test_no_qemu_domain(self):
        self.start('libvirt = { uri = "test:///default"; adopt = "all"; };\n')
        self.until_libvirt()
        self.until_log('Domain test is no guest: it is not a QEMU domain')
        self.assertEqual(self.world.guests(), [])
        self.assertEqual(self.count('inputd AddGuest'), 0)

    def test_all(self):
        self.start_file(domain('Win 11', 1), domain('lin', 2, state=5), domain('xen', 3, kind='test'))
        self.until_guests('lin', 'win-11')
        self.world.until_state('failed', '/run/libvirt/qemu', name='win-11')
        self.world.until_state('absent', 'the domain is not running', name='lin')
        self.until_story('inputd AddGuest "win-11"', 'inputd SetToggle "win-11" []',
                         'inputd SetGrabToggle "win-11" "meta-meta"')
        self.until_story('inputd AddGuest "lin"', 'inputd SetToggle "lin" []')
        self.assertEqual(self.world.guest('win-11')['Domain'], 'Win 11')

    def test_same_names_each_time(self):
        """libvirt lists them in another order each time."""
        names = ['win', 'Win', 'WIN', 'wIn', 'wiN']
        self.start_file(*(domain(name, i) for i, name in enumerate(names)))
        for _ in range(4):
            self.world.until(lambda: len(self.world.guests()) == len(names), 'the guests')
            found = [self.world.guest(guest)['Domain'] for guest in self.world.guests()]
            self.assertEqual(found, sorted(names))
            self.world.stop_guestd()
            self.world.start_guestd()

    def test_rule(self):
        self.start_file(domain('win', 1), adopt='hostdev')
        self.until_log('Domain win is no guest: no PCI device is passed through to it')
        self.assertEqual(self.world.guests(), [])

    def test_metadata(self):
        self.start_file(domain('a', 1, metadata='adopt="yes" name="desk" toggle="leftctrl f1" grab-toggle="alt-alt"'),
                        domain('b', 2, metadata='adopt="no"'),
                        domain('c', 3, metadata='adopt="yes" toggle="nosuchkey"'), adopt='none')
        self.until_guests('desk')
        self.until_story('inputd AddGuest "desk"', 'inputd SetToggle "desk" ["leftctrl", "f1"]',
                         'inputd SetGrabToggle "desk" "alt-alt"')
        self.world.until_state('failed', '/run/libvirt/qemu', name='desk')

    def test_hotkey_of_a_section_is_left_to_inputd(self):
        self.start_file(domain('win', 1, metadata='adopt="yes" toggle="f1"'), more='guests = ( { name = "win"; } );\n')
        self.world.until_state('failed', name='win')
        self.until_story('inputd SetGrabToggle "win" "meta-meta"')
        self.assertEqual(self.count('inputd SetToggle'), 0)

    def test_told_again_when_inputd_is_back(self):
        self.start_file(domain('win', 1, metadata='adopt="yes" toggle="f1"'))
        self.until_story('inputd SetToggle "win" ["f1"]', 'inputd SetGrabToggle "win"')
        self.world.stop_inputd()
        self.story.clear()
        self.world.start_inputd()
        self.until_story('inputd AddGuest "win"', 'inputd SetToggle "win" ["f1"]', 'inputd SetGrabToggle "win"')

    def test_reload_ends_it(self):
        self.start_file(domain('win', 1), domain('lin', 2))
        self.until_guests('lin', 'win')
        self.until_story('inputd AddGuest "win"')
        path = self.world.folder / 'domains.xml'
        self.reload(f'libvirt = {{ uri = "test://{path}"; adopt = "all"; ignore = [ "w*" ]; }};\n')
        self.until_guests('lin')
        self.until_story('inputd RemoveGuest "win"')
        self.assertEqual(self.count('inputd RemoveGuest "lin"'), 0)


class Grants(LibvirtTest):
    def grant(self, node, name='test'):
        return self.manage('Grant', '(ssb)', name, str(node), False)

    def assert_no_node(self, error, text, node):
        with self.subTest(node=str(node)):
            self.assert_denied(error, text, 'Grant', '(ssb)', 'test', str(node), False)

    def test_none(self):
        self.start()
        self.assertEqual(self.manage('ListGrants'), ([],))
        self.assert_denied(ERROR + 'NoSuchGrant', 'has not been granted', 'Revoke', '(ss)', 'test', '/dev/null')
        self.assert_denied(ERROR + 'NoSuchGrant', 'has not been granted', 'Revoke', '(ss)', '', '')

    def test_what_is_no_node(self):
        self.start()
        self.until_libvirt()
        fifo, link, file = (self.world.folder / n for n in ('fifo', 'link', 'file'))
        os.mkfifo(fifo)
        link.symlink_to('/dev/null')
        file.touch()
        for node in ('/dev/null', '/dev', '/', link, fifo, file):
            self.assert_no_node(ERROR + 'NoSuchNode', 'no input device', node)
        self.assert_no_node(ERROR + 'NoSuchNode', 'No such file', '/dev/input/event99999')
        self.assert_no_node(ERROR + 'NoSuchNode', 'Not a directory', '/dev/null/event0')
        for node in ('', 'event0', 'dev/input/event0', '../dev/null'):
            self.assert_no_node(INVALID, 'absolute path', node)
        self.assertEqual(self.manage('ListGrants'), ([],))

    def any_node(self):
        """An input node of this machine, which is not touched."""
        for entry in sorted(os.listdir('/sys/class/input') if os.path.isdir('/sys/class/input') else []):
            if entry.startswith('event') and os.path.exists('/dev/input/' + entry):
                return '/dev/input/' + entry
        self.skipTest('needs a machine with an input device')

    def test_no_domain(self):
        node = self.any_node()
        self.start_file(domain('off', 1, state=5))
        self.until_libvirt()
        self.assert_denied(ERROR + 'NoSuchDomain', 'no domain', 'Grant', '(ssb)', 'nobody', node, True)
        self.assert_denied(ERROR + 'NoSuchDomain', 'does not run', 'Grant', '(ssb)', 'off', node, True)

    def test_domain_without_qemu(self):
        node = self.any_node()
        self.start()
        self.until_libvirt()
        self.assert_denied(ERROR + 'Failed', '', 'Grant', '(ssb)', 'test', node, True)
        self.assertEqual(self.manage('ListGrants'), ([],))

    @unittest.skipIf(os.getuid() != 0, 'needs root, to be somebody else')
    def test_polkit_is_asked(self):
        self.start()
        self.world.polkit.answer = False
        self.assertIn(DENIED, self.call_as(NOBODY, 'Revoke', 'test', '/dev/null'))
        self.assertEqual(self.call_as(NOBODY, 'ListGrants'), '')
        self.world.polkit.answer = True
        self.assertIn('NoSuchGrant', self.call_as(NOBODY, 'Revoke', 'test', '/dev/null'))

    @unittest.skipIf(os.getuid() != 0, 'needs root, to be somebody else')
    def test_polkit_is_asked_before_a_grant(self):
        node = self.any_node()
        self.start()
        self.until_libvirt()
        self.world.polkit.answer = False
        self.assertIn(DENIED, self.call_as(NOBODY, 'Grant', 'test', node, 'true'))

    @unittest.skipIf(os.getuid() == 0, 'needs not to be root')
    def test_i_am_denied(self):
        self.start()
        self.world.polkit.answer = False
        self.assert_denied(DENIED, '', 'Revoke', '(ss)', 'test', '/dev/null')


class Records(LibvirtTest):
    RECORD = (f'uuid={UUID}1\ndomain=win\npid={{pid}}\nstart-time=1\nnode=/dev/input/event900\ndevice=13:900\n'
              f'input=900000\nguest=\nprofile=libvirt-{UUID}1\ndev=none\ncgroup=2\nend=yes\n')

    def assert_runs(self):
        self.until_libvirt()
        self.assertEqual(self.manage('ListGrants'), ([],))
        self.world.until_state('failed', name='test')

    def begin(self):
        self.start('guests = ( { name = "test"; } );\n' + DEFAULT, guests=['test'])

    def test_no_directory(self):
        self.world.state.rmdir()
        self.begin()
        self.assert_runs()
        self.until_log(f'Cannot make {self.world.state}/grants')

    def test_file_in_its_place(self):
        (self.world.state / 'grants').touch()
        self.begin()
        self.assert_runs()
        self.until_log(f'Cannot read the records in {self.world.state}/grants')
        self.assertTrue((self.world.state / 'grants').is_file())

    def test_file_in_place_of_the_state(self):
        self.world.state.rmdir()
        self.world.state.touch()
        self.begin()
        self.assert_runs()
        self.until_log(f'Cannot make {self.world.state}/grants')

    @unittest.skipIf(os.getuid() == 0, 'needs not to be root')
    def test_not_writable(self):
        self.world.state.chmod(0o500)
        self.begin()
        self.assert_runs()
        self.until_log(f'Cannot make {self.world.state}/grants')

    def records(self):
        folder = self.world.state / 'grants'
        folder.mkdir(exist_ok=True)
        return folder

    def test_garbage(self):
        folder = self.records()
        whole = self.RECORD.format(pid=1)
        names = {
            'x': 'garbage', f'{UUID}1-input1': '', f'{UUID}1-input900000': whole[:-len('end=yes\n')],
            f'{UUID}2-input900000': whole, '.new-half': whole, 'bytes': '\0\n\0', 'endless': 'a=' + 'b' * (1 << 20),
        }
        for name, text in names.items():
            (folder / name).write_text(text)
        (folder / 'link').symlink_to('/etc/passwd')
        os.mkfifo(folder / 'fifo')
        self.begin()
        self.assert_runs()
        self.until_log(*(f'Removed {name}, which is no record of a grant' for name in [*names, 'link', 'fifo']))
        self.assertEqual(list(folder.iterdir()), [])
        self.assertTrue(os.path.exists('/etc/passwd'))

    def test_directory_among_them(self):
        folder = self.records()
        (folder / 'folder').mkdir()
        self.begin()
        self.assert_runs()
        self.until_log('The record of a grant, folder, cannot be read')
        self.assertTrue((folder / 'folder').is_dir())

    def test_of_a_qemu_that_is_no_more(self):
        folder = self.records()
        gone = subprocess.Popen(['true'])
        gone.wait()
        record = folder / f'{UUID}1-input900000'
        for pid in (gone.pid, os.getpid()):  # the second one is somebody else by now
            record.write_text(self.RECORD.format(pid=pid))
            self.begin()
            self.assert_runs()
            self.until_log('A grant of /dev/input/event900 to domain win is left over')
            self.assertEqual(list(folder.iterdir()), [])
            self.world.stop_guestd()
            self.world.stop_inputd()
            self.world.output.truncate(0)


class Focus(LibvirtTest):
    """focus-on-start, of a QEMU without libvirt. Whether Switch is not called shows when the next thing is told."""

    def begin(self, *options):
        self.world.configure(**{'focus-on-start': True})
        self.world.start_inputd('desk')
        self.world.start_guestd()
        self.world.until_state('absent')
        return self.world.start_qemu(*options)

    def start_focused(self):
        qemu = self.begin()
        self.until_story('inputd SetReady "desk" true', 'inputd Switch "desk"')
        return qemu

    def assert_switches(self, qemu, n):
        """n calls since the story was cleared last."""
        self.until_story('inputd SetReady "desk" true')
        qemu.order('pause')
        self.until_story('inputd SetReady "desk" true', 'inputd SetStopped "desk" "the guest is paused"')
        self.assertEqual(self.count('inputd Switch'), n)

    def test_once_for_each_start(self):
        qemu = self.start_focused()
        self.assert_switches(qemu, 1)
        self.story.clear()
        qemu.kill()
        self.world.until_state('absent')
        self.assert_switches(self.world.start_qemu(), 1)

    def test_not_unless_it_is_set(self):
        self.world.configure()
        self.world.start_inputd('desk')
        self.world.start_guestd()
        self.assert_switches(self.world.start_qemu(), 0)

    def test_when_a_paused_one_runs(self):
        qemu = self.begin('--paused')
        self.world.until_state('paused')
        self.assertEqual(self.count('inputd Switch'), 0)
        qemu.order('resume')
        self.until_story('inputd SetReady "desk" true', 'inputd Switch "desk"')
        self.assert_switches(qemu, 1)

    def test_not_after_a_pause(self):
        qemu = self.start_focused()
        self.assert_switches(qemu, 1)
        self.story.clear()
        qemu.order('resume')
        self.until_story('inputd SetReady "desk" true')
        self.assert_switches(qemu, 0)

    def test_not_after_a_hang(self):
        qemu = self.start_focused()
        qemu.process.send_signal(signal.SIGSTOP)
        self.world.until_state('hung')
        self.world.inputd.set_active('host')
        self.until_story('inputd SetReady "desk" false "QEMU does not answer"')
        self.story.clear()
        qemu.process.send_signal(signal.SIGCONT)
        self.world.until_state('ready')
        self.assert_switches(qemu, 0)

    def test_not_after_an_attach_on_request(self):
        qemu = self.start_focused()
        self.world.manage('Detach')
        self.story.clear()
        self.world.manage('Attach')
        self.assert_switches(qemu, 0)

    def test_not_after_our_own_restart(self):
        qemu = self.start_focused()
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(number=number):
                self.world.stop_guestd(number)
                self.story.clear()
                self.world.start_guestd()
                self.world.until_state('ready')
                self.assert_switches(qemu, 0)
                qemu.order('resume')
                self.world.until_state('ready')

    def test_not_after_a_restart_of_inputd(self):
        qemu = self.start_focused()
        self.world.stop_inputd()
        self.story.clear()
        self.world.start_inputd('desk')
        self.until_story('inputd SetReady "desk" true')
        self.assert_switches(qemu, 0)


if __name__ == '__main__':
    unittest.main()
