/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is written down of a grant before it is done: a file of lines KEY=VALUE,
 * named UUID-inputN, in the directory of records. That belongs to root and is
 * gone at the next boot, like all that the records speak of. Still, a file is
 * believed only if all of it makes sense. */

#include <stdint.h>
#include <sys/types.h>

#include "daemon/guest/apparmor.h"
#include "daemon/guest/cgroup.h"
#include "daemon/guest/input-node.h"

#define UUID_LENGTH 36

/* In which /dev the node is. */
enum grant_dev {
        GRANT_DEV_NONE, /* in none yet */
        GRANT_DEV_OWN, /* QEMU's, which ends with it */
        GRANT_DEV_HOST,
        GRANT_DEV_MAX_,
};

struct grant_record {
        char uuid[UUID_LENGTH + 1];
        char *domain; /* owned */
        pid_t pid;
        uint64_t start_time;
        struct input_node node;
        char profile[APPARMOR_PROFILE_MAX + 1]; /* the directory of the node */
        enum grant_dev dev;
        struct cgroup_plan cgroup;
};

void grant_record_clear(struct grant_record *r);
/* Whether they are of the same process. */
bool grant_record_is_of_same(const struct grant_record *a, const struct grant_record *b);
bool grant_record_uuid_is_valid(const char *uuid);

#define GRANT_RECORD_NAME_MAX 63
void grant_record_name(const struct grant_record *r, char ret[GRANT_RECORD_NAME_MAX + 1]);

/* directory: a descriptor of the directory of records. Writing replaces the old
 * one at once or leaves it, on a full disk too. */
int grant_record_write(int directory, const struct grant_record *r);
/* -ENOENT: there is none. -EBADMSG: that is no record, or not all of one. */
int grant_record_read(int directory, const char *name, struct grant_record *ret);
/* 0 also if there was none. */
int grant_record_remove(int directory, const char *name);

/* The names of all files in the directory, one owned string each. */
int grant_record_list(int directory, char ***ret, size_t *ret_n);
void grant_record_list_free(char **names, size_t n);
