#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--legacy-input: what a domain with qemu:arg needs of libvirt's list, AppArmor and the group input."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from setup_world import WithRoot  # noqa: E402

NODE = "/dev/input/by-id/usb-Maker_Board-event-kbd"
WISH = f"--legacy-input={NODE}"
CONF = "/etc/libvirt/qemu.conf"
ABSTRACTION = "/etc/apparmor.d/abstractions/libvirt-qemu"
LOCAL = "/etc/apparmor.d/local/abstractions/libvirt-qemu"
RULE = "/dev/input/event[0-9]* rw,"

# As it is shipped, but for all else.
SHIPPED = """\
#cgroup_controllers = [ "cpu", "devices" ]

# This is the basic set of devices allowed / required by
# all virtual machines.
#
#cgroup_device_acl = [
#    "/dev/null", "/dev/full", "/dev/zero",
#    "/dev/random", "/dev/urandom",
#    "/dev/ptmx", "/dev/kvm"
#]
#
# RDMA migration requires the following extra files to be added to the list:
#   "/dev/infiniband/rdma_cm",
"""


class Legacy(WithRoot):
    def setUp(self):
        super().setUp()
        self.root.file(CONF, SHIPPED, 0o600)
        self.root.file(ABSTRACTION, "  #include <abstractions/base>\n  #include <local/abstractions/libvirt-qemu>\n")
        self.root.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:106::/:/bin/false\n")
        self.root.file("/etc/group", "kvm:x:106:\ninput:x:104:libvirt-qemu\n")

    def refused(self, word, reason):
        before = self.tree()
        done = self.run_setup("apply", "--yes", word)
        self.assertEqual(done.status, 1)
        self.assertIn(reason, done.err)
        self.assertEqual(self.tree(), before)

    def commands(self):
        return [c["argv"] for c in self.ok("plan", "--json", WISH).json["commands"]]

    def test_list_rule_and_undo(self):
        before = self.tree()
        self.apply(WISH)
        shown = self.root.read(CONF)
        self.assertIn(f'"/dev/kvm",\n    "{NODE}"\n]\n#\n# RDMA', shown)
        self.assertEqual(shown.count('"/dev/urandom"'), 2)
        self.assertEqual(os.stat(self.root.outside(CONF)).st_mode & 0o777, 0o600)
        self.assertIn(RULE, self.root.read(LOCAL))
        self.assertEqual(self.ok("plan", "--json", WISH).json["files"], [])
        self.undo()
        self.assertEqual(self.tree(), before)

    def test_first_list_is_the_one_that_counts(self):
        self.root.file(CONF, 'cgroup_device_acl = [ "/dev/null", ]\ncgroup_device_acl = [ "/dev/kvm" ]\n')
        self.apply(WISH)
        self.assertEqual(self.root.read(CONF), f'cgroup_device_acl = [ "/dev/null", "{NODE}", ]\n'
                                               'cgroup_device_acl = [ "/dev/kvm" ]\n')

    def test_local_rules_of_others_stay(self):
        self.root.file(LOCAL, "# mine\n  /srv/** r,\n")
        self.apply(WISH)
        self.assertTrue(self.root.read(LOCAL).startswith("# mine\n  /srv/** r,\n# begin vfio-inputd\n"))

    def test_file_of_our_own_where_the_abstraction_reads_a_folder(self):
        self.root.file(ABSTRACTION, "  include if exists <abstractions/libvirt-qemu.d>\n"
                                    "  include if exists <local/abstractions/libvirt-qemu>\n")
        self.apply(WISH)
        self.assertIn(RULE, self.root.read(f"{ABSTRACTION}.d/vfio-inputd"))
        self.assertFalse(self.root.exists(LOCAL))

    def test_number_of_a_node_is_refused(self):
        self.refused("--legacy-input=/dev/input/event7", "another device after the next boot")

    def test_way_out_of_the_folder_is_refused(self):
        self.refused("--legacy-input=/dev/input/by-id/../../sda", "not the name of a node")
        self.refused("--legacy-input=/dev/input/by-id/..", "not the name of a node")

    def test_guides_user_without_quotes_is_said(self):
        self.root.file(CONF, "# a\nuser = vfio\n" + SHIPPED)
        self.refused(WISH, "line 2")

    def test_user_joins_the_group_only_where_it_is_none_yet(self):
        self.assertEqual(self.commands(), [])
        self.root.file("/etc/group", "input:x:104:alice\n")
        self.assertEqual(self.commands(), [["usermod", "--append", "--groups", "input", "--", "libvirt-qemu"]])
        self.root.file(CONF, 'user = "+carol"\n' + SHIPPED)
        self.assertEqual(self.commands(), [["usermod", "--append", "--groups", "input", "--", "carol"]])

    def test_without_qemu_conf_it_is_said_what_to_add(self):
        self.root.remove(CONF)
        done = self.ok("plan", WISH)
        self.assertIn(f'"{NODE}"', done.out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
