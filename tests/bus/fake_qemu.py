#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for a QEMU: a QMP socket, the objects behind it, and every bad manner a test may want.

    fake_qemu.py --socket PATH [--log FILE] [--mode MODE] [--version 7.2] [--uid UID] [--die-at N]
                 [--fail COMMAND=TEXT] [--paused]

Serves one client after the other, like QEMU. Writes a line for every command into FILE. Says "ready" on standard
output, then takes orders on standard input, one a line, and answers each with one line:

    event NAME           sends an event
    pause, resume        changes the status, with its event
    hang, answer         stops reading; reads on
    fail COMMAND=TEXT    that command, or COMMAND:ID, gets an error; without TEXT no longer
    forget               drops all objects
    objects              answers with the objects, as JSON
    raw TEXT             sends TEXT as it is
    quit                 exits, and removes the socket
"""

import argparse
import json
import os
import select
import socket
import sys

MODES = ('normal', 'nonsense', 'midline', 'never', 'flood', 'events', 'long', 'deep', 'wrong-id', 'twice')


class Qemu:
    def __init__(self, options):
        self.options = options
        self.running = not options.paused
        self.hanging = False
        self.objects = {}
        self.failures = dict(f.split('=', 1) for f in options.fail)
        self.commands = 0
        self.client = None
        self.buffer = b''
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(options.socket):
            os.unlink(options.socket)
        self.listener.bind(options.socket)
        os.chmod(options.socket, 0o777)
        self.listener.listen(1)

    def note(self, text):
        if self.options.log:
            with open(self.options.log, 'a', encoding='utf-8') as f:
                f.write(f'qmp {text}\n')

    def send(self, message):
        try:
            self.client.sendall(json.dumps(message).encode() + b'\r\n')
        except OSError:
            self.hang_up()

    def send_bytes(self, data, times=1):
        try:
            for _ in range(times):
                self.client.sendall(data)
            self.note('all sent')
        except OSError:
            self.note('cut off')
        self.hang_up()

    def hang_up(self):
        if self.client:
            self.client.close()
        self.client = None
        self.buffer = b''

    def accept(self):
        self.client, _ = self.listener.accept()
        self.note('client')
        mode = self.options.mode
        major, minor = (int(n) for n in self.options.version.split('.'))
        greeting = {'QMP': {'version': {'qemu': {'micro': 0, 'minor': minor, 'major': major}, 'package': ''},
                            'capabilities': ['oob']}}
        if mode == 'nonsense':
            self.send_bytes(b'SSH-2.0-OpenSSH_9.2p1\r\n')
        elif mode == 'midline':
            self.send_bytes(json.dumps(greeting).encode()[:40])
        elif mode == 'flood':
            self.send_bytes(b'{"QMP": "' + b'x' * (1 << 20), 100)
        elif mode == 'deep':
            self.send_bytes(b'[' * 4096)
        elif mode != 'never':
            self.send(greeting)

    def read(self):
        try:
            data = self.client.recv(65536)
        except OSError:
            data = b''
        if not data:
            self.note('client gone')
            self.hang_up()
            return
        self.buffer += data
        while self.client and b'\n' in self.buffer:
            line, self.buffer = self.buffer.split(b'\n', 1)
            self.execute(json.loads(line))

    def execute(self, request):
        command, arguments = request['execute'], request.get('arguments', {})
        self.commands += 1
        self.note(' '.join([command] + ([json.dumps(arguments, sort_keys=True)] if arguments else [])))
        if self.commands == self.options.die_at:
            os._exit(1)
        reply = self.answer(command, arguments)
        if self.options.mode == 'wrong-id' and command != 'qmp_capabilities':
            reply['id'] = request['id'] + 1
        else:
            reply['id'] = request['id']
        self.send(reply)
        if self.options.mode == 'twice' and command != 'qmp_capabilities':
            self.send(reply)
        elif self.options.mode == 'events' and command == 'query-status':
            self.send_bytes(b'{"event": "RTC_CHANGE", "timestamp": {}, "data": {}}\r\n', 1000000)
        elif self.options.mode == 'long' and command == 'query-status':
            self.send_bytes(b'{"event": "%s"}\r\n' % (b'x' * (2 << 20)))

    def answer(self, command, arguments):
        failure = self.failures.get(command) or self.failures.get(f"{command}:{arguments.get('id')}")
        if failure:
            return {'error': {'class': 'GenericError', 'desc': failure}}
        method = getattr(self, 'do_' + command.replace('-', '_'), None)
        try:
            return {'return': method(arguments)}
        except (KeyError, TypeError, ValueError) as e:
            return {'error': {'class': 'GenericError', 'desc': str(e)}}

    def do_qmp_capabilities(self, arguments):
        return {}

    def do_query_status(self, arguments):
        return {'running': self.running, 'singlestep': False, 'status': 'running' if self.running else 'paused'}

    def do_qom_list(self, arguments):
        return [{'name': 'type', 'type': 'string'}] + [
            {'name': name, 'type': 'child<input-linux>'} for name in self.objects]

    def do_qom_get(self, arguments):
        return self.objects[arguments['path'].rsplit('/', 1)[1]][arguments['property']]

    def do_object_add(self, arguments):
        if arguments['id'] in self.objects:
            raise ValueError(f"attempt to add duplicate property '{arguments['id']}'")
        flat = int(self.options.version.split('.')[0]) >= 6
        properties = {k: v for k, v in arguments.items() if k not in ('id', 'qom-type')}
        if not flat:
            properties = properties.pop('props')
        if 'evdev' not in properties:
            raise ValueError('no evdev property specified')
        self.objects[arguments['id']] = properties
        return {}

    def do_object_del(self, arguments):
        del self.objects[arguments['id']]
        return {}

    def order(self, line):
        word, _, rest = line.partition(' ')
        answer = 'done'
        if word == 'event':
            self.send({'event': rest, 'timestamp': {'seconds': 1, 'microseconds': 2}})
        elif word in ('pause', 'resume'):
            self.running = word == 'resume'
            self.send({'event': word.upper() if word == 'resume' else 'STOP', 'timestamp': {}})
        elif word in ('hang', 'answer'):
            self.hanging = word == 'hang'
        elif word == 'fail':
            command, _, text = rest.partition('=')
            self.failures[command] = text
        elif word == 'forget':
            self.objects.clear()
        elif word == 'objects':
            answer = json.dumps(self.objects)
        elif word == 'raw':
            self.client.sendall(rest.encode())
        elif word == 'quit':
            os.unlink(self.options.socket)
        print(answer, flush=True)
        if word == 'quit':
            sys.exit(0)

    def run(self):
        print('ready', flush=True)
        while True:
            sources = [sys.stdin]
            if not self.hanging:
                sources.append(self.client or self.listener)
            for source in select.select(sources, [], [])[0]:
                if source is sys.stdin:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self.order(line.rstrip('\n'))
                elif source is self.listener:
                    self.accept()
                elif source is self.client:
                    self.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--socket', required=True)
    parser.add_argument('--log')
    parser.add_argument('--mode', choices=MODES, default='normal')
    parser.add_argument('--version', default='7.2')
    parser.add_argument('--uid', type=int)
    parser.add_argument('--die-at', type=int)
    parser.add_argument('--fail', action='append', default=[])
    parser.add_argument('--paused', action='store_true')
    options = parser.parse_args()
    if options.uid is not None:
        os.setgid(options.uid)
        os.setuid(options.uid)
    Qemu(options).run()


if __name__ == '__main__':
    main()
