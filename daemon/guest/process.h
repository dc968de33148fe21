/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One process, pinned: whatever is asked of it later is asked of this very
 * process, or fails with -ESRCH once it is gone, even if its number is another's
 * by then. (A descriptor of /proc/PID goes on meaning the process that it was
 * opened for, see proc(5); so does a pidfd.) */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/mem.h"

struct process;

/* -ESRCH: there is none, or it has ended and only waits for its parent. */
int process_pin(pid_t pid, struct process **ret);
/* The same, but -ESRCH also if the number is another process's by now. */
int process_pin_again(pid_t pid, uint64_t start_time, struct process **ret);
struct process *process_free(struct process *p);
DEFINE_CLEANUP(struct process *, process_free);

pid_t process_pid(const struct process *p);
/* Readable (poll) once the process has ended. Borrowed. */
int process_pidfd(const struct process *p);
/* Of /proc/PID, for openat. Borrowed. */
int process_directory(const struct process *p);
/* In clock ticks since the machine started (field 22 of proc(5) stat): with the
 * pid it names one process of this boot. */
uint64_t process_start_time(const struct process *p);
int process_check_alive(const struct process *p);
/* A whole file of /proc/PID, owned by the caller, with a NUL at its end. */
int process_read(const struct process *p, const char *file, char **ret, size_t *ret_size);
/* The user and group that it opens files as (fsuid, fsgid). */
int process_owner(const struct process *p, uid_t *ret_uid, gid_t *ret_gid);
/* Whether its command line has this argument. */
int process_has_argument(const struct process *p, const char *argument);
/* Whether it has this character device open; -errno if that cannot be seen. */
int process_has_open(const struct process *p, dev_t device);
