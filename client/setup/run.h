/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs commands of a root: without a shell, without standard input, and for a
 * root that is not the running system inside it, with a /proc, /dev and /sys
 * that nobody else sees. */

#include "client/setup/root.h"

/* What comes out of it goes to the descriptor out as well. tick: called about
 * once a second meanwhile, may be NULL. Returns the exit status, 128 + N for
 * signal N; negative: it could not be started. */
int run_command(const struct root *r, char *const *argv, int out, void (*tick)(void *userdata), void *userdata);
/* The standard output of a program of the machine we run on, owned by the
 * caller; what it complains of is dropped. Descriptors without O_CLOEXEC stay open in it. */
int run_and_read(char *const *argv, char **ret);
/* A file without a name with that content, for programs that open /proc/self/fd/N: so without
 * O_CLOEXEC. Owned by the caller; negative if there can be none. */
int run_text_file(const char *data, size_t size);
