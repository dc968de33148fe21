/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Programs that are installed in a root, and the commands made of them. */

#include "client/setup/root.h"

/* The path of a program in the usual folders, owned by the caller; NULL if it is not installed. */
char *program_find(const struct root *r, const char *name);
bool program_exists(const struct root *r, const char *name);

/* An argument vector, for execvp(3) without a shell: the words given, up to a
 * NULL. Owned by the caller, free with strv_free(). */
char **program_command(const char *program, ...) __attribute__((sentinel));
