"""Everything that opening a device for a domain could leave behind, as text to compare.

    before = Listing()
    ...
    assert Listing().changes(before) == []

Nodes and their access lists in the host's /dev and in the /dev of every QEMU that
runs, files in the places where rules and records are kept, loaded AppArmor
profiles, and what the device groups of running domains allow. Nothing in it
changes by itself.
"""

import hashlib
import json
import os
import re
import stat
import subprocess
from pathlib import Path

RUNNING = Path("/run/libvirt/qemu")
PROFILES = Path("/sys/kernel/security/apparmor/profiles")
CGROUPS = Path("/sys/fs/cgroup")
ACL = "system.posix_acl_access"
DEV_VOLATILE = ("pts", "shm", "mqueue", "hugepages")
# Whose contents matter; of the rest of /etc only who owns what, and how much there is of it.
CONTENTS = ("/etc/apparmor.d", "/etc/apparmor", "/etc/libvirt", "/etc/vfio-inputd.conf", "/run/vfio-guestd")
DIRECTORIES = ("/etc", "/run/vfio-guestd", "/run/libvirt/qemu")


class Listing(dict):
    """{what it is about: what was found there}"""

    def __init__(self):
        super().__init__()
        self._add_tree("", "/dev", DEV_VOLATILE)
        for directory in DIRECTORIES:
            self._add_tree("", directory)
        for profile in PROFILES.read_text().splitlines():
            name, _, mode = profile.rpartition(" ")
            self[f"AppArmor profile {name}"] = mode
        for domain, pid in running():
            self._add_tree(f"{domain}'s ", "/dev", DEV_VOLATILE, root=f"/proc/{pid}/root")
            self[f"{domain}'s device group"] = ", ".join(sorted(device_rules(pid)))

    def changes(self, before, ignore=()):
        """What differs, a line each. `ignore`: patterns of what may differ."""
        differing = sorted(key for key in self.keys() | before.keys() if self.get(key) != before.get(key))
        return [f"{key}: {before.get(key, 'was not there')} -> {self.get(key, 'is gone')}" for key in differing
                if not any(re.search(pattern, key) for pattern in ignore)]

    def _add_tree(self, whose, top, leave_out=(), root=""):
        for directory, directories, files in os.walk(root + top):
            if directory == root + top:
                directories[:] = [name for name in directories if name not in leave_out]
            for name in [*directories, *files]:
                path = os.path.join(directory, name)
                try:
                    self[whose + path.removeprefix(root)] = describe(path, path.removeprefix(root))
                except FileNotFoundError:
                    pass  # gone while being looked at


def describe(path, shown):
    status = os.lstat(path)
    words = [stat.filemode(status.st_mode), f"{status.st_uid}:{status.st_gid}"]
    if stat.S_ISLNK(status.st_mode):
        words.append("to " + os.readlink(path))
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        words.append(f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}")
    elif stat.S_ISREG(status.st_mode):
        words.append(contents(path) if shown.startswith(CONTENTS) else f"{status.st_size} bytes")
    if not stat.S_ISLNK(status.st_mode) and ACL in os.listxattr(path):
        words.append("access list " + os.getxattr(path, ACL).hex())
    return " ".join(words)


def contents(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def running():
    """(name, pid) of every domain's QEMU."""
    for file in sorted(RUNNING.glob("*.xml")):
        yield file.stem, int(file.with_suffix(".pid").read_text())


# Device groups


def device_rules(pid):
    """What the kernel lets the process do with devices, a line a rule: "c 13:64 rw"."""
    group = legacy_group(pid)
    if group:
        return (group / "devices.list").read_text().splitlines()
    return [rule(key, value) for map in device_maps(pid) for key, value in map_entries(map)]


def legacy_group(pid):
    """The process's group in the old hierarchy of device groups, if the machine has that."""
    found = re.search(r"^\d+:devices:/(.*)$", Path(f"/proc/{pid}/cgroup").read_text(), re.MULTILINE)
    return CGROUPS / "devices" / found[1] if found else None


def device_maps(pid):
    """The maps of the device programs on the process's group and those above it, but not the slice's."""
    if legacy_group(pid):
        return []
    group = re.search(r"^0::/(.*)$", Path(f"/proc/{pid}/cgroup").read_text(), re.MULTILINE)[1]
    scope = CGROUPS / group.partition(".scope")[0]
    tree = bpftool("cgroup", "tree", str(scope) + ".scope")
    programs = {program["id"] for each in tree for program in each["programs"]
                if program["attach_type"] in ("device", "cgroup_device")}
    return sorted(map for program in programs for map in bpftool("prog", "show", "id", str(program)).get("map_ids", []))


def map_entries(map):
    """(key, value) of libvirt's map: major and minor, then access and type."""
    for entry in bpftool("map", "dump", "id", str(map)):
        yield number(entry["key"]), number(entry["value"])


def rule(key, value):
    """In the notation of devices.list."""
    type = "bc"[(value & 0xffff) - 1]
    access = "".join(letter for bit, letter in ((2, "r"), (4, "w"), (1, "m")) if value >> 16 & bit)
    return f"{type} {device(key >> 32)}:{device(key & 0xffffffff)} {access}"


def device(number):
    return "*" if number == 0xffffffff else str(number)


def number(data):
    return int.from_bytes(bytes(int(byte, 16) for byte in data), "little")


def allow(pid, rdev):
    """Let the process read and write a character device."""
    group = legacy_group(pid)
    if group:
        (group / "devices.allow").write_text(f"c {os.major(rdev)}:{os.minor(rdev)} rw")
    for map in device_maps(pid):
        bpftool("map", "update", "id", str(map), *key_of(rdev), "value", "hex", "02", "00", "06", "00")


def deny(pid, rdev):
    """Take that away again."""
    group = legacy_group(pid)
    if group:
        (group / "devices.deny").write_text(f"c {os.major(rdev)}:{os.minor(rdev)} rwm")
    for map in device_maps(pid):
        bpftool("map", "delete", "id", str(map), *key_of(rdev))


def key_of(rdev):
    """A node's key in libvirt's map, as arguments of bpftool."""
    key = os.major(rdev) << 32 | os.minor(rdev)
    return ["key", "hex", *(f"{byte:02x}" for byte in key.to_bytes(8, "little"))]


def bpftool(*arguments):
    shown = subprocess.run(["bpftool", "--json", *arguments], check=True, capture_output=True, text=True).stdout
    # It writes the backslashes of systemd's names as they are, and a newline after each.
    return json.loads(re.sub(r"\\\n?", r"\\\\", shown)) if shown.strip() else []
