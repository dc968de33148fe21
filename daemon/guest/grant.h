/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A grant: one input node opened for one domain's QEMU, while that runs, through
 * all the layers (layers.h) in which libvirt confines it.
 *
 * In QEMU's own /dev a node is made, under a path of its own:
 *
 *     /dev/vfio-inputd/PROFILE/inputN      PROFILE is libvirt-UUID
 *
 * N is never used twice in one boot, so the path means one device for ever.
 * Being an inode of its own, the node can belong to QEMU's user without
 * changing anything for anybody else. apparmor/libvirt-qemu lets every domain
 * open just what is below the directory with its own profile's name.
 *
 * Whatever is done is first written down, in a file of its own below the
 * directory of records; closing undoes what that says and nothing else. So a
 * daemon that was killed in the middle finds in the records what there is to
 * close. What was there before (an entry of the device group that libvirt or the
 * user made) is left as it was.
 *
 * Opening takes as long as apparmor_parser, about a second: not for the main
 * thread. The rest is a few system calls. One grant is used by one thread at a
 * time. */

#include "daemon/guest/input-node.h"
#include "daemon/guest/layers.h"
#include "daemon/guest/process.h"

struct grant;

#define GRANT_PATH_MAX 127

/* Opens the doors, and says of each layer how it is. An existing grant of the
 * same node to the same process (from an earlier life) is taken over. Negative
 * if the node cannot be had; then all that was done is undone again.
 * records: the directory, which exists. uuid: of the domain. domain: its name,
 * for the lists. Keeps a process pinned of its own. */
int grant_open(const char *records, const char *uuid, const char *domain, const struct process *process,
               const struct input_node *node, struct layers *layers, struct grant **ret);
/* Looks at every layer, changes nothing. 0 if none is shut, else -EACCES. */
int grant_check(struct grant *g, struct layers *layers);
/* Undoes it, frees g if all of it could be undone (or no longer exists) and
 * returns 0; otherwise the record stays and a negative errno is returned. */
int grant_close(struct grant *g);
/* Forgets it; it stays open and its record stays. */
struct grant *grant_free(struct grant *g);
DEFINE_CLEANUP(struct grant *, grant_free);

const char *grant_uuid(const struct grant *g);
const char *grant_domain(const struct grant *g);
const struct input_node *grant_node(const struct grant *g);
/* Where QEMU finds the node. */
const char *grant_path(const struct grant *g);
pid_t grant_pid(const struct grant *g);
/* Whether the process that it was for is still there. */
bool grant_is_alive(const struct grant *g);

/* Reads the records of an earlier life and hands each grant, owned, to fn. What
 * is no record, or half of one, is logged and removed if tidy: only while
 * nobody writes any. */
typedef void (*grant_found_fn)(struct grant *g, void *userdata);
int grants_load(const char *records, bool tidy, grant_found_fn fn, void *userdata);
