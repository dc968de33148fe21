/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Logging to standard error, one line a message.
 *
 * Under systemd each line starts with the <N> prefix of sd-daemon(3), which
 * the journal turns into a priority; on a terminal it starts with the
 * program's name. Lines name the guilty party (kernel, QEMU, libvirt, us) and
 * never carry a keystroke.
 *
 * A line that would block is lost rather than waited for (log_init makes the
 * journal's socket non-blocking), because a journald that hangs must not take
 * the keyboard with it. */

#include <stdbool.h>

#include "common/mem.h"

enum log_level {
        LOG_LEVEL_ERROR = 3, /* something the user asked for does not work now */
        LOG_LEVEL_WARNING = 4, /* works, but somebody should look */
        LOG_LEVEL_NOTICE = 5, /* changes a user would want to see the next day */
        LOG_LEVEL_INFO = 6, /* one line for each device, guest and attach */
        LOG_LEVEL_DEBUG = 7,
};

/* program: static string. Reads $VFIO_LOG_LEVEL (error … debug); default info. */
void log_init(const char *program);
void log_set_level(enum log_level level);
/* Level by its name, or -EINVAL. */
int log_level_from_string(const char *s);

/* Logs one line; error is a negative errno or 0 and is appended as text.
 * Returns error, so that "return log_error_errno(r, …)" works. */
int log_full(enum log_level level, int error, const char *format, ...) _printf_(3, 4);

#define log_error(...) ((void) log_full(LOG_LEVEL_ERROR, 0, __VA_ARGS__))
#define log_warning(...) ((void) log_full(LOG_LEVEL_WARNING, 0, __VA_ARGS__))
#define log_notice(...) ((void) log_full(LOG_LEVEL_NOTICE, 0, __VA_ARGS__))
#define log_info(...) ((void) log_full(LOG_LEVEL_INFO, 0, __VA_ARGS__))
#define log_debug(...) ((void) log_full(LOG_LEVEL_DEBUG, 0, __VA_ARGS__))
#define log_error_errno(r, ...) log_full(LOG_LEVEL_ERROR, (r), __VA_ARGS__)
#define log_warning_errno(r, ...) log_full(LOG_LEVEL_WARNING, (r), __VA_ARGS__)
#define log_debug_errno(r, ...) log_full(LOG_LEVEL_DEBUG, (r), __VA_ARGS__)
