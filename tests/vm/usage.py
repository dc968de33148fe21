"""What our daemons ask of the kernel, counted by the kernel itself: system calls and capabilities.

count_from_now() at the beginning of a run; system_calls("vfio-inputd") and
capabilities("vfio-inputd") tell at its end what a program of that name has asked for,
what_is_allowed() what its unit lets it have. A system call is counted when seccomp
has let it through, a capability when it is asked for, whether it was had or not
(but not where the kernel merely looks whether it would be, and audits nothing).
"""

import ctypes
import re
import subprocess
from pathlib import Path

TRACING = Path("/sys/kernel/tracing")
PROBE = "usage/capable"
# cap_capable(cred, user namespace, capability, options), as amd64 passes them.
CAP_CAPABLE = f"p:{PROBE} cap_capable capability=%dx:s32 options=%cx:u32"
CAP_OPT_NOAUDIT = 2
AUDIT_ARCH_X86_64 = 0xc000003e
# A unit's programs by their names. libvirt runs the same parser for the same work, which counts as well.
PROGRAMS = {"vfio-inputd.service": ("vfio-inputd",), "vfio-guestd.service": ("vfio-guestd", "apparmor_parser")}


def count_from_now():
    (TRACING / "kprobe_events").write_text(CAP_CAPABLE + "\n")
    for program in sum(PROGRAMS.values(), ()):
        trigger("raw_syscalls/sys_enter", f'hist:keys=id:size=1024 if comm == "{program}"')
        trigger(PROBE, f'hist:keys=capability:size=128 if comm == "{program}" && !(options & {CAP_OPT_NOAUDIT})')


def trigger(event, text):
    with open(TRACING / "events" / event / "trigger", "a") as file:  # "w" would take the others away
        file.write(text + "\n")


def system_calls(program):
    """{name: how often}"""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_char_p
    name = lambda number: library.seccomp_syscall_resolve_num_arch(AUDIT_ARCH_X86_64, number).decode()  # noqa: E731
    return {name(number): times for number, times in counted("raw_syscalls/sys_enter", program)}


def capabilities(program):
    """{name: how often}, named as systemd does."""
    library = ctypes.CDLL("libcap.so.2")
    library.cap_to_name.restype = ctypes.c_char_p
    return {library.cap_to_name(number).decode(): times for number, times in counted(PROBE, program)}


def counted(event, program):
    """(key, times) of the event's histogram for the program."""
    for histogram in (TRACING / "events" / event / "hist").read_text().split("# event histogram"):
        if f'comm == "{program}"' in histogram:
            return [(int(key), int(times)) for key, times in re.findall(r"{ \w+: *(-?\d+) } hitcount: *(\d+)", histogram)]
    raise AssertionError(f"nothing was counted of {program}")


def what_is_allowed(unit, property):
    """The words of CapabilityBoundingSet= or SystemCallFilter=, as systemd has understood them."""
    return set(subprocess.run(["systemctl", "show", "--value", f"--property={property}", unit], check=True,
                              capture_output=True, text=True).stdout.split())
