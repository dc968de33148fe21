/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Paths of control groups in their hierarchy. */

#include "daemon/guest/cgroup.h"

/* Opens a group to be read, without following any link. -ENOENT: it is gone. */
int cgroup_open(int root, const char *group);
/* The first components of the path, that many, "/a" being the first of "/a/b/c".
 * False if it has fewer. */
bool cgroup_path_cut(const char *group, size_t components, char ret[CGROUP_PATH_MAX + 1]);
