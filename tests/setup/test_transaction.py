#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Applying and undoing on a Debian made of files: all or nothing, whatever happens in the middle."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from setup_world import LONGEST, PROGRAM, Done, WithRoot  # noqa: E402

WISH = ("--bind=ids", "--iommu-pt", "--ignore-msrs")
DROPIN = "/etc/default/grub.d/60-vfio-inputd.cfg"
MODPROBE = "/etc/modprobe.d/vfio-inputd.conf"
MODULES = "/etc/initramfs-tools/modules"


class Transaction(WithRoot):
    def test_plan_writes_nothing(self):
        before = self.tree()
        done = self.ok("plan", *WISH)
        self.assertIn(f"+++ {DROPIN}", done.out)
        self.assertIn("+options vfio-pci ids=10de:1b80,10de:10f0", done.out)
        self.assertIn("update-initramfs", done.out)
        self.assertEqual(self.tree(), before)
        self.assertFalse(self.root.exists("/var/lib/vfio-inputd"))

    def test_plan_is_what_no_verb_means(self):
        self.assertEqual(self.ok(*WISH).out, self.ok("plan", *WISH).out)

    def test_exit_code(self):
        self.assertEqual(self.run_setup("plan", "--exit-code", *WISH).status, 3)
        self.apply(*WISH)
        self.assertEqual(self.run_setup("plan", "--exit-code", *WISH).status, 0)

    def test_apply_and_undo_is_nothing(self):
        os.chmod(self.root.outside(MODULES), 0o640)
        before = self.tree()
        self.apply(*WISH)
        self.assertIn("iommu=pt", self.root.read(DROPIN))
        self.assertIn("softdep nouveau pre: vfio-pci", self.root.read(MODPROBE))
        self.assertIn("options kvm ignore_msrs=1", self.root.read(MODPROBE))
        self.assertTrue(self.root.read(MODULES).endswith("# end vfio-inputd\n"))
        self.assertEqual(os.stat(self.root.outside(MODULES)).st_mode & 0o777, 0o640)
        self.undo()
        self.assertEqual(self.tree(), before)
        self.assertEqual(self.ok("undo", "--yes").out, "Nothing to undo.\n")

    def test_apply_twice_is_apply_once(self):
        self.apply(*WISH)
        once = self.tree()
        self.assertIn("Nothing to do.", self.ok("apply", "--yes", *WISH).out)
        self.assertEqual(self.tree(), once)
        self.assertEqual(len(self.ok("list", "--json").json["transactions"]), 1)

    def test_two_applies_are_undone_in_reverse(self):
        before = self.tree()
        self.apply("--bind=ids")
        first = self.ok("list", "--json").json["transactions"][0]["id"]
        self.apply(*WISH)
        done = self.run_setup("undo", first, "--yes")
        self.assertEqual(done.status, 4)
        self.assertIn("came later", done.err)
        self.ok("undo", "--all", "--yes")
        self.assertEqual(self.tree(), before)
        self.assertEqual({t["state"] for t in self.ok("list", "--json").json["transactions"]}, {"undone"})

    def test_what_is_not_wanted_any_more_goes(self):
        before = self.tree()
        self.apply(*WISH)
        self.apply("--no-gpu")
        self.assertFalse(self.root.exists(DROPIN))
        self.assertFalse(self.root.exists(MODPROBE))
        self.ok("undo", "--all", "--yes")
        self.assertEqual(self.tree(), before)

    def test_foreign_edit_is_not_overwritten(self):
        before = self.tree()
        self.apply(*WISH)
        mine = self.root.read(DROPIN) + "# mine\n"
        self.root.file(DROPIN, mine)
        applied = self.tree()
        done = self.run_setup("undo", "--yes")
        self.assertEqual(done.status, 4)
        self.assertIn(DROPIN, done.err)
        self.assertIn("\n+# mine\n", done.err)
        self.assertEqual(self.tree(), applied)
        self.undo("--force")
        self.assertEqual(self.tree(), before)
        kept = [os.path.join(folder, name) for folder, _, names in os.walk(self.root.outside("/var/lib/vfio-inputd"))
                for name in names if name.startswith("rejected")]
        self.assertEqual(len(kept), 1)
        with open(kept[0], encoding="utf-8") as file:
            self.assertEqual(file.read(), mine)

    def test_what_somebody_removed_is_a_foreign_edit(self):
        self.apply(*WISH)
        self.root.remove(DROPIN)
        self.undo()  # as it was before: nothing is lost

    def test_links_are_followed_inside_the_root(self):
        self.root.file("/etc/real/modules", "# real\n")
        self.root.remove(MODULES)
        self.root.link(MODULES, "/etc/real/modules")
        before = self.tree()
        self.apply(*WISH)
        self.assertTrue(os.path.islink(self.root.outside(MODULES)))
        self.assertIn("vfio_pci", self.root.read("/etc/real/modules"))
        self.undo()
        self.assertEqual(self.tree(), before)

    def test_link_that_is_removed_comes_back_as_one(self):
        self.apply(*WISH)
        self.root.file("/etc/dotfiles/grub", self.root.read(DROPIN))
        self.root.remove(DROPIN)
        self.root.link(DROPIN, "../../dotfiles/grub")
        before = self.tree()
        self.apply("--no-gpu")
        self.assertFalse(self.root.exists(DROPIN))
        self.assertTrue(self.root.exists("/etc/dotfiles/grub"))
        self.undo()
        self.assertEqual(self.tree(), before)

    def test_what_is_no_file_is_not_replaced(self):
        """A mask is a link to /dev/null; a pipe stands for the device, which only root can make."""
        os.mkfifo(self.root.outside("/etc/null"))
        self.root.link(MODPROBE, "/etc/null")
        before = self.tree()
        done = self.run_setup("apply", "--yes", *WISH)
        self.assertEqual(done.status, 1, done.err)
        self.assertIn(f"{MODPROBE} is not a regular file", done.err)
        self.assertEqual(self.tree(), before)

    def test_clock_that_was_put_back(self):
        before = self.tree()
        self.apply("--bind=ids")
        store = self.root.outside("/var/lib/vfio-inputd/setup")
        os.rename(os.path.join(store, os.listdir(store)[0]), os.path.join(store, "20990101T000000Z"))
        self.apply(*WISH)
        self.assertEqual(sorted(os.listdir(store)), ["20990101T000000Z", "20990101T000000Zb"])
        self.undo()
        self.undo()
        self.assertEqual(self.tree(), before)

    def test_record_that_cannot_be_read_hides_no_older_one(self):
        self.apply("--bind=ids")
        self.apply(*WISH)
        store = self.root.outside("/var/lib/vfio-inputd/setup")
        with open(os.path.join(store, sorted(os.listdir(store))[-1], "plan.json"), "w", encoding="utf-8") as file:
            file.write("{")
        after = self.tree()
        self.assertEqual(self.run_setup("undo", "--yes").status, 1)
        self.assertEqual(self.run_setup("apply", "--yes", "--no-gpu").status, 4)
        self.assertEqual(self.tree(), after)

    def test_nobody_is_asked_without_a_terminal(self):
        before = self.tree()
        done = self.run_setup("apply", *WISH)
        self.assertEqual(done.status, 4)
        self.assertIn("--yes", done.err)
        self.assertEqual(self.tree(), before)

    def test_dry_run(self):
        before = self.tree()
        self.ok("apply", "--dry-run", "--yes", *WISH)
        self.assertEqual(self.tree(), before)

    def test_store_is_only_its_owners(self):
        self.apply(*WISH)
        for folder, folders, files in os.walk(self.root.outside("/var/lib/vfio-inputd/setup")):
            for name in (".", *folders):
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0)

    def test_check_before_and_after_a_reboot(self):
        self.root.file("/proc/sys/kernel/random/boot_id", "one\n")
        self.apply(*WISH)
        done = self.run_setup("check")
        self.assertEqual(done.status, 3)
        self.assertIn("was not rebooted", done.out)
        self.root.file("/proc/sys/kernel/random/boot_id", "two\n")
        done = self.run_setup("check")
        self.assertEqual(done.status, 3)
        self.assertIn("started without iommu=pt", done.out)
        self.root.file("/proc/cmdline", "root=/dev/nvme0n1p2 ro quiet iommu=pt\n")
        self.assertIn("bound to nouveau, not to vfio-pci", self.run_setup("check").out)
        for address in ("0000:0a:00.0", "0000:0a:00.1"):
            path = f"/sys/devices/pci0000:00/0000:00:03.0/{address}/driver"
            self.root.remove(path)
            self.root.link(path, "../../../../bus/pci/drivers/vfio-pci")
        self.assertEqual(self.run_setup("check").status, 0)
        self.root.file(MODPROBE, "# gone\n")
        done = self.run_setup("check", "--json")
        self.assertEqual(done.status, 3)
        self.assertEqual(next(c for c in done.json["checks"] if c["status"] == "fail")["id"], "setup.files")


class Usage(WithRoot):
    def test_wrong_words(self):
        for words, complaint in ((("--bind=boot",), '--bind knows no "boot"'), (("fly",), 'no verb or step "fly"'),
                                 (("--no-gpu", "--gpu=0a:00.0"), "exclude each other"),
                                 (("--isolate=slices",), "--isolate wants --cpus"), (("--memory=lots",), "--memory wants"),
                                 (("--create=win",), "--create wants --medium"), (("--bootloader=LILO",), "knows no"),
                                 (("--cpus=all",), "--cpus wants")):
            with self.subTest(words=words):
                done = self.run_setup("plan", *words)
                self.assertEqual(done.status, 2, done.err)
                self.assertIn(complaint, done.err)

    def test_card_that_is_not_there(self):
        for name in ("0000:0b:00.0", "1234:5678"):
            done = self.run_setup("plan", f"--gpu={name}")
            self.assertEqual(done.status, 1)
            self.assertIn(name, done.err)

    def test_root_that_is_not_there(self):
        done = subprocess.run([PROGRAM, "setup", "plan", "--root=/does/not/exist"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/does/not/exist", done.stderr)

    def test_steps(self):
        paths = [f["path"] for f in self.ok("plan", "modprobe", "--json", *WISH).json["files"]]
        self.assertEqual(paths, [MODPROBE])


class Gates(WithRoot):
    """Each on a machine that triggers it; --yes opens none."""

    def refused(self, gate, *words):
        before = self.tree()
        done = self.run_setup("apply", "--yes", *words)
        self.assertEqual(done.status, 4, done.err)
        self.assertIn(f"{gate}: ", done.err)
        self.assertEqual(self.tree(), before)

    def test_display_gpu(self):
        self.refused("display-gpu", "--bind=ids", "--gpu=00:02.0")
        self.apply("--bind=ids", "--gpu=00:02.0", "--accept-risk=display-gpu")

    def test_only_gpu(self):
        self.root.remove("/sys/bus/pci/devices/0000:00:02.0")
        self.refused("only-gpu", "--bind=ids")
        self.refused("only-gpu", "--bind=ids", "--accept-risk=display-gpu")
        self.apply("--bind=ids", "--accept-risk=only-gpu")

    def test_twin_ids(self):
        self.root.pci("0000:0b:00.0", "/0000:00:03.0", 0x030000, 0x10DE, 0x1B80, "nouveau", 6, 0)
        self.refused("twin-ids", "--bind=ids", "--gpu=0a:00.0")
        self.apply("--bind=address", "--gpu=0a:00.0")
        text = self.root.read(MODPROBE)
        self.assertIn("0000:0a:00.0", text)
        self.assertNotIn("0000:0b:00.0", text)
        self.assertNotIn("ids=", text)

    def test_group_foreign(self):
        self.root.pci("0000:0c:00.0", "/0000:00:03.0", 0x020000, 0x8086, 0x1539, "igb", 5)
        self.refused("group-foreign", "--bind=ids")
        self.apply("--bind=ids", "--accept-risk=group-foreign")

    def test_root_disk_opens_for_nobody(self):
        path = "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/iommu_group"
        self.root.remove(path)
        self.root.link(path, "../../../../kernel/iommu_groups/5")
        self.refused("root-disk", "--bind=ids")
        self.refused("root-disk", "--bind=ids", "--accept-risk=root-disk", "--accept-risk=group-foreign")


class Orphan(WithRoot):
    def test_killed_apply_leaves_the_lock_to_its_command(self):
        """update-initramfs, say, goes on without us, and must not end after the undo that it would spoil."""
        folder = tempfile.mkdtemp(prefix="vfio-setup-")
        self.addCleanup(shutil.rmtree, folder)
        gate, shell = os.path.join(folder, "gate"), os.path.join(folder, "sh")
        os.mkfifo(gate)
        with open(shell, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nexec cat {gate}\n")
        os.chmod(shell, 0o755)
        wish = ("apply", "--yes", "--quiet", *WISH)
        with self.run_setup(*wish, wait=False, env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}) as apply:
            with open(gate, "wb"):  # as soon as the command reads
                apply.kill()
                apply.wait(LONGEST)
                done = self.run_setup("undo", "--yes")
                self.assertEqual(done.status, 4, done.err)
                self.assertIn("a command that it has started", done.err)
        store = os.open(self.root.outside("/var/lib/vfio-inputd/setup"), os.O_RDONLY)
        fcntl.flock(store, fcntl.LOCK_EX)  # when the command has ended
        os.close(store)
        self.assertEqual(self.run_setup("undo", "--yes").status, 0)


class Commands(WithRoot):
    """The commands of the machine made of files, run in it: it gets a shell, and they say what they see."""

    REBUILD = """#!/bin/sh
# Fails once if /fail says whom to complain to.
words=
[ -e {dropin} ] && words=" after"
echo "$0${{*:+ $*}}${{words:- before}}" >> /said
if [ -s /fail ]; then
        read -r first < /fail
        : > /fail
        echo "no space for $first" >&2
        exit 7
fi
"""

    def setUp(self):
        super().setUp()
        done = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True, check=False, timeout=LONGEST)
        if done.returncode != 0:
            self.skipTest(f"no namespace of our own may be made: {done.stderr.strip()}")
        self.shell()
        for name in ("update-grub", "update-initramfs"):
            # The first line is what tells the makers apart.
            self.root.program(name, self.REBUILD.format(dropin=DROPIN) + "exit 0\nmkinitramfs -o x\n")
        for folder in ("proc", "dev", "run"):
            os.makedirs(self.root.outside(folder), exist_ok=True)

    def shell(self):
        libraries = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True).stdout.split()
        for path in ("/bin/sh", *(word for word in libraries if word.startswith("/"))):
            inside = self.root.outside(path)
            os.makedirs(os.path.dirname(inside), exist_ok=True)
            shutil.copy(path, inside)

    def said(self):
        lines = self.root.read("/said").splitlines() if self.root.exists("/said") else []
        if lines:
            self.root.remove("/said")
        return [line.rpartition("/")[2] for line in lines]

    def rebuild(self, *words, **how):
        command = [PROGRAM, "setup", *words, "--yes", f"--root={self.root.path}"]
        return Done(subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST,
                                   check=False, **how))

    def test_apply_and_undo_rebuild(self):
        before = self.tree()
        done = self.rebuild("apply", *WISH)
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual(sorted(self.said()), ["update-grub after", "update-initramfs -u -k all after"])
        done = self.rebuild("undo")
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual(sorted(self.said()), ["update-grub before", "update-initramfs -u -k all before"])
        self.assertEqual(self.tree(), before)

    def test_command_that_fails_takes_all_back(self):
        before = self.tree()
        self.root.file("/fail", "you\n")
        done = self.rebuild("apply", *WISH)
        self.assertEqual(done.status, 1, done.err)
        self.assertIn("ended with status 7: no space for you", done.err)
        self.assertTrue(done.err.endswith("Everything is as before\n"), done.err)
        said = self.said()
        # What had run runs again once the files are back; what had not, does not.
        self.assertEqual([line.rpartition(" ")[2] for line in said], ["after", "before"])
        self.root.remove("/fail")
        self.assertEqual(self.tree(), before)

    def test_taking_back_that_fails_is_said_and_goes_on_later(self):
        before = self.tree()
        for name in ("update-grub", "update-initramfs"):
            path = self.root.outside(f"/usr/bin/{name}")
            os.rename(path, path + ".good")
            self.root.program(name, "#!/bin/sh\nexit 3\nmkinitramfs\n")
        done = self.rebuild("apply", *WISH)
        self.assertEqual(done.status, 5, done.err)
        self.assertIn("/journal", done.err)
        self.assertEqual(self.rebuild("apply", *WISH).status, 4)
        for name in ("update-grub", "update-initramfs"):
            path = self.root.outside(f"/usr/bin/{name}")
            os.rename(path + ".good", path)
        done = self.rebuild("undo")
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual(self.tree(), before)
        self.assertEqual(len(self.said()), 1)

    def test_force_goes_on_over_a_command_that_can_never_succeed(self):
        before = self.tree()
        texts = {name: self.root.read(f"/usr/bin/{name}") for name in ("update-grub", "update-initramfs")}
        for name in texts:
            self.root.program(name, "#!/bin/sh\nexit 3\nmkinitramfs\n")
        self.assertEqual(self.rebuild("apply", *WISH).status, 5)
        self.assertEqual(self.rebuild("undo").status, 5)
        done = self.rebuild("undo", "--force")
        self.assertEqual(done.status, 0, done.err)
        self.assertIn("left undone: \"update-", done.err)
        for name, text in texts.items():
            self.root.program(name, text)
        self.assertEqual(self.tree(), before)
        self.assertEqual(self.ok("list", "--json").json["transactions"][0]["state"], "undone")

    def test_signal_while_a_command_runs(self):
        """The command ends in peace, then all is taken back."""
        text = self.root.read("/usr/bin/update-initramfs")
        self.root.program("update-initramfs", text.replace("words=\n", "words=\n[ -p /wait ] && read -r x < /wait\n", 1))
        before = self.tree()
        os.mkfifo(self.root.outside("/wait"))
        command = [PROGRAM, "setup", "apply", *WISH, "--yes", "--quiet", f"--root={self.root.path}"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as process:
            with open(self.root.outside("/wait"), "w", encoding="utf-8") as file:
                self.root.remove("/wait")  # only the first waits
                process.send_signal(signal.SIGTERM)
                file.write("go\n")
            err = process.communicate(timeout=LONGEST)[1]
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("ended by signal 15", err)
        self.assertEqual([line.rpartition(" ")[2] for line in self.said()], ["after", "after", "before", "before"])
        self.assertEqual(self.tree(), before)


def has_strace():
    try:
        done = subprocess.run(["strace", "-e", "trace=none", "true"], capture_output=True, check=False, timeout=LONGEST)
    except FileNotFoundError:
        return False
    return done.returncode == 0


@unittest.skipUnless(has_strace(), "strace is not installed, or may not trace")
class Faults(WithRoot):
    """A kill, or a full disk, at each system call that changes something."""

    CALLS = ("renameat", "fsync", "mkdirat", "unlinkat", "write")
    MOST = 200

    def inject(self, call, what, when, *words):
        log = tempfile.NamedTemporaryFile()
        self.addCleanup(log.close)
        # No leak can be looked for in what is traced.
        return self.run_setup(*words, before=("strace", "-o", log.name, "-e", f"trace={call}",
                                              "-e", f"inject={call}:{what}:when={when}"),
                              env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})

    def each(self, call, what, *words):
        """Runs it again and again on a fresh machine, with the fault one call later, until it meets none."""
        for when in range(1, self.MOST):
            shutil.rmtree(self.root.outside("/var/lib/vfio-inputd"), ignore_errors=True)
            done = self.inject(call, what, when, *words)
            yield when, done
            if done.status == 0:
                return
        self.fail(f"{call} is called more than {self.MOST} times")

    def test_killed_while_applying(self):
        before = self.tree()
        for call in self.CALLS:
            for when, done in self.each(call, "signal=KILL", "apply", "--yes", "--quiet", *WISH):
                with self.subTest(call=call, when=when):
                    if done.status != 0:
                        self.assertEqual(done.status, -signal.SIGKILL, done.err)
                    self.assertEqual(self.run_setup("undo", "--yes").status, 0)
                    self.assertEqual(self.tree(), before)

    def test_killed_while_undoing(self):
        before = self.tree()
        for call in ("renameat", "fsync", "unlinkat"):
            for when in range(1, self.MOST):
                shutil.rmtree(self.root.outside("/var/lib/vfio-inputd"), ignore_errors=True)
                self.apply(*WISH)
                done = self.inject(call, "signal=KILL", when, "undo", "--yes")
                with self.subTest(call=call, when=when):
                    self.assertEqual(self.run_setup("undo", "--yes").status, 0)
                    self.assertEqual(self.tree(), before)
                if done.status == 0:
                    break

    def test_unfinished_is_said(self):
        done = self.inject("renameat", "signal=KILL", 6, "apply", "--yes", "--quiet", *WISH)
        self.assertEqual(done.status, -signal.SIGKILL)
        done = self.run_setup("apply", "--yes", *WISH)
        self.assertEqual(done.status, 4)
        self.assertIn("vfioctl setup undo", done.err)
        self.assertEqual(self.ok("list", "--json").json["transactions"][0]["state"], "unfinished")

    def fails_cleanly(self, call, error):
        before = self.tree()
        for when, done in self.each(call, f"error={error}", "apply", "--yes", "--quiet", *WISH):
            with self.subTest(call=call, when=when):
                if done.status == 0:
                    self.undo()
                else:
                    self.assertIn(done.status, (1, 4), done.err)
                    self.assertRegex(done.err, "(Everything is as before|Nothing was changed)\n$")
                    self.assertIn(os.strerror(getattr(errno, error)), done.err)
                self.assertEqual(self.tree(), before)

    def test_full_disk(self):
        self.fails_cleanly("write", "ENOSPC")

    def test_disk_that_stays_full(self):
        """Then even the journal may have no room for the way back: the next undo finishes."""
        before = self.tree()
        for first in range(1, self.MOST):
            shutil.rmtree(self.root.outside("/var/lib/vfio-inputd"), ignore_errors=True)
            done = self.inject("write", "error=ENOSPC", f"{first}+", "apply", "--yes", "--quiet", *WISH)
            with self.subTest(first=first):
                self.assertIn(done.status, (0, 1, 4, 5), done.err)
                if done.status in (0, 5):
                    self.undo()
                self.assertEqual(self.tree(), before)
            if done.status == 0:
                return
        self.fail(f"write is called more than {self.MOST} times")

    def test_read_only(self):
        self.fails_cleanly("renameat", "EROFS")

    def test_disk_error(self):
        self.fails_cleanly("fsync", "EIO")


class Together(WithRoot):
    def test_second_apply_is_refused(self):
        """The lock is held by another process: the kernel's own flock(1)."""
        self.apply("--bind=ids")
        store = self.root.outside("/var/lib/vfio-inputd/setup")
        with subprocess.Popen(["flock", store, "sh", "-c", "echo; read x"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            done = self.run_setup("apply", "--yes", *WISH)
            holder.communicate(b"\n")
        self.assertEqual(done.status, 4)
        self.assertIn("at work", done.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
