"""A client of QEMU's monitor protocol (QMP), for both sides of the test machine.

QMP is JSON lines on a unix socket: one reply for each command, in order, with
events in between. A reader thread sorts the two, so any thread may execute
commands and any thread may wait for an event that has already gone by.
"""

import json
import queue
import socket
import threading
import time


class QmpError(Exception):
    """QEMU refused a command, hung up or did not answer in time."""


class Qmp:
    def __init__(self, sock, timeout=30):
        self.timeout = timeout
        self.events = []
        self._sock = sock
        self._replies = queue.Queue()
        self._command_lock = threading.Lock()
        self._event_arrived = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self._reply()  # the greeting
        self.execute("qmp_capabilities")

    @classmethod
    def connect(cls, path, timeout=30):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        return cls(sock, timeout)

    def execute(self, command, **arguments):
        """The command's return value. Underscores in argument names mean dashes."""
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        return self.execute_raw({"execute": command, "arguments": arguments})

    def execute_raw(self, request):
        with self._command_lock:
            self._sock.sendall(json.dumps(request).encode() + b"\n")
            reply = self._reply()
        if "error" in reply:
            raise QmpError(f"{request['execute']}: {reply['error']['desc']}")
        return reply["return"]

    def hmp(self, command_line):
        """What the human monitor prints for a command that QMP lacks."""
        return self.execute("human-monitor-command", command_line=command_line)

    def mark(self):
        """A point in the stream of events, for wait_event()."""
        with self._event_arrived:
            return len(self.events)

    def wait_event(self, name, since=0, timeout=None, **data):
        """The first event of that name after `since` that carries all of `data`."""
        def matches(event):
            return event["event"] == name and data.items() <= event.get("data", {}).items()

        deadline = time.monotonic() + (timeout or self.timeout)
        with self._event_arrived:
            while True:
                found = next(filter(matches, self.events[since:]), None)
                if found:
                    return found
                if not self._event_arrived.wait(deadline - time.monotonic()):
                    raise QmpError(f"no {name} event in {timeout or self.timeout} s")

    def close(self):
        self._sock.close()

    def _reply(self):
        try:
            reply = self._replies.get(timeout=self.timeout)
        except queue.Empty:
            raise QmpError(f"QEMU has not answered in {self.timeout} s") from None
        if reply is None:
            self._replies.put(None)
            raise QmpError("QEMU has closed its monitor")
        return reply

    def _read(self):
        try:
            for line in self._sock.makefile("rb"):
                self._sort(json.loads(line))
        except (OSError, ValueError):
            pass
        self._replies.put(None)

    def _sort(self, message):
        if "event" not in message:
            self._replies.put(message)
            return
        with self._event_arrived:
            self.events.append(message)
            self._event_arrived.notify_all()
