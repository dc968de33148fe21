"""The machine's inside end: runs what the outside sends, passes on what tests ask of the hardware.

Two streams of JSON lines share the virtio-serial port org.vfio.control:

  outside to agent  {"id": 1, "run": [argv...], "env": {...}, "cwd": "...", "timeout": seconds}
  agent to outside  {"id": 1, "out": "text"} any number of times, then {"id": 1, "exit": status}

  agent to outside  {"hardware": 7, "do": "plug", "with": {...}}
  outside to agent  {"hardware": 7, "return": ...} or {"hardware": 7, "error": "..."}

The second stream begins at the unix socket hw.sock beside the unpacked tests,
where hw.py writes one request a line and reads one reply.
"""

import codecs
import itertools
import json
import os
import queue
import signal
import socketserver
import subprocess
import threading
from pathlib import Path

PORT = "/dev/virtio-ports/org.vfio.control"
FILES = Path(__file__).resolve().parents[2]
HARDWARE_SOCKET = FILES / "hw.sock"
TIMED_OUT = 124


class Control:
    """The port to the outside, written to by many threads and read by one."""

    def __init__(self):
        self._port = open(PORT, "r+b", buffering=0)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting = {}

    def send(self, message):
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            while data:
                data = data[self._port.write(data):]

    def ask_hardware(self, request):
        number = next(self._numbers)
        answer = self._waiting[number] = queue.SimpleQueue()
        self.send({"hardware": number} | request)
        return answer.get()

    def serve(self):
        with open(self._port.fileno(), "rb", closefd=False) as lines:
            for line in lines:
                message = json.loads(line)
                if "hardware" in message:
                    self._waiting.pop(message.pop("hardware")).put(message)
                else:
                    threading.Thread(target=run, args=(self, message), daemon=True).start()


def run(control, request):
    """Run one command in a session of its own and report its output and its end."""
    number = request["id"]
    try:
        process = subprocess.Popen(request["run"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=os.environ | request.get("env", {}),
                                   cwd=request.get("cwd", FILES), start_new_session=True)
    except OSError as error:
        control.send({"id": number, "out": f"{error}\n"})
        control.send({"id": number, "exit": 127})
        return
    copier = threading.Thread(target=copy_output, args=(control, number, process.stdout), daemon=True)
    copier.start()
    status = wait(process, request.get("timeout"))
    copier.join(timeout=5)  # not for ever: a process left behind may hold the pipe
    control.send({"id": number, "exit": status})


def wait(process, timeout):
    """The exit status, as a shell would give it; past the timeout the session is killed."""
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return TIMED_OUT
    return 128 - status if status < 0 else status


def copy_output(control, number, pipe):
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while data := os.read(pipe.fileno(), 1 << 16):
        control.send({"id": number, "out": decoder.decode(data)})


def serve_hardware(control):
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(json.dumps(control.ask_hardware(json.loads(line))).encode() + b"\n")

    HARDWARE_SOCKET.unlink(missing_ok=True)
    server = socketserver.ThreadingUnixStreamServer(str(HARDWARE_SOCKET), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    control = Control()
    serve_hardware(control)
    control.send({"hello": os.uname().release})
    control.serve()


if __name__ == "__main__":
    main()
