"""Builds the disk of the test machine: a Debian host, with our packages installed.

Two layers, both kept in build-vm/ under a hash of what they were made from:

  base   a tar of Debian with packages.txt, rootfs/ and recipe.sh applied.
         Takes minutes and a network; made once per suite.
  image  the base with the given .deb files installed by apt, as a file system
         image, with its kernel and initrd beside it. Takes seconds, offline.

Nothing is mounted but /proc and /dev while apt installs, in a mount namespace of
its own, and where even that is forbidden it goes without.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
BUILD = CHECKOUT / "build-vm"

SUITES = ("bookworm", "trixie")
DISK_SIZE = "3G"
BASE_SPACE = 4 << 30
IMAGE_SPACE = 3 << 30
TOOLS = ("mmdebstrap", "mke2fs", "sfdisk", "tar", "unshare", "xz", "zstd", "qemu-img", "qemu-system-x86_64", "as", "ld", "gcc")


class Unavailable(Exception):
    """The test machine cannot be had; the text tells a person why, in one sentence."""


@dataclass
class Image:
    disk: Path
    kernel: Path
    initrd: Path
    suite: str


def host_packages():
    """The Debian packages that the machine running the tests needs."""
    return read_list(HERE / "host-packages.txt")


def get_image(suite="bookworm", debs=(), progress=lambda what: None):
    """The image of that suite with those packages; built if there is none yet."""
    debs = [Path(deb).resolve() for deb in debs]
    check_request(suite, debs)
    require_tools()
    require_root()
    directory = BUILD / f"image-{suite}-{digest(base_key(suite), *debs)}"
    if not directory.exists():
        with one_builder():
            base = get_base(suite, progress)
            if not directory.exists():
                require_space(IMAGE_SPACE)
                with building(directory) as partial:
                    build_image(base, debs, partial, progress)
        drop_old(f"image-{suite}-*", keep=3)
    os.utime(directory)  # the one least recently used goes first
    return Image(directory / "root.img", directory / "vmlinuz", directory / "initrd.img", suite)


def get_base(suite, progress, name="base", more=()):
    """`more`: packages that only this one has, which then has a name of its own."""
    directory = BUILD / f"{name}-{suite}-{digest(base_key(suite), *more)}"
    if not directory.exists():
        require_space(BASE_SPACE)
        progress(f"building the {suite} {name} layer, which takes minutes but only once")
        with building(directory) as partial:
            build_base(suite, partial, more)
        drop_old(f"{name}-{suite}-*", keep=1)
    return directory / "root.tar.zst"


def build_base(suite, directory, more=()):
    command = [
        "mmdebstrap", "--variant=minbase", "--quiet",
        "--include=" + ",".join([*read_list(HERE / "packages.txt", suite), *more]),
        f"--setup-hook=cp -r '{HERE}/rootfs/.' \"$1\"",
        f"--customize-hook={HERE}/recipe.sh",
        suite, str(directory / "root.tar.zst"),
    ]
    run_logged(command + debian_mirror(), directory / "log",
               f"the {suite} base layer could not be built; is the Debian mirror reachable?")


@contextlib.contextmanager
def unpacked(base, debs, directory, progress):
    """The tree of a base layer with these packages installed."""
    progress("unpacking the base layer")
    log = directory / "log"
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="root-") as root:
        # Device nodes come from devtmpfs; making them may not even be allowed here.
        run_logged(["tar", "--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--exclude=./dev/*",
                    "--zstd", "--file", base, "--directory", root], log, "the base layer could not be unpacked")
        if debs:
            progress("installing " + ", ".join(deb.stem for deb in debs))
            install(Path(root), debs, log)
        yield root


def build_image(base, debs, directory, progress):
    log = directory / "log"
    with unpacked(base, debs, directory, progress) as root:
        shutil.copy(newest(Path(root, "boot"), "vmlinuz-*"), directory / "vmlinuz")
        shutil.copy(newest(Path(root, "boot"), "initrd.img-*"), directory / "initrd.img")
        progress("making the disk")
        run_logged(["mke2fs", "-q", "-t", "ext4", "-L", "vfio-host", "-d", root, directory / "root.img", DISK_SIZE], log,
                   "the disk image could not be made")


def install(root, debs, log):
    """Install packages as a user would, with apt, but start none of their services."""
    script = """
        mount -t proc proc "$1/proc" 2>/dev/null || true
        mount --rbind /dev "$1/dev" 2>/dev/null || : >"$1/dev/null"
        exec chroot "$1" sh -c 'apt-get install --yes --no-install-recommends /tmp/debs/*.deb'
    """
    policy = root / "usr/sbin/policy-rc.d"
    packages = root / "tmp/debs"
    packages.mkdir()
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    for deb in debs:
        shutil.copy(deb, packages)
    run_logged(["unshare", "--mount", "sh", "-c", script, "sh", root], log,
               "apt-get could not install our packages", env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    policy.unlink()
    root.joinpath("dev/null").unlink(missing_ok=True)
    shutil.rmtree(packages)


# What a build needs


def check_request(suite, debs):
    if suite not in SUITES:
        raise Unavailable(f"there is no recipe for the suite {suite}, only for {' and '.join(SUITES)}")
    for deb in debs:
        if not deb.is_file():
            raise Unavailable(f"the package {deb} does not exist")


def require_root():
    if os.geteuid() != 0:
        raise Unavailable("building the test machine needs root; run this with sudo")


def require_tools():
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise Unavailable(f"{', '.join(missing)} not found; install with: apt-get install {' '.join(host_packages())}")


def require_space(needed):
    BUILD.mkdir(exist_ok=True)
    free = shutil.disk_usage(BUILD).free
    if free < needed:
        raise Unavailable(f"{BUILD} has {free >> 20} MB of free space and this needs {needed >> 20} MB")


def debian_mirror():
    """The Debian archive this machine itself uses, as mmdebstrap's last argument.

    Empty on a machine that is not Debian: mmdebstrap then takes its own default.
    """
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(file.read_text() for file in sources if file.is_file())
    found = re.search(r"^(?:deb\s+(?:\[.*?\]\s+)?|URIs:\s*)(\S+/debian/?)(?:\s|$)", text, re.MULTILINE)
    return [found[1]] if found else []


def read_list(file, suite=None):
    """The entries of a list file; those marked [SUITE] only for that suite."""
    entries = (line.split("#")[0].split() for line in file.read_text().splitlines())
    return [entry[0] for entry in entries if entry and entry[1:] in ([], [f"[{suite}]"])]


def run_logged(command, log, failure, env=None):
    with open(log, "ab") as output:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env).returncode
    if status != 0:
        kept = BUILD / "failed-build.log"
        shutil.copy(log, kept)
        raise Unavailable(f"{failure} (see {kept}: {first_error(log)})")


def first_error(log):
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(E:|Err:|error|mke2fs:|tar:|dpkg: error)", line, re.IGNORECASE)]
    return (errors or lines[-1:] or ["no output"])[0]


# The cache


def base_key(suite):
    recipe = sorted(file for file in (HERE / "rootfs").rglob("*") if file.is_file())
    return digest(suite, HERE / "packages.txt", HERE / "recipe.sh", *recipe)


def digest(*parts):
    """A short hash over strings and the contents of files."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


@contextlib.contextmanager
def building(directory):
    """A directory to fill, which takes its final name only when all went well."""
    partial = Path(tempfile.mkdtemp(dir=BUILD, prefix="partial-"))
    try:
        yield partial
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def one_builder():
    """Two runs at once do not build the same thing twice; what a killed one has left is removed."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in (*BUILD.glob("partial-*"), *BUILD.glob("root-*")):
            shutil.rmtree(left)
        yield


def drop_old(pattern, keep):
    """Remove all but the newest; a machine that runs from one of them keeps its open file."""
    by_age = sorted(BUILD.glob(pattern), key=lambda directory: directory.stat().st_mtime)
    for old in by_age[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def newest(directory, pattern):
    return max(directory.glob(pattern), key=lambda file: file.stat().st_mtime)
