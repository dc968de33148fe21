"""A libvirt domain whose operating system is Linux: the machine's own kernel, with guest/init.c for all the rest.

It has drivers for virtio input devices and for nothing else, so that whatever it
receives came to it that way. What it received is told in the names of libevdev:

    guest.expect(("KEY_A", 1), ("KEY_A", 0), ("REL_HWHEEL", -1))

Emulation in emulation is slow: its kernel has been unpacked outside (by run), and
leaves out what takes long and what nobody here needs.
"""

import gzip
import lzma
import re
import stat
from pathlib import Path

import libevdev

from domain import Domain

FILES = Path(__file__).resolve().parent / "guest"
MODULES = ("virtio_pci", "virtio_input", "evdev")
COMMAND_LINE = (
    "quiet panic=-1 nokaslr mitigations=off rodata=off nosmp noapic nolapic tsc=reliable lpj=1000000 ipv6.disable=1 "
    "cryptomgr.notests random.trust_cpu=on initcall_blacklist=init_kprobe_trace,load_system_certificate_list,"
    "crypto_kdf108_init,btf_vmlinux_init,cubictcp_register,init_dynamic_event,init_trace_printk_function_export")
AUTOREPEAT = 2


class LinuxDomain(Domain):
    MEMORY = 96

    def __init__(self, *arguments, **options):
        self.devices = {}
        super().__init__(*arguments, **options)

    def _boot(self):
        initrd = self.directory / "initrd"
        initrd.write_bytes(initramfs())
        return f"<kernel>{FILES}/vmlinux</kernel><initrd>{initrd}</initrd><cmdline>{COMMAND_LINE}</cmdline>"

    def _devices(self):
        return ""

    def _read(self, fd):
        with open(fd, errors="replace", closefd=False) as lines:
            for line in lines:
                self._report_line(line.split())

    def _report_line(self, words):
        match words:
            case ["R"]:
                self.ready.set()
            case ["D", node, *name]:
                self.devices[node] = " ".join(name)
            case ["G", node]:
                self.devices.pop(node, None)
            case ["E", _, type, code, value]:
                self._add_event(libevdev.evbit(int(type), int(code)), int(value))

    def _add_event(self, code, value):
        with self._changed:
            if code.type == libevdev.EV_KEY:
                self._down = self._down | {code.name} if value else self._down - {code.name}
            if code.type != libevdev.EV_KEY or value != AUTOREPEAT:
                self.events.append((code.name, value))
            self._changed.notify_all()


def initramfs():
    modules = ordered_modules()
    files = [("init", stat.S_IFREG | 0o755, (FILES / "init").read_bytes()), ("dev", stat.S_IFDIR | 0o755, b""),
             ("modules", stat.S_IFDIR | 0o755, b""),
             ("modules/order", stat.S_IFREG | 0o644, "\n".join(name for name, _ in modules).encode()),
             *((f"modules/{name}", stat.S_IFREG | 0o644, data) for name, data in modules)]
    return cpio(files)


def cpio(files):
    """An archive in the format "newc" of (name, mode, data)."""
    archive = b""
    for number, (name, mode, data) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        archive += padded(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")
        archive += padded(data)
    return archive


def padded(data):
    return data + bytes(-len(data) % 4)


def ordered_modules():
    """(file name, contents) of the modules and of what they need, in the order of loading."""
    top = max(Path("/lib/modules").iterdir())
    needs = {name_of(file): [] for file in (top / "modules.builtin").read_text().split()}
    for line in (top / "modules.dep").read_text().splitlines():
        module, _, needed = line.partition(":")
        needs[name_of(module)] = [module, *needed.split()]
    found = {}
    for name in MODULES:
        for file in reversed(needs[name]):
            found.setdefault(name_of(file) + ".ko", unpacked(top / file))
    return list(found.items())


def name_of(module):
    return re.sub(r"\.ko.*$", "", Path(module).name).replace("-", "_")


def unpacked(file):
    opener = {".xz": lzma.open, ".gz": gzip.open}.get(file.suffix, open)
    with opener(file, "rb") as data:
        return data.read()
