#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same wish on a machine of each family of distributions: what is planned, and that it can be taken back.

VFIO_REWRITE_GOLDEN=1 writes the golden plans anew.
"""

import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import fixtures  # noqa: E402
from setup_world import WithRoot  # noqa: E402

GOLDEN = os.path.join(HERE, "golden")
WISH = ("--bind=ids", "--iommu-pt")


class Family(WithRoot):
    """What holds for each of them; a subclass a family is made below."""

    def test_golden_plan(self):
        # What a card is called depends on the database of the machine that runs this.
        shown = re.sub(r"(0000:0a:00\.\d) .* goes to", r"\1 NAME goes to", self.ok("plan", *WISH).out)
        path = os.path.join(GOLDEN, f"{self.FAMILY}.txt")
        if os.environ.get("VFIO_REWRITE_GOLDEN"):
            os.makedirs(GOLDEN, exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(shown)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(shown, file.read())

    def test_default_writes_nothing(self):
        """A card that libvirt hands over when the domain starts needs no file at all."""
        self.assertEqual(self.ok("plan", "--json").json["files"], [])

    def commands_planned(self):
        return [c for c in self.ok("plan", "--json", *WISH).json["commands"] if not c["rebuild"]]

    def test_apply_twice_and_undo(self):
        if self.commands_planned():
            self.skipTest("this family is told by a program, which a machine made of files has not")
        before = self.tree()
        self.apply(*WISH)
        once = self.tree()
        self.assertEqual(self.ok("plan", "--json", *WISH).json["files"], [])
        self.apply(*WISH)
        self.assertEqual(self.tree(), once)
        for path in (line.split()[0] for line in once if line not in before):
            if path.endswith(".cfg") or path == "/etc/default/grub":
                subprocess.run(["sh", "-n", self.root.outside(path)], check=True)
        self.undo()
        self.assertEqual(self.tree(), before)

    def test_guest_card_is_expected_to_be_bound(self):
        self.assertEqual(self.ok("plan", "--json", *WISH).json["bound"], [fixtures.GPU, "0000:0a:00.1"])


for name in fixtures.FAMILIES:
    globals()[f"Family_{name}"] = type(f"Family_{name}", (Family,), {"FAMILY": name})
del Family


class PeersFailures(WithRoot):
    """What is known to go wrong with other tools, each named after it."""

    def planned(self, path, *words):
        files = self.ok("plan", "--json", *(words or WISH)).json["files"]
        return next((f["diff"] for f in files if f["path"] == path), None)

    def rebuilt(self, family):
        root = self.root
        for name in os.listdir(root.path):
            root.remove("/" + name)
        self.root = fixtures.build(root.path, family)

    def test_dracut_file_without_conf_at_its_end_is_ignored_by_dracut(self):
        self.rebuilt("ubuntu_dracut")
        self.assertIn('force_drivers+=" vfio_pci vfio vfio_iommu_type1 "',
                      self.planned("/etc/dracut.conf.d/60-vfio-inputd.conf"))

    def test_virqfd_is_no_module_any_more(self):
        self.assertIn("+vfio_virqfd", self.planned("/etc/initramfs-tools/modules"))
        self.rebuilt("ubuntu_dracut")
        self.assertNotIn("virqfd", self.ok("plan", *WISH).out)

    def test_grub_value_in_single_quotes(self):
        self.rebuilt("arch_grub")
        self.root.file("/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT='quiet'  # mine\nGRUB_TIMEOUT=5\n")
        self.apply(*WISH)
        self.assertEqual(self.root.read("/etc/default/grub"),
                         "GRUB_CMDLINE_LINUX_DEFAULT='quiet iommu=pt'  # mine\nGRUB_TIMEOUT=5\n")

    def test_grub_value_that_is_empty(self):
        self.rebuilt("arch_grub")
        self.root.file("/etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT=""\nGRUB_CMDLINE_LINUX="x"')
        self.apply(*WISH)
        self.assertEqual(self.root.read("/etc/default/grub"),
                         'GRUB_CMDLINE_LINUX_DEFAULT="iommu=pt"\nGRUB_CMDLINE_LINUX="x"')

    def test_grub_value_without_quotes(self):
        self.rebuilt("arch_grub")
        self.root.file("/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n")
        self.apply(*WISH)
        self.assertEqual(self.root.read("/etc/default/grub"), 'GRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=pt"\n')

    def test_grub_value_whose_quotes_do_not_end(self):
        self.rebuilt("arch_grub")
        self.root.file("/etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet\nGRUB_TIMEOUT=5\n')
        before = self.tree()
        done = self.run_setup("apply", "--yes", *WISH)
        self.assertEqual(done.status, 1)
        self.assertIn("quotes", done.err)
        self.assertEqual(self.tree(), before)

    def test_grub_assignment_that_is_made_twice(self):
        self.rebuilt("arch_grub")
        self.root.file("/etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="a"\nGRUB_CMDLINE_LINUX_DEFAULT="b"\n')
        self.apply(*WISH)
        self.assertEqual(self.root.read("/etc/default/grub"),
                         'GRUB_CMDLINE_LINUX_DEFAULT="a"\nGRUB_CMDLINE_LINUX_DEFAULT="b iommu=pt"\n')

    def test_boot_loader_that_was_taken_for_another(self):
        """The one that is named is written and rebuilt, not half of each."""
        self.rebuilt("arch_grub")
        self.root.file("/etc/kernel/cmdline", "root=UUID=1 rw\n")
        for name, path, rebuild in (("GRUB", "/etc/default/grub", ["grub-mkconfig", "-o", "/boot/grub/grub.cfg"]),
                                    ("systemd-boot", "/etc/kernel/cmdline", ["mkinitcpio", "-P"])):
            plan = self.ok("plan", "--json", "cmdline", f"--bootloader={name}", "--iommu-pt").json
            self.assertEqual([f["path"] for f in plan["files"]], [path])
            self.assertEqual([c["argv"] for c in plan["commands"]], [rebuild])

    def by_hand(self, *words):
        return [n for n in self.ok("plan", "--json", *words).json["notes"] if n["verdict"] == "by hand"]

    def test_only_our_parameters_would_boot_nothing(self):
        """Where the boot loader's file names no root yet, ours would be all that the kernel gets."""
        for family, path in (("arch_systemd_boot", "/etc/kernel/cmdline"), ("cachyos", "/etc/default/limine")):
            self.rebuilt(family)
            self.root.file(path, "\n")
            self.assertIsNone(self.planned(path))
            self.assertIn("iommu=pt", str(self.by_hand(*WISH)))
            self.assertNotIn("has the parameters that it needs", self.ok("plan", *WISH).out)

    def test_ids_that_are_on_the_command_line_already(self):
        """By either spelling of the module: a second list would take the old card, too."""
        self.rebuilt("ubuntu_built_in")
        for word in ("vfio_pci.ids=1002:731f", "vfio-pci.ids=1002:731f"):
            self.root.file("/proc/cmdline", f"root=/dev/sda1 {word} quiet\n")
            self.assertIn(word, str(self.by_hand(*WISH)))
        self.assertIn("vfio-pci.ids=10de:1b80", self.planned("/etc/default/grub.d/60-vfio-inputd.cfg"))

    def test_grub_drop_in_keeps_what_was_there(self):
        """Sourced as grub-mkconfig does it."""
        self.apply(*WISH)
        script = ". '{0}/etc/default/grub'; for x in '{0}'/etc/default/grub.d/*.cfg; do . \"$x\"; done; " \
                 "echo \"$GRUB_CMDLINE_LINUX_DEFAULT\"".format(self.root.path)
        self.assertEqual(subprocess.check_output(["sh", "-c", script], text=True), "quiet iommu=pt\n")

    def test_modules_of_mkinitcpio_that_are_empty(self):
        self.rebuilt("arch_systemd_boot")
        self.apply(*WISH)
        script = f". '{self.root.path}/etc/mkinitcpio.conf'; for x in '{self.root.path}'/etc/mkinitcpio.conf.d/*.conf; " \
                 "do . \"$x\"; done; echo \"${MODULES[@]}\""
        self.assertEqual(subprocess.check_output(["bash", "-c", script], text=True), "vfio_pci vfio vfio_iommu_type1\n")

    def test_options_of_a_built_in_vfio_pci(self):
        """modprobe.d is for modules."""
        self.rebuilt("ubuntu_built_in")
        self.assertIsNone(self.planned("/etc/modprobe.d/vfio-inputd.conf"))
        self.assertIn("vfio-pci.ids=10de:1b80,10de:10f0", self.planned("/etc/default/grub.d/60-vfio-inputd.cfg"))

    def test_softdeps_name_drivers_that_exist(self):
        """One misspelt driver of a guide's list cost a reader the boot: ours are the kernel's own names."""
        diff = self.planned("/etc/modprobe.d/vfio-inputd.conf")
        self.assertEqual([line for line in diff.splitlines() if line.startswith("+softdep")],
                         ["+softdep nouveau pre: vfio-pci", "+softdep snd_hda_intel pre: vfio-pci"])

    def test_identical_cards(self):
        self.root.pci("0000:0b:00.0", "/0000:00:03.0", 0x030000, 0x10DE, 0x1B80, "nouveau", 6, 0)
        done = self.run_setup("plan", "--gpu=10de:1b80")
        self.assertEqual(done.status, 1)
        self.assertIn("name one by its address", done.err)

    def test_amd_iommu_is_no_switch(self):
        self.assertNotIn("amd_iommu=on", str(self.ok("plan", "--json", *WISH).json["files"]))

    def test_intel_iommu_only_where_it_is_off(self):
        self.root.intel_without_iommu()
        self.assertIn("intel_iommu=on", self.planned("/etc/default/grub.d/60-vfio-inputd.cfg", "--no-gpu"))

    def test_no_backup_is_left_where_a_folder_is_read_as_a_whole(self):
        self.apply(*WISH)
        self.assertEqual(os.listdir(self.root.outside("/etc/default/grub.d")), ["60-vfio-inputd.cfg"])
        self.assertEqual(os.listdir(self.root.outside("/etc/modprobe.d")), ["vfio-inputd.conf"])

    def test_parameters_are_not_doubled_between_apply_and_reboot(self):
        self.apply(*WISH)
        self.root.file("/proc/cmdline", "quiet iommu=pt\n")
        self.assertEqual(self.ok("plan", "--json", *WISH).json["files"], [])

    def test_damaged_block_is_said_and_kept(self):
        self.root.file("/etc/initramfs-tools/modules", "# begin vfio-inputd\nvfio_pci\n")
        done = self.run_setup("apply", "--yes", *WISH)
        self.assertEqual(done.status, 1)
        self.assertIn("damaged", done.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
