#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vfioctl doctor on machines made of files: a guide followed by hand, hostile text, JSON, exit codes, its page."""

import os
import re
import subprocess
import unittest

import fixtures
import setup_world

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "..", ".."))
QEMU_CONF = "/etc/libvirt/qemu.conf"
SHIPPED_CONF = '# Master configuration file\n#user = "libvirt-qemu"\n'
ABSTRACTION = "/etc/apparmor.d/abstractions/libvirt-qemu"
SHIPPED_ABSTRACTION = "  /dev/net/tun rw,\n  /dev/kvm rw,\n"
GROUP = "root:x:0:\ninput:x:104:{}\nkvm:x:106:libvirt-qemu\n"
PASSWD = "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:106::/var/lib/libvirt:/usr/sbin/nologin\n"
HOSTILE = "evil\x1b[2J\u202e\x07"


class Doctor(setup_world.WithRoot):
    def setUp(self):
        super().setUp()
        self.root.remove("/usr/lib/modules")
        self.root.kernel(release="6.12.0-1-amd64", virqfd=False)
        self.root.file("/usr/share/qemu/firmware/60-edk2-x86_64.json", '{ "interface-types": [ "uefi" ] }\n')
        self.root.file(QEMU_CONF, SHIPPED_CONF)
        self.root.file(ABSTRACTION, SHIPPED_ABSTRACTION)
        self.root.file("/etc/group", GROUP.format(""))
        self.root.file("/etc/passwd", PASSWD)
        self.root.file("/dev/kvm")
        self.root.file("/dev/uinput")

    def doctor(self, *words):
        return setup_world.Done(subprocess.run(
            [setup_world.PROGRAM, "doctor", f"--root={self.root.path}", *words], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=setup_world.LONGEST, check=False))

    def found(self):
        return {c["id"]: c for c in self.doctor("--json").json["checks"] if c["status"] in ("warn", "fail", "unknown")}


class Guide(Doctor):
    def follow(self):
        """What it says, word by word, with its mistakes."""
        self.root.file("/etc/default/grub", 'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet amd_iommu=on iommpu=pt '
                       f'video=efifb:off vfio-pci.ids={fixtures.IDS}"\nGRUB_CMDLINE_LINUX=""\n')
        self.root.file("/etc/modprobe.d/vfio.conf", f"options vfio-pci ids={fixtures.IDS}\n")
        self.root.file("/etc/modprobe.d/blacklist-gpu.conf", "blacklist nouveau\n")
        modules = "/etc/initramfs-tools/modules"
        self.root.file(modules, self.root.read(modules) + "vfio\nvfio_iommu_type1\nvfio_virqfd\nvfio_pci\n")
        self.root.file(QEMU_CONF, SHIPPED_CONF + 'user = vfio\ngroup = "vfio"\ncgroup_device_acl = [\n  "/dev/null", '
                       '"/dev/kvm",\n  "/dev/input/event10",\n  "/dev/input/by-id/usb-Kbd-event-kbd"\n]\n'
                       'nvram = [\n  "/usr/share/OVMF/OVMF_CODE.fd:/usr/share/OVMF/OVMF_VARS.fd"\n]\n')
        self.root.file(ABSTRACTION, SHIPPED_ABSTRACTION + "  /dev/input/event* rw,\n")
        self.root.file("/etc/apparmor.d/local/abstractions/libvirt-qemu", "# mine\n  /dev/input/by-id/** rw,\n")
        self.root.file("/etc/passwd", PASSWD + "vfio:x:1001:1001::/home/vfio:/bin/sh\n")
        self.root.file("/etc/group", GROUP.format("vfio,libvirt-qemu"))
        self.root.file("/etc/libvirt/qemu/win10.xml",
                       "<domain>\n<qemu:arg value='input-linux,id=k,evdev=/dev/input/event10'/>\n</domain>\n")

    def test_every_leftover_is_found_and_explained(self):
        self.follow()
        found = self.found()
        for check in ("cmdline", "ids-twice", "virqfd", "blacklist", "apparmor", "user", "acl", "nvram", "account", "qemu-args"):
            with self.subTest(check=check):
                self.assertEqual(found[f"guide.{check}"]["status"], "warn")
                self.assertTrue(found[f"guide.{check}"]["evidence"])
                self.assertTrue(found[f"guide.{check}"]["fix"])
        self.assertIn("input.group-overreach", found)
        self.assertEqual(found["libvirt.conf-parse"]["status"], "fail")

    def test_the_plan_names_it_and_leaves_it(self):
        self.follow()
        out = self.ok("plan").out
        self.assertIn("--cleanup", out)
        self.assertNotIn("gpasswd -d", out)

    def test_cleaned_files_are_as_they_were_shipped(self):
        plain = {path: self.root.read(path) for path in ("/etc/default/grub", "/etc/initramfs-tools/modules", QEMU_CONF,
                                                         ABSTRACTION)}
        self.follow()
        commands = [" ".join(c["argv"]) for c in self.ok("plan", "cleanup", "--cleanup", "--json").json["commands"]]
        for user in ("vfio", "libvirt-qemu"):
            self.assertTrue(any(re.search(f"gpasswd -d {user} input$", c) for c in commands), commands)
        self.root.file("/etc/group", GROUP.format(""))  # as those commands leave it
        before = self.tree()
        self.apply("cleanup", "--cleanup")
        plain["/etc/initramfs-tools/modules"] += "vfio\nvfio_iommu_type1\nvfio_pci\n"
        plain["/etc/apparmor.d/local/abstractions/libvirt-qemu"] = "# mine\n"
        self.assertEqual({path: self.root.read(path) for path in plain}, plain)
        self.assertEqual({i for i in self.found() if i.startswith("guide.")},
                         {"guide.blacklist", "guide.account", "guide.qemu-args"})
        self.undo()
        self.assertEqual(self.tree(), before)

    def test_a_list_with_other_nodes_keeps_them(self):
        self.root.file(QEMU_CONF, 'cgroup_device_acl = [ "/dev/null", "/dev/kvmfr0", "/dev/input/event3" ] # mine\n')
        self.apply("cleanup", "--cleanup")
        self.assertEqual(self.root.read(QEMU_CONF),
                         'cgroup_device_acl = [\n    "/dev/null",\n    "/dev/kvmfr0"\n] # mine\n')


class Interface(Doctor):
    def test_a_sound_machine(self):
        self.assertEqual({i: c["message"] for i, c in self.found().items()}, {})
        self.assertEqual(self.doctor().status, 0)

    def test_domains(self):
        def domain(inputs, more=""):
            self.root.file("/etc/libvirt/qemu/win10.xml", f"<domain><devices>{inputs}</devices>{more}</domain>\n")
            return self.found()
        keyboard = "<input type='evdev'><source dev='/dev/input/by-id/{}'/></input>"
        self.root.file("/dev/input/event5")
        for link in ("a", "b"):
            self.root.link(f"/dev/input/by-id/{link}", "../event5")
        self.assertEqual(domain(keyboard.format("a")), {})
        self.assertIn("not there", domain(keyboard.format("c"))["domain.evdev-node"]["message"])
        self.assertIn("twice", domain(keyboard.format("a") + keyboard.format("b"))["domain.evdev-node"]["message"])
        self.assertIn("next boot", domain(keyboard.format("../event5").replace("by-id/../", ""))
                      ["domain.evdev-node"]["message"])
        pinned = "<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='1' cpuset='{}'/></cputune>"
        self.assertEqual(domain("", pinned.format(3)), {})
        self.assertIn("CPUs 0,2", domain("", pinned.format("2-3"))["cpu.siblings-split"]["message"])
        self.assertEqual(self.doctor("--domain=none", "domain.found").status, 1)

    def test_status(self):
        self.assertEqual(self.doctor("nonsense").status, 2)
        self.assertEqual(self.doctor("--nonsense").status, 2)
        self.root.remove("/dev/uinput")
        self.assertEqual(self.doctor().status, 1)
        self.assertEqual(self.doctor("cpu.virt").status, 0)
        self.root.file("/dev/uinput")
        self.root.file("/etc/modprobe.d/b.conf", "blacklist nouveau\n")
        self.assertEqual(self.doctor().status, 0)
        self.assertEqual(self.doctor("--strict").status, 1)

    def test_json(self):
        done = self.doctor("--json", "cpu.virt", "input.uinput").json
        self.assertEqual(done["schema"], 1)
        self.assertEqual([c["id"] for c in done["checks"]], ["cpu.virt", "input.uinput"])
        for check in done["checks"]:
            self.assertEqual(set(check), {"id", "status", "message", "evidence", "fix"})
        self.assertEqual(sum(done["summary"].values()), 2)

    def test_no_foreign_text_reaches_the_terminal_raw(self):
        self.root.file("/proc/cmdline", f"quiet iommpu={HOSTILE}\n")
        self.root.file(QEMU_CONF, f"user = {HOSTILE}\n")
        self.root.file("/etc/modprobe.d/v.conf", f"options vfio-pci ids={HOSTILE}\n")
        self.root.file(f"/etc/apparmor.d/abstractions/libvirt-qemu.d/{HOSTILE}", "/dev/input/event1 rw,\n")
        self.root.remove(f"/sys/devices/pci0000:00/0000:00:03.0/{fixtures.GPU}/driver")
        self.root.link(f"/sys/devices/pci0000:00/0000:00:03.0/{fixtures.GPU}/driver", f"../{HOSTILE}")
        out = self.doctor().out
        self.assertIn("evil", out)
        for bad in "\x1b\u202e\x07":
            self.assertNotIn(bad, out)

    def test_every_check_is_on_the_page(self):
        listed = [line.split()[0] for line in self.doctor("--list").out.splitlines()]
        with open(os.path.join(TOP, "doc", "doctor.md"), encoding="utf-8") as page:
            written = re.findall(r"^\| `([a-z.-]+)` \|", page.read(), re.M)
        self.assertEqual(written, listed)


if __name__ == "__main__":
    unittest.main()
