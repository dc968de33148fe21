#!/usr/bin/env python3
"""Run the guide for real: a host that boots by its own GRUB is set up, rebooted, used, taken back and rebooted again.

Exit status: 0 all passed, 1 some failed, 2 the machine could not be had or died.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE)]

from image import BUILD, SUITES, Unavailable  # noqa: E402
from packages import get_packages  # noqa: E402
from vm import MachineDied  # noqa: E402
from disk import SetupMachine, get_setup_image, new_disk, power_off  # noqa: E402

BOOTS = ("TestFresh", "TestApplied", "TestUndone", "TestTwins", "TestFull", "TestCreate", "TestCreated")
CREATION = ("TestCreate", "TestCreated")  # in test_create.py, the others in test_guide.py
PER_TEST_TIMEOUT = 500
RESULTS = BUILD / "results-setup"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES, default=SUITES[0])
    parser.add_argument("--deb", nargs="+", type=Path, metavar="FILE", help="our packages (default: built for that suite)")
    parser.add_argument("--boots", nargs="+", choices=BOOTS, default=BOOTS, help="only these, in this order")
    parser.add_argument("-m", dest="marks", metavar="MARKS", default="", help="only tests with such marks, as pytest's -m")
    parser.add_argument("--timeout", type=int, default=1800, metavar="S", help="end each boot after this long")
    return parser.parse_args()


def say(what):
    print(f"setup: {what}", file=sys.stderr, flush=True)


def files(directory):
    """What travels into the machine; the guest's boot sector as tests/vm/run makes it."""
    import importlib.machinery
    import importlib.util

    loader = importlib.machinery.SourceFileLoader("vm_run", str(HERE.parent / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("vm_run", loader))
    loader.exec_module(module)
    return {"tests/vm": HERE.parent, "tests/vm/guest/bootsector.bin": module.assemble(directory)}


def one_boot(image, disk, name, arguments, directory):
    file = "test_create.py" if name in CREATION else "test_guide.py"
    results = directory / name
    results.mkdir()
    with SetupMachine(image, disk, files=files(directory), deadline=arguments.timeout) as machine:
        say(f"{name}: up after {machine.wait_until_up():.0f} s")
        machine.run(["mkdir", "/run/vmtest/results"])
        machine.run(["python3", "-m", "pytest", "-v", "-p", "no:cacheprovider", "-rA", f"--timeout={PER_TEST_TIMEOUT}",
                     "--rootdir=/run/vmtest/tests/vm", "--confcutdir=/run/vmtest/tests/vm",
                     "--junitxml=/run/vmtest/results/junit.xml", "-m", arguments.marks, f"setup/{file}::{name}"],
                    timeout=arguments.timeout, cwd="/run/vmtest/tests/vm",
                    output=lambda text: print(text, end="", flush=True))
        machine.fetch("/run/vmtest/results", results)
        shutil.copy(machine.serial_log, results)
        shutil.copy(machine.journal_log, results)
        power_off(machine)
    return count(results / "junit.xml")


def count(junit):
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    total, skipped, failures, errors = (int(suite.get(name)) for name in ("tests", "skipped", "failures", "errors"))
    return total - skipped - failures - errors, failures + errors, skipped


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    started = time.monotonic()
    totals = (0, 0, 0)
    try:
        image = get_setup_image(arguments.suite, arguments.deb or get_packages(arguments.suite, say), say)
        with tempfile.TemporaryDirectory(prefix="vfio-setup-") as directory:
            disk = new_disk(image, directory)
            for name in arguments.boots:
                counts = one_boot(image, disk, name, arguments, Path(directory))
                totals = tuple(sum(pair) for pair in zip(totals, counts))
                shutil.rmtree(RESULTS / name, ignore_errors=True)
                shutil.copytree(Path(directory) / name, RESULTS / name)
    except (Unavailable, MachineDied) as error:
        print(f"vm: {error}", file=sys.stderr)
        return 2
    print(f"vm: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped, {time.monotonic() - started:.0f} s; logs in "
          f"build-vm/{RESULTS.name}/", flush=True)
    return 0 if totals[1] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
