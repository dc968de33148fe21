/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Processes are pinned by pidfds, of which valgrind 3.19 (Debian 12) knows nothing. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define NO_PIDFD "no pidfd_open here; valgrind?"

static inline bool have_pidfd(void)
{
        int fd = pidfd_open(getpid(), 0);

        if (fd < 0)
                return errno != ENOSYS;
        (void) close(fd);
        return true;
}

/* For main: whether all is skipped. */
static inline bool skip_all_without_pidfd(void)
{
        if (have_pidfd())
                return false;
        (void) puts("1..0 # SKIP " NO_PIDFD);
        return true;
}

/* For one test. */
#define NEED_PIDFD()                                                                               \
        do {                                                                                       \
                if (!have_pidfd()) {                                                               \
                        print_message("SKIP: " NO_PIDFD "\n");                                     \
                        skip();                                                                    \
                }                                                                                  \
        } while (0)
