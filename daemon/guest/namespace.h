/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The door of the mount namespace: a node in the /dev that QEMU sees, be that
 * its own, which libvirt made for it, or the host's.
 *
 * That namespace is never entered. Its /dev is reached through /proc/PID/root,
 * every step below with a descriptor, without following any link and only
 * through directories in which nobody but root can have put anything. */

#include <sys/stat.h>

#include "daemon/guest/process.h"

/* The directory of all our nodes in a /dev; below it one for each profile. */
#define NAMESPACE_DIRECTORY "vfio-inputd"

/* Where the node is, below a /dev. */
struct namespace_place {
        const char *profile;
        const char *name;
};

/* Descriptors, owned by the caller. -ESRCH: the process has ended, or is about to;
 * -EPERM: others than root could have changed that /dev. */
int namespace_open_dev(const struct process *p);
int namespace_open_host_dev(void);
/* Whether two descriptors mean the same directory. */
bool namespace_is_same(int a, int b);

/* Makes the node for one user, or makes the one that is there already that
 * user's. -EEXIST: there is something else at its place. */
int namespace_make_node(int dev, const struct namespace_place *place, dev_t device, uid_t uid, gid_t gid);
/* Removes the node, unless it is another device's, and the directories if nothing
 * else is left in them. 0 also if there was nothing. */
int namespace_remove_node(int dev, const struct namespace_place *place, dev_t device);
/* -ENOENT: there is none. */
int namespace_stat_node(int dev, const struct namespace_place *place, struct stat *ret);
