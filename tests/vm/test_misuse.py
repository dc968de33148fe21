"""Bad input: configuration, bus, QMP. A clear error, and nothing is lost."""

import socket
import threading

import pytest

from service import PS2_KEYBOARD, QMP, systemctl, vfioctl

HOSTILE = QMP.with_name("hostile.qmp")

BAD_LINES = {
    'toggle = [ "leftctrl", "nokey" ];': "nokey",
    "toggle = 5;": "toggle",
    "grab-wait-ms = -1;": "grab-wait-ms",
    "unknown = true;": "unknown",
    'guests = ( { qmp = "/x"; } );': "name",
    'guests = ( { name = "host"; qmp = "/x"; } );': "host",
    'guests = ( { name = "a"; qmp = "relative"; } );': "relative",
    "toggle = [ # without an end": "",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_wrong_line_is_named_and_changes_nothing(hw, service, line):
    service.guest_nodes()
    before = service.status()
    service.configure(f"# one\n{line}", reload=False)
    reload = vfioctl("reload", check=False)
    assert reload.returncode == 1
    assert "/etc/vfio-inputd.conf:2:" in reload.stderr and "expected" in reload.stderr
    assert BAD_LINES[line] in reload.stderr
    assert systemctl("reload", "vfio-inputd.service", check=False).returncode != 0
    after = service.status()
    assert (after["toggle"], [t["name"] for t in after["targets"]]) == \
        (before["toggle"], [t["name"] for t in before["targets"]])
    with service.mirror(PS2_KEYBOARD) as host:
        hw.tap("h")
        host.expect(("KEY_H", 1), ("KEY_H", 0))


@pytest.mark.parametrize("arguments,status,words", [
    (("switch", "nobody"), 1, "nobody"),
    (("switch", "absent"), 4, "absent"),
    (("switch", "a", "b"), 2, ""),
    (("nonsense",), 2, "nonsense"),
    (("status", "--nonsense"), 2, "nonsense"),
])
def test_wrong_requests_get_their_own_answer(hw, service, arguments, status, words):
    service.configure('guests = ( { name = "absent"; qmp = "/run/desk/absent.qmp"; } );')
    reply = vfioctl(*arguments, check=False)
    assert reply.returncode == status, reply
    assert words in reply.stderr and reply.stdout == ""


class HostileQmp:
    """A QMP server that answers each connection with what `speak` does to it."""

    def __init__(self, speak):
        HOSTILE.parent.mkdir(exist_ok=True)
        HOSTILE.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(HOSTILE))
        self._listener.listen()
        self._speak = speak
        self.served = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._speak(connection)
                except OSError:
                    pass  # the other side has had enough
            self.served.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        HOSTILE.unlink(missing_ok=True)


def flood(connection):
    block = b"[" * 65536
    for _ in range(100 * 1024 * 1024 // len(block)):
        connection.sendall(block)


SPEECHES = {
    "nonsense": lambda connection: connection.sendall(b"GET / HTTP/1.0\r\n\r\n"),
    "closes mid-line": lambda connection: connection.sendall(b'{"QMP": {"version": {"qe'),
    "100 MB": flood,
    "wrong greeting": lambda connection: connection.sendall(b'{"return": {}}\n'),
}


@pytest.mark.parametrize("speech", SPEECHES)
def test_hostile_qmp_does_no_harm(hw, service, speech):
    with HostileQmp(SPEECHES[speech]) as qmp:
        service.configure(f'guests = ( {{ name = "bad"; qmp = "{HOSTILE}"; }} );')
        assert qmp.served.wait(30)
        guestd = service.pid("vfio-guestd.service")
        status = open(f"/proc/{guestd}/status").read()
        rss = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        assert rss < 32 * 1024
        assert vfioctl("switch", "bad", check=False).returncode == 4
        with service.mirror(PS2_KEYBOARD) as host:
            hw.tap("h")
            host.expect(("KEY_H", 1), ("KEY_H", 0))
        assert service.pid("vfio-guestd.service") == guestd
