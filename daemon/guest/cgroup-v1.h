/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists of devices in control groups of version 1: text files of the group. A
 * child may be allowed only what its parent is, but does not become so by itself.
 * root: a descriptor of the hierarchy's top. */

#include "daemon/guest/cgroup.h"

int cgroup_v1_plan(int root, const char *group, dev_t device, struct cgroup_plan *plan);
int cgroup_v1_apply(int root, const struct cgroup_entry *entry, dev_t device);
int cgroup_v1_undo(int root, const struct cgroup_entry *entry, dev_t device);

/* What of DEVICE_RW a list grants in its own entry for this device; *ret_all
 * whether the list, with its wildcards, allows all of it. */
unsigned cgroup_v1_parse_list(const char *list, dev_t device, bool *ret_all);
/* Whether the list restricts nothing. */
bool cgroup_v1_is_unlimited(const char *list);
