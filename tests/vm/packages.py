"""Our Debian packages, built from this tree for the release of the test machine.

They are kept in build-vm/ under a hash of the sources they were made from. For
the release that this machine has itself they are built here, for another one in a
chroot of that release, which mmdebstrap makes and throws away.
"""

import platform
import subprocess
import tempfile
from pathlib import Path

from image import BUILD, CHECKOUT, building, debian_mirror, digest, drop_old, one_builder, run_logged

NOT_PACKAGED = ("tests", "demo", "check", "HACKING.md")


def get_packages(suite, progress):
    """The .deb files for that release; built if the sources have changed since they were."""
    with tempfile.TemporaryDirectory(prefix="vfio-sources-") as sources:
        subprocess.run([CHECKOUT / "build-aux/copy-tree", sources], check=True)
        directory = BUILD / f"deb-{suite}-{key(Path(sources))}"
        with one_builder():
            if not directory.exists():
                progress(f"building our packages for {suite}")
                build(suite, sources, directory)
                drop_old(f"deb-{suite}-*", keep=1)
    return sorted(deb for deb in directory.glob("*.deb") if "-dbgsym_" not in deb.name)


def key(sources):
    """A hash over the names and contents of all that the packages are made from."""
    files = sorted(file.relative_to(sources) for file in sources.rglob("*") if file.is_file())
    return digest(*(part for file in files if file.parts[0] not in NOT_PACKAGED for part in (str(file), sources / file)))


def build(suite, sources, directory):
    here = platform.freedesktop_os_release().get("VERSION_CODENAME")
    with building(directory) as partial:
        command = build_here(sources, partial) if suite == here else build_in_chroot(suite, sources, partial)
        run_logged(command, partial / "log", "our packages could not be built")


def build_here(sources, destination):
    return [f"{sources}/build-aux/build-deb", destination]


def build_in_chroot(suite, sources, destination):
    """All apt and dpkg is in the chroot: called from outside they would act on this machine."""
    return [
        "mmdebstrap", "--variant=buildd", "--format=null", "--quiet",
        f"--customize-hook=cp -r '{sources}' \"$1/src\"",
        "--customize-hook=chroot \"$1\" apt-get build-dep --yes --no-install-recommends --build-profiles nocheck /src",
        "--customize-hook=chroot \"$1\" /src/build-aux/build-deb /deb",
        f"--customize-hook=cp \"$1\"/deb/*.deb '{destination}'",
        suite, "-", *debian_mirror(),
    ]
