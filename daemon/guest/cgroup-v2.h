/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists of devices in control groups of version 2: maps of the BPF programs that
 * are attached to a group and to those above it, all of which must allow a device.
 * root: a descriptor of the hierarchy's top. */

#include "daemon/guest/cgroup.h"

int cgroup_v2_plan(int root, const char *group, dev_t device, struct cgroup_plan *plan);
int cgroup_v2_apply(int root, const struct cgroup_entry *entry, dev_t device);
/* libvirt replaces a full map by a larger copy, in which our entry is too: all
 * maps of the group that are in no other entry of the plan are put back. */
int cgroup_v2_undo(int root, const struct cgroup_plan *plan, const struct cgroup_entry *entry, dev_t device);
