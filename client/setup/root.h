/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The system that is looked at and changed: the running one, or one that is
 * mounted somewhere (--root=DIR). Paths are absolute and of that system: its
 * symbolic links are followed inside it, never out of it (RESOLVE_IN_ROOT,
 * openat2(2), Linux 5.6). Functions return 0 or more, or a negative errno. */

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "common/mem.h"

/* No file that we read is larger; what is, is -EFBIG. */
#define ROOT_FILE_MAX (8U * 1024 * 1024)

struct root;

/* path: NULL or "/" is the running system. */
int root_open(const char *path, struct root **ret);
struct root *root_free(struct root *r);
DEFINE_CLEANUP(struct root *, root_free);

/* Whether it is the running system, of which /proc and /sys tell the present
 * state and in which commands can be run as they are. */
bool root_is_live(const struct root *r);
/* As it was given, "" for the running system; for messages and chroot(8). */
const char *root_path(const struct root *r);

/* A descriptor of path, owned by the caller. flags: as of open(2); O_CLOEXEC is added.
 * What O_CREAT makes is only its owner's. */
int root_open_file(const struct root *r, const char *path, int flags);
/* The whole file, with a NUL behind it, owned by the caller. ret_size may be
 * NULL: then a file with a NUL in it is -EINVAL. */
int root_read(const struct root *r, const char *path, char **ret, size_t *ret_size);
/* The first line without the blanks at its end: what sysfs files hold. */
int root_read_line(const struct root *r, const char *path, char **ret);
/* The names in a directory without "." and "..", sorted, the last one NULL;
 * owned by the caller, free with strv_free(). A directory that is not there is -ENOENT. */
int root_list(const struct root *r, const char *path, char ***ret);
/* Where a symbolic link points, as it is written; owned by the caller. */
int root_readlink(const struct root *r, const char *path, char **ret);
/* Of what path leads to. */
int root_stat(const struct root *r, const char *path, struct stat *ret);
bool root_exists(const struct root *r, const char *path);

/* An array of strings that ends with NULL; NULL is none. */
char **strv_free(char **strings);
DEFINE_CLEANUP(char **, strv_free);
