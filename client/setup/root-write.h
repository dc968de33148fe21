/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Changes in a root, each at once or not at all: a reader, and a machine that
 * loses power, find the old file or the new one. Negative errno on failure;
 * then nothing has changed. */

#include <sys/types.h>

#include "client/setup/root.h"

/* Replaces the content of path, or makes it with that mode. A link is followed,
 * inside the root, and the file behind it replaced; -EINVAL if that is no regular
 * file. like: mode, owner and
 * extended attributes (with them ACLs and SELinux labels) are taken from this
 * descriptor; -1: from the file that is there. */
int root_write(const struct root *r, const char *path, const void *data, size_t size, mode_t mode, int like);
/* Removes what a root_write() of path has left that was killed in the middle. */
void root_write_tidy(const struct root *r, const char *path);
/* Makes a link, where nothing is. */
int root_link(const struct root *r, const char *path, const char *target);
/* Removes a file, or a link itself. -ENOENT if there is none. */
int root_remove(const struct root *r, const char *path);
/* Makes the directory and those above it. Those that were made are added to
 * ret_made, the outermost first, before they are; may be NULL. */
int root_make_directory(const struct root *r, const char *path, mode_t mode, char ***ret_made);
/* Removes an empty directory. Not being there, or not being empty, is no error. */
int root_remove_directory(const struct root *r, const char *path);

/* The path without its last part, "/" for one at the top; owned by the caller. */
char *path_parent(const char *path);
