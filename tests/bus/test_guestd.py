#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vfio-guestd on a bus of its own, with a fake vfio-inputd and fake QEMUs (guestd_world.py, fake_qemu.py).

The program comes from $VFIO_GUESTD (a command line, so that valgrind may stand before it); it is the one that is
linked with guestd_dac_fake.c, because a test owns no device nodes. Nothing sleeps: every wait is for something to
become true, and every wait has an end.
"""

import os
import pwd
import signal
import subprocess
import sys
import unittest

try:
    from gi.repository import Gio, GLib  # noqa: F401, for the world
except ImportError as missing:
    print(f'SKIP: {missing}; python3-gi is needed')
    sys.exit(77)
if 'VFIO_GUESTD' not in os.environ:
    raise unittest.SkipTest('VFIO_GUESTD does not name the program')

from guestd_world import KEYBOARD, POINTER, Denied, World  # noqa: E402

IDS = ['vfio-inputd-keyboard', 'vfio-inputd-pointer']
NODES = ['event900', 'event901']
OTHER = ['/dev/input/event910', '/dev/input/event911']
NOBODY = 65534
SLOW = 'valgrind' in os.environ.get('VFIO_GUESTD', '')
ERROR = 'org.vfio.Error.'


class GuestdTest(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.story = self.world.story

    def start(self, inputd=True, qemu=(), **settings):
        """Everything up; returns the QEMU unless qemu is None."""
        w = self.world
        w.configure(**settings)
        if inputd:
            w.start_inputd('desk')
        machine = w.start_qemu(*qemu) if qemu is not None else None
        w.start_guestd()
        return machine

    def start_ready(self, **settings):
        qemu = self.start(**settings)
        self.world.until_state('ready')
        return qemu

    def until_story(self, *starts):
        def told():
            try:
                return self.story.positions(*starts)
            except AssertionError:
                return None

        self.world.until(told, starts)

    def count(self, start):
        return sum(line.startswith(start) for line in self.story.lines())

    def assert_denied(self, error, text, method, guest='desk'):
        with self.assertRaises(Denied) as caught:
            self.world.manage(method, guest)
        self.assertEqual(caught.exception.args[0], error)
        self.assertIn(text, caught.exception.args[1])


class Attaching(GuestdTest):
    def test_order(self):
        qemu = self.start_ready()
        self.story.positions('qmp qmp_capabilities', 'qmp query-status', 'qmp qom-list',
                             f'dac grant desk {KEYBOARD}', f'dac grant desk {POINTER}',
                             'qmp object-add', 'qmp object-add', 'inputd SetReady "desk" true ""')
        self.assertEqual(qemu.objects(), {
            IDS[0]: {'evdev': KEYBOARD, 'repeat': True, 'grab-toggle': 'meta-meta'},
            IDS[1]: {'evdev': POINTER, 'repeat': True, 'grab-toggle': 'meta-meta'}})
        guest = self.world.guest()
        self.assertEqual(guest, {'Name': 'desk', 'Domain': '', 'Uuid': '', 'State': 'ready', 'Route': 'qmp',
                                 'RouteReason': '', 'Layers': [], 'Reason': '',
                                 'Pid': qemu.pid})
        self.assertEqual(self.world.given(), NODES)
        self.assertEqual([s for g, s, _ in self.world.states][-2:], ['attaching', 'ready'])

    def test_grab_toggle_is_the_configured_one(self):
        qemu = self.start_ready(**{'grab-toggle': 'alt-alt'})
        self.assertEqual(qemu.objects()[IDS[0]]['grab-toggle'], 'alt-alt')

    def test_old_qemu_wants_props(self):
        qemu = self.start(qemu=['--version', '5.2'])
        self.world.until_state('ready')
        self.assertEqual(qemu.objects()[IDS[1]]['evdev'], POINTER)

    def test_paused_guest_is_attached_and_not_ready(self):
        qemu = self.start(qemu=['--paused'])
        self.world.until_state('paused', 'the guest is paused')
        self.assertEqual(len(qemu.objects()), 2)
        qemu.order('resume')
        self.world.until_state('ready')
        self.until_story('inputd SetReady "desk" true')

    def test_pause_and_resume(self):
        qemu = self.start_ready()
        qemu.order('pause')
        self.until_story('inputd SetStopped "desk" "the guest is paused"')
        qemu.order('event RESET')
        qemu.order('resume')
        self.world.until_state('ready')
        qemu.order('event SHUTDOWN')
        self.world.until_state('paused', 'shut down')
        self.assertEqual(self.count('qmp object-add'), 2)

    def test_socket_that_comes_later(self):
        self.start(qemu=None)
        self.world.until_state('absent', 'no socket')
        self.world.start_qemu()
        self.world.until_state('ready')

    def test_directories_that_come_later(self):
        path = self.world.folder / 'a' / 'b' / 'c.qmp'
        self.start(qemu=None, qmp=str(path))
        self.world.until_state('absent', 'no socket')
        path.parent.mkdir(parents=True)
        self.world.start_qemu(path=path)
        self.world.until_state('ready')

    def test_stale_socket(self):
        self.start(qemu=None)
        first = self.world.start_qemu()
        self.world.until_state('ready')
        first.kill()
        self.world.until_state('absent', 'nothing listens')
        self.assertTrue(self.world.socket.exists())
        self.world.start_qemu()
        self.world.until_state('ready')

    def test_nodes_that_come_later(self):
        self.world.configure()
        self.world.start_inputd()
        self.world.inputd.add('desk', [])
        qemu = self.world.start_qemu()
        self.world.start_guestd()
        self.world.until_state('attaching', 'no nodes')
        self.world.inputd.set_nodes('desk', [KEYBOARD, POINTER])
        self.world.until_state('ready')
        self.assertEqual(len(qemu.objects()), 2)

    def test_missing_target_is_added(self):
        self.world.configure()
        self.world.start_inputd()
        self.world.start_qemu()
        self.world.start_guestd()
        self.world.until_state('ready')
        self.story.positions('inputd AddGuest "desk"', 'qmp object-add')

    def test_refused_object_is_undone_and_tried_again(self):
        qemu = self.start(qemu=['--fail', 'object-add=Could not open: Permission denied'])
        self.world.until_state('failed', 'Permission denied')
        self.assertEqual((qemu.objects(), self.world.given()), ({}, []))
        qemu.order('fail object-add')
        self.world.until_state('ready')

    def test_refused_door_is_undone(self):
        (self.world.dac / 'refuse').touch()
        qemu = self.start()
        self.world.until_state('failed', f'cannot give {KEYBOARD} to user {os.getuid()}')
        self.assertEqual(qemu.objects(), {})
        self.assertEqual(self.count('qmp object-add'), 0)

    def test_second_object_refused_takes_the_first_away(self):
        qemu = self.start(qemu=['--fail', f'object-add:{IDS[1]}=no'])
        self.world.until_state('failed', f'QEMU cannot use {POINTER}: no')
        self.story.positions('qmp object-add', 'qmp object-add', 'qmp object-del', 'dac revoke')
        self.assertEqual((qemu.objects(), self.world.given()), ({}, []))
        self.assert_denied(ERROR + 'Failed', 'QEMU cannot use', 'Attach')


class Detaching(GuestdTest):
    def test_order(self):
        qemu = self.start_ready()
        self.story.clear()
        self.world.manage('Detach')
        self.story.positions('inputd SetReady "desk" false', 'qmp object-del', 'qmp object-del', 'dac revoke')
        self.assertEqual((qemu.objects(), self.world.given()), ({}, []))
        self.assertEqual(self.world.guest()['State'], 'detached')

    def test_waits_for_inputd_to_know(self):
        qemu = self.start_ready()
        self.world.inputd.holds = True
        self.story.clear()
        answer = self.world.begin_manage('Detach')
        self.until_story('inputd SetReady "desk" false')
        with self.assertRaises(AssertionError):
            self.world.until(lambda: self.count('qmp '), 'any command before the reply', 0.4)
        self.assertEqual((len(qemu.objects()), self.world.given()), (2, NODES))
        self.world.inputd.release()
        self.world.until(lambda: answer, 'the detach')
        self.assertEqual((answer, qemu.objects()), ([()], {}))

    def test_goes_on_without_a_reply_of_inputd(self):
        qemu = self.start_ready()
        self.world.inputd.holds = True
        self.world.manage('Detach')
        self.assertEqual(qemu.objects(), {})

    def test_is_sticky_until_attach(self):
        qemu = self.start_ready()
        self.world.manage('Detach')
        qemu.order('raw not json')  # the connection is lost, QEMU lives on
        self.world.until(lambda: self.count('qmp client') > 2, 'another connection')
        self.world.until_state('detached')
        self.assertEqual(qemu.objects(), {})
        self.world.manage('Detach')
        self.world.manage('Attach')
        self.world.until_state('ready')
        self.world.manage('Attach')

    def test_is_sticky_until_another_qemu(self):
        qemu = self.start_ready()
        self.world.manage('Detach')
        qemu.order('quit')
        self.world.until_state('absent')
        self.world.start_qemu()
        self.world.until_state('ready')

    def test_sigterm_leaves_nothing_behind(self):
        qemu = self.start_ready()
        self.story.clear()
        self.world.stop_guestd()
        self.assertEqual(self.world.guestd.returncode, 0)
        self.story.positions('inputd SetReady "desk" false', 'qmp object-del', 'qmp object-del', 'dac revoke')
        self.assertEqual((qemu.objects(), self.world.given()), ({}, []))

    def test_sigterm_in_the_middle_of_an_attach(self):
        for after in ('query-status', 'qom-list', 'object-add'):
            with self.subTest(after=after):
                self.story.clear()
                qemu = self.world.start_qemu()
                self.start_once()
                self.until_story('qmp ' + after)
                self.world.stop_guestd()
                self.assertEqual((qemu.objects(), self.world.given()), ({}, []))
                qemu.order('quit')

    def start_once(self):
        if not self.world.inputd:
            self.world.configure()
            self.world.start_inputd('desk')
        self.world.start_guestd(wait=False)

    def test_sigterm_with_a_hung_qemu_is_bounded(self):
        qemu = self.start_ready()
        qemu.order('hang')
        self.assertLess(self.world.stop_guestd(), 10 if SLOW else 3)
        self.world.until(lambda: not self.world.given(), 'the nodes given back')
        self.story.positions('inputd SetReady "desk" false "vfio-guestd is stopping"', 'dac revoke', 'dac revoke')

    def test_sigterm_without_inputd(self):
        qemu = self.start_ready()
        self.world.stop_inputd()
        self.world.stop_guestd(signal.SIGINT)
        self.assertEqual((qemu.objects(), self.world.given()), ({}, []))


class Restarting(GuestdTest):
    def killed(self, **settings):
        qemu = self.start_ready(**settings)
        self.world.stop_guestd(signal.SIGKILL)
        self.story.clear()
        return qemu

    def test_what_is_right_is_kept(self):
        qemu = self.killed()
        self.world.start_guestd()
        self.world.until_state('ready')
        self.until_story('inputd SetReady "desk" true')
        self.assertEqual((self.count('qmp object-add'), self.count('qmp object-del')), (0, 0))
        self.assertEqual((len(qemu.objects()), self.world.given()), (2, NODES))

    def test_another_node_is_attached_anew(self):
        qemu = self.killed()
        self.world.inputd.set_nodes('desk', OTHER)
        self.world.start_guestd()
        self.world.until_state('ready')
        self.assertEqual(qemu.objects()[IDS[0]]['evdev'], OTHER[0])
        self.assertEqual((self.count('qmp object-add'), self.count('qmp object-del')), (2, 2))

    def test_another_device_at_the_same_path_is_attached_anew(self):
        self.killed()
        for node in NODES:
            (self.world.dac / node).unlink()
        self.world.start_guestd()
        self.world.until_state('ready')
        self.assertEqual((self.count('qmp object-add'), self.count('qmp object-del')), (2, 2))

    def test_another_grab_toggle_is_attached_anew(self):
        qemu = self.killed()
        self.world.configure(**{'grab-toggle': 'shift-shift'})
        self.world.start_guestd()
        self.world.until_state('ready')
        self.assertEqual(qemu.objects()[IDS[1]]['grab-toggle'], 'shift-shift')

    def test_half_an_attach_is_completed(self):
        qemu = self.start(qemu=['--fail', 'object-del=no'])
        self.world.until_state('ready')
        self.world.stop_guestd(signal.SIGKILL)
        qemu.order('fail object-del')
        objects = qemu.objects()
        qemu.order('forget')
        self.assertEqual(len(objects), 2)
        self.world.start_guestd()
        self.world.until_state('ready')
        self.assertEqual(qemu.objects(), objects)

    def test_nodes_of_a_dead_qemu_go_back(self):
        qemu = self.killed()
        qemu.kill()
        self.assertEqual(self.world.given(), NODES)
        self.world.start_guestd()
        self.world.until(lambda: not self.world.given(), 'the nodes are root\'s')

    def test_nodes_of_a_former_guest_go_back(self):
        self.killed()
        self.world.configure('guests = ();\n')
        self.world.start_guestd()
        self.world.until(lambda: not self.world.given(), 'the nodes are root\'s')

    def test_second_instance_touches_nothing(self):
        self.start_ready()
        self.story.clear()
        first = self.world.guestd
        self.world.start_guestd(wait=False)
        self.world.until(lambda: self.world.guestd.poll() is not None, 'the second one ends')
        self.assertNotEqual(self.world.guestd.returncode, 0)
        self.world.guestd = first
        self.assertEqual(self.story.lines(), [])


class Losing(GuestdTest):
    def test_qemu_killed(self):
        qemu = self.start_ready()
        self.story.clear()
        qemu.kill()
        self.world.until_state('absent')
        self.until_story('inputd SetReady "desk" false')
        self.world.until(lambda: not self.world.given(), 'the nodes given back')

    def test_qemu_dies_at_every_step_of_the_attach(self):
        self.start(qemu=None)
        for step in range(1, 6):
            with self.subTest(step=step):
                self.world.until_state('absent')
                self.story.clear()
                qemu = self.world.start_qemu('--die-at', str(step))
                self.world.until(lambda: qemu.process.poll() is not None, 'QEMU dies')  # noqa: B023
                self.world.until_state('absent')
                self.world.until(lambda: not self.world.given(), 'the nodes are root\'s')
                self.assertEqual(self.count('inputd SetReady "desk" true'), 0)
        self.world.start_qemu()
        self.world.until_state('ready')

    def test_qemu_dies_at_every_step_of_the_detach(self):
        self.world.configure()
        self.world.start_inputd('desk')
        self.world.start_guestd()
        for step in range(6, 9):
            with self.subTest(step=step):
                self.world.start_qemu('--die-at', str(step))
                self.world.until_state('ready')
                self.world.manage('Detach')
                self.world.until_state('absent')
                self.world.until(lambda: not self.world.given(), 'the nodes given back')

    def test_hung_and_back(self):
        qemu = self.start_ready()
        self.world.inputd.set_active('desk')
        self.until_story('qmp query-status', 'qmp query-status', 'qmp query-status')
        qemu.order('hang')
        self.world.until_state('hung', 'QEMU does not answer')
        self.until_story('inputd SetReady "desk" false "QEMU does not answer"')
        self.world.inputd.set_active('host')
        self.story.clear()
        qemu.order('answer')
        self.world.until_state('ready')
        self.until_story('inputd SetReady "desk" true')
        self.assertEqual(self.count('qmp object'), 0)

    def test_nobody_is_asked_while_the_host_is_active(self):
        self.start_ready(**{'timeout-ms': 100})
        pings = self.count('qmp query-status')
        self.assertEqual(pings, 1)
        self.world.inputd.set_active('desk')
        self.world.until(lambda: self.count('qmp query-status') > 4, 'pings')
        self.world.inputd.set_active('host')
        self.world.until_state('ready')
        settled = self.count('qmp query-status')
        with self.assertRaises(AssertionError):
            self.world.until(lambda: self.count('qmp query-status') > settled + 1, 'a ping', 0.5)

    def test_detach_of_a_hung_guest_times_out_and_is_made_good(self):
        qemu = self.start_ready()
        self.world.inputd.set_active('desk')
        qemu.order('hang')
        self.world.until_state('hung')
        self.assert_denied(ERROR + 'TimedOut', 'does not answer', 'Detach')
        self.world.until(lambda: not self.world.given(), 'the nodes given back')
        qemu.order('answer')
        self.world.until_state('detached')
        self.assertEqual(qemu.objects(), {})


class Hostile(GuestdTest):
    """Peers that are no QEMU, or one gone mad: cut off with a reason, at little cost."""

    def check(self, mode, state, reason):
        self.start(qemu=['--mode', mode])
        self.world.until_state(state, reason)
        self.world.until(lambda: not self.world.given(), 'the nodes given back')
        self.assertLess(self.world.memory_kb(), 400_000 if SLOW else 60_000)
        self.assertEqual(self.count('inputd SetReady "desk" true'), 0)

    def test_nonsense(self):
        self.check('nonsense', 'failed', 'does not speak QMP')

    def test_deep(self):
        self.check('deep', 'failed', 'does not speak QMP')

    def test_closes_in_the_middle(self):
        self.check('midline', 'absent', 'in the middle of a message')

    def test_flood_before_the_greeting(self):
        self.check('flood', 'failed', 'larger than any')
        self.until_story('qmp cut off')

    def test_flood_of_events(self):
        self.check('events', 'failed', 'too much too fast')
        self.until_story('qmp cut off')

    def test_long_message(self):
        self.check('long', 'failed', 'larger than any')

    def test_reply_to_nothing(self):
        self.check('wrong-id', 'failed', 'answers nothing')

    def test_two_replies(self):
        self.check('twice', 'failed', 'answers nothing')

    def test_never_answers(self):
        self.check('never', 'connecting', 'another program may be using this QMP socket')

    def test_another_program_holds_the_socket(self):
        import socket
        self.world.configure()
        self.world.start_inputd('desk')
        self.world.start_qemu()
        other = socket.socket(socket.AF_UNIX)
        other.connect(str(self.world.socket))
        self.assertIn(b'QMP', other.recv(4096))
        self.world.start_guestd()
        self.world.until_state('connecting', 'another program may be using this QMP socket')
        self.assert_denied(ERROR + 'NotReady', 'another program', 'Attach')
        other.close()
        self.world.until_state('ready')

    def test_flood_does_not_starve_the_others(self):
        quiet = self.world.folder / 'quiet.qmp'
        self.world.configure(f'guests = ( {{ name = "desk"; qmp = "{self.world.socket}"; }},'
                             f' {{ name = "quiet"; qmp = "{quiet}"; }} );\n')
        self.world.start_inputd('desk', 'quiet')
        self.world.start_qemu('--mode', 'flood')
        self.world.start_qemu(path=quiet)
        self.world.start_guestd()
        self.world.until_state('ready', name='quiet')

    def test_wrong_user(self):
        wrong = pwd.getpwuid(1).pw_name
        self.start(user=wrong)
        self.world.until_state('failed', f'but the configuration wants user {wrong}')
        self.assertEqual(self.count('qmp qmp_capabilities'), 0)
        self.assert_denied(ERROR + 'NotReady', f'wants user {wrong}', 'Attach')

    def test_right_user(self):
        self.start_ready(user=pwd.getpwuid(os.getuid()).pw_name)

    @unittest.skipUnless(os.getuid() == 0, 'needs root to be somebody else')
    def test_node_goes_to_the_user_of_qemu(self):
        self.start(qemu=['--uid', str(NOBODY)], user=str(NOBODY))
        self.world.until_state('ready')
        self.assertEqual((self.world.dac / NODES[0]).read_text().split(), ['desk', str(NOBODY)])

    @unittest.skipUnless(os.getuid() == 0, 'a QEMU that runs as root')
    def test_root_is_warned_of(self):
        self.start_ready()
        self.assertIn('runs as root', (self.world.folder / 'guestd.log').read_text())


class Inputd(GuestdTest):
    def test_comes_later(self):
        self.start(inputd=False)
        self.world.until_state('attaching', 'vfio-inputd is not running')
        self.assert_denied(ERROR + 'NotReady', 'vfio-inputd is not running', 'Attach')
        self.world.start_inputd('desk')
        self.world.until_state('ready')

    def test_restarts_with_the_same_nodes(self):
        qemu = self.start_ready()
        self.world.stop_inputd()
        self.story.clear()
        self.world.start_inputd('desk')
        self.until_story('inputd SetReady "desk" true')
        self.assertEqual(self.count('qmp object'), 0)
        self.assertEqual(len(qemu.objects()), 2)

    def test_restarts_with_other_nodes(self):
        qemu = self.start_ready()
        self.world.stop_inputd()
        self.story.clear()
        self.world.start_inputd()
        self.world.inputd.add('desk', [])
        self.world.inputd.set_nodes('desk', OTHER)
        self.until_story('inputd SetReady "desk" false', 'qmp object-del', 'qmp object-del', 'qmp object-add',
                         'qmp object-add', 'inputd SetReady "desk" true')
        self.assertEqual(qemu.objects()[IDS[0]]['evdev'], OTHER[0])

    def test_restarts_with_other_devices_at_the_same_paths(self):
        self.start_ready()
        self.world.stop_inputd()
        for node in NODES:
            (self.world.dac / node).unlink()
        self.story.clear()
        self.world.start_inputd('desk')
        self.until_story('qmp object-del', 'qmp object-add', 'inputd SetReady "desk" true')

    def test_signals_of_others_count_for_nothing(self):
        self.start_ready()
        self.story.clear()
        forged = GLib.Variant('(sa{sv}as)', ('org.vfio.Inputd1.Target', {'Nodes': GLib.Variant('as', OTHER)}, []))
        unique = self.world.call('org.freedesktop.DBus', '/', 'org.freedesktop.DBus', 'GetNameOwner',
                                 GLib.Variant('(s)', ('org.vfio.Guestd1',)))[0]
        self.world.connection.emit_signal(unique, self.world.inputd.path('desk'),
                                          'org.freedesktop.DBus.Properties', 'PropertiesChanged', forged)
        self.assertEqual(self.world.guest()['State'], 'ready')  # it has read the signal by now
        self.assertEqual(self.story.lines(), [])


class Configuration(GuestdTest):
    def reload(self):
        self.world.guestd.send_signal(signal.SIGHUP)

    def test_removed_guest(self):
        qemu = self.start_ready()
        self.story.clear()
        self.world.configure('guests = ();\n')
        self.reload()
        self.world.until(lambda: self.world.guests() == [], 'no guests')
        self.until_story('inputd SetReady "desk" false', 'qmp object-del', 'qmp object-del', 'dac revoke',
                         'inputd RemoveGuest "desk"')
        self.assertEqual((qemu.objects(), self.world.given()), ({}, []))
        self.assert_denied(ERROR + 'NoSuchGuest', 'no guest', 'Attach')

    def test_removed_guest_that_hangs(self):
        qemu = self.start_ready()
        qemu.order('hang')
        self.world.configure('guests = ();\n')
        self.reload()
        self.world.until(lambda: self.world.guests() == [], 'no guests')
        self.world.until(lambda: not self.world.given(), 'the nodes given back')

    def test_new_guest_when_inputd_has_reloaded(self):
        self.world.configure('guests = ();\n')
        self.world.start_inputd()
        self.world.start_qemu()
        self.world.start_guestd()
        self.assertEqual(self.world.guests(), [])
        self.world.configure()
        self.world.inputd.add('desk')
        self.world.inputd.reloaded()
        self.world.until(lambda: self.world.guests() == ['desk'], 'the guest')
        self.world.until_state('ready')

    def test_another_socket(self):
        qemu = self.start_ready()
        other = self.world.folder / 'other.qmp'
        new = self.world.start_qemu(path=other)
        self.world.configure(qmp=str(other))
        self.reload()
        self.world.until(lambda: len(new.objects()) == 2, 'attached to the other one')
        self.world.until_state('ready')
        self.assertEqual(qemu.objects(), {})
        self.assertEqual(self.count('inputd RemoveGuest'), 0)

    def test_same_again(self):
        self.start_ready()
        self.story.clear()
        self.world.configure(**{'timeout-ms': 300})
        self.reload()
        self.world.until(lambda: 'read again' in (self.world.folder / 'guestd.log').read_text(), 'reload')
        self.assertEqual(self.world.guest()['State'], 'ready')
        self.assertEqual(self.story.lines(), [])

    def test_mistake_at_the_start_and_mended(self):
        self.start(qemu=None, text='guests = ( { nam = "desk"; } );\n')
        self.assertEqual(self.world.guests(), [])
        self.world.start_qemu()
        self.world.configure()
        self.reload()
        self.world.until_state('ready')

    def test_mistake_keeps_what_is(self):
        self.start_ready()
        self.story.clear()
        self.world.configure('guests = ( { nam = "desk"; } );\n')
        self.reload()
        log = self.world.folder / 'guestd.log'
        self.world.until(lambda: 'in use stays' in log.read_text(), 'the mistake is told')
        self.assertIn(f'{self.world.config}:1:', log.read_text())
        self.assertEqual(self.world.guest()['State'], 'ready')
        self.assertEqual(self.story.lines(), [])


class Releasing(GuestdTest):
    def test_detached_until_inputd_is_back(self):
        qemu = self.start_ready()
        replied = self.world.inputd.ask_release()
        self.world.until(lambda: replied, 'the reply')
        self.assertEqual(qemu.objects(), {})
        self.world.until(lambda: not self.world.given(), 'the nodes given back')
        self.assertIn('stopping', self.world.guest()['Reason'])
        self.world.stop_inputd()
        self.world.start_inputd('desk')
        self.world.until_state('ready')
        self.assertEqual(len(qemu.objects()), 2)

    def test_for_inputd_alone(self):
        qemu = self.start_ready()
        with self.assertRaises(Denied) as caught:
            self.world.call('org.vfio.Guestd1', '/org/vfio/Guestd1', 'org.vfio.Guestd1.Manager', 'Release')
        self.assertEqual(caught.exception.args[0], 'org.freedesktop.DBus.Error.AccessDenied')
        self.assertEqual(len(qemu.objects()), 2)


class Calling(GuestdTest):
    def test_unknown_guest(self):
        self.start(qemu=None)
        self.assert_denied(ERROR + 'NoSuchGuest', 'no guest', 'Attach', 'nobody')
        self.assert_denied(ERROR + 'NoSuchGuest', 'no guest', 'Detach', '')

    def test_absent_qemu(self):
        self.start(qemu=None)
        self.assert_denied(ERROR + 'NotReady', 'QEMU is not running', 'Attach')
        self.assert_denied(ERROR + 'NotReady', 'QEMU is not running', 'Detach')

    def test_busy(self):
        qemu = self.start_ready()
        qemu.order('hang')
        answers = self.world.begin_manage('Detach')
        self.assert_denied(ERROR + 'Busy', 'under way', 'Detach')
        self.world.until(lambda: answers, 'the first one is answered')

    @unittest.skipUnless(os.getuid() == 0, 'needs root to be somebody else')
    def test_somebody_else_is_denied(self):
        self.start_ready()
        self.world.polkit.answer = False
        self.assertIn('AccessDenied', self.detach_as(NOBODY))
        self.assertEqual(self.world.guest()['State'], 'ready')
        self.world.polkit.answer = True
        self.assertEqual(self.detach_as(NOBODY), '')
        self.assertEqual(self.world.guest()['State'], 'detached')

    def detach_as(self, uid):
        child = subprocess.Popen(
            ['gdbus', 'call', '--address', self.world.address, '--dest', 'org.vfio.Guestd1', '--object-path',
             '/org/vfio/Guestd1', '--method', 'org.vfio.Guestd1.Manager.Detach', 'desk'], user=uid, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.world.until(lambda: child.poll() is not None, 'gdbus ends')
        with child.stderr:
            return child.stderr.read()

    @unittest.skipIf(os.getuid() == 0, 'needs not to be root')
    def test_i_am_denied(self):
        self.start_ready()
        self.world.polkit.answer = False
        self.assert_denied('org.freedesktop.DBus.Error.AccessDenied', '', 'Detach')


if __name__ == '__main__':
    unittest.main()
