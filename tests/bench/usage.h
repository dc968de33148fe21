/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a process has used so far, all its threads together. */

#include <stdint.h>
#include <sys/types.h>

struct usage {
        uint64_t cpu_ns; /* /proc/PID/task/TID/schedstat: time on a processor */
        uint64_t waits; /* voluntary context switches: it went to sleep, so it was woken */
        uint64_t preempted; /* involuntary ones */
        uint64_t rss_kb;
};

/* All zero if there is no such process. */
struct usage usage_read(pid_t pid);
