/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The door of the device control group, of version 1 or 2: the list of devices
 * that a group of processes may open.
 *
 * A plan says what is missing in which list. It is made first, so that it can be
 * written down; then applied; and undone by what it says. */

#include "daemon/guest/layers.h"
#include "daemon/guest/process.h"

#define CGROUP_ENTRIES_MAX 64
#define CGROUP_PATH_MAX 1023

struct cgroup_entry {
        char *group; /* its path in the hierarchy; owned */
        uint32_t map; /* which of its maps, in version 2; otherwise 0 */
        uint32_t previous; /* what the list said of the device: a value of the map, or DEVICE_ bits; 0: nothing */
};

struct cgroup_plan {
        bool is_v1;
        struct cgroup_entry *entries; /* from the top of the hierarchy downwards */
        size_t n;
};

void cgroup_plan_clear(struct cgroup_plan *plan);
void cgroup_plan_add(struct cgroup_plan *plan, const char *group, uint32_t map, uint32_t previous);
const struct cgroup_entry *cgroup_plan_find(const struct cgroup_plan *plan, const char *group, uint32_t map);

/* Adds what is missing for the process to read and write the device. The number
 * of lists that there are, 0: the process is not confined like this; or negative. */
int cgroup_plan_make(const struct process *process, dev_t device, struct cgroup_plan *plan);
/* -E2BIG: a list is full. What has been applied already stays. */
int cgroup_plan_apply(const struct cgroup_plan *plan, dev_t device);
/* Puts every list back, but for those that say something else by now. */
int cgroup_plan_undo(const struct cgroup_plan *plan, dev_t device);
/* Says what the lists say now. */
int cgroup_check(const struct process *process, dev_t device, struct layers *layers);

/* The group that has to do with devices, from /proc/PID/cgroup; owned. -ENODATA: none. */
int cgroup_parse(const char *text, bool *ret_is_v1, char **ret_group);
/* An absolute path without empty, "." or ".." components. */
bool cgroup_path_is_valid(const char *path);
