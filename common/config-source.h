/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The text of a configuration, before libconfig sees it.
 *
 * libconfig opens whatever an @include names and waits for it, and its parser
 * and destructor recurse. The daemons must never wait, so what libconfig is
 * given is looked through first: regular files only, all sizes bounded. */

#include <stdarg.h>
#include <stddef.h>

#include "common/mem.h"

#define CONFIG_FILE_SIZE_MAX (1024 * 1024)
#define CONFIG_NESTING_MAX 16 /* brackets within each other, in one file */
#define CONFIG_VALUES_MAX 4096 /* settings and list elements of one file */
#define CONFIG_INCLUDES_MAX 32 /* included files, together */
#define CONFIG_INCLUDE_DEPTH_MAX 8 /* libconfig's own limit is 10 */

/* Reads a regular file; the text is owned by the caller and has a NUL behind
 * its end. -ENOENT without a message if there is no such file; any other
 * negative errno with *ret_error set. */
int config_source_read(const char *path, char **ret_text, size_t *ret_size, char **ret_error);

/* Checks the limits, and those of the files that the text includes from
 * include_dir (NULL: @include is a mistake). text[size] must be NUL. A negative
 * errno with *ret_error set. */
int config_source_check(const char *text, size_t size, const char *name, const char *include_dir,
                        char **ret_error);

/* "FILE:LINE: MESSAGE" (no LINE if it is 0), printable whatever the file had in
 * it. Owned by the caller. */
char *config_message(const char *file, unsigned line, const char *format, ...) _printf_(3, 4);
char *config_vmessage(const char *file, unsigned line, const char *format, va_list ap) _printf_(3, 0);
