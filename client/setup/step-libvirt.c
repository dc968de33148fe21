/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What guides change in libvirt's and AppArmor's configuration for QEMU's own
 * input-linux, and why none of it is needed. */

#include "client/setup/step-libvirt-legacy.h"

#define STEP "libvirt"

int step_libvirt_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        plan_note(p, STEP, PLAN_NOT_NEEDED, "nvram in qemu.conf: libvirt finds the firmware by QEMU's descriptors");
        plan_note(p, STEP, PLAN_NOT_NEEDED, "user and group in qemu.conf: QEMU stays the distribution's own user, and is "
                                            "never root");
        if (s->choices->legacy_input)
                return step_libvirt_legacy(s, p, ret_error);
        plan_note(p, STEP, PLAN_NOT_NEEDED, "the group input: its members can read every keyboard of the host, passwords "
                                            "included; libvirt lets this one domain open this one node");
        plan_note(p, STEP, PLAN_NOT_NEEDED, "cgroup_device_acl: for <input type='evdev'> libvirt does it, and for other "
                                            "domains vfio-guestd does, node by node");
        plan_note(p, STEP, PLAN_NOT_NEEDED, "an exception for AppArmor or SELinux: libvirt labels the node for the domain "
                                            "that names it");
        plan_note(p, STEP, PLAN_NOT_NEEDED, "libvirt is not restarted: none of its files is changed");
        plan_note(p, STEP, PLAN_OPTIONAL, "domains that hand a node to QEMU by qemu:arg need list and rule: "
                                          "--legacy-input=NODE");
        return 0;
}
