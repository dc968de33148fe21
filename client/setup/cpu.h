/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The processors: what they can do, and which CPUs share a core and a cache. */

#include "client/setup/cpu-set.h"
#include "client/setup/root.h"

enum cpu_vendor {
        CPU_VENDOR_OTHER,
        CPU_VENDOR_INTEL,
        CPU_VENDOR_AMD,
};

struct cpu_core {
        struct cpu_set threads; /* online ones */
        unsigned n_threads;
        int l3; /* lowest CPU of those that share its level 3 cache, -1: has none or not told */
};

struct cpu {
        enum cpu_vendor vendor;
        bool known;       /* /proc/cpuinfo is there */
        bool virt;        /* vmx or svm */
        bool virtual;     /* we are in a virtual machine ourselves */
        bool kvm_device;  /* /dev/kvm */
        struct cpu_set online;
        struct cpu_core *cores; /* by their lowest CPU */
        size_t n_cores;
};

int cpu_load(const struct root *r, struct cpu *ret);
void cpu_clear(struct cpu *c);

/* Which CPUs a guest may have. */
struct cpu_proposal {
        struct cpu_set guest, host; /* disjoint, together what is online */
        unsigned cores, threads;    /* of the guest, for its <topology> */
        bool one_cache;             /* its cores share their level 3 cache */
};

/* Whole cores with equally many threads, in one level 3 cache if they fit. The
 * host keeps at least the core of the lowest CPU, which has interrupts that
 * cannot move. wanted: CPUs of the guest, rounded down to whole cores, at least
 * one; 0: one cache of several, or three quarters of the cores. -ENODATA: topology not
 * told; -ERANGE: not so many. */
int cpu_propose(const struct cpu *c, unsigned wanted, struct cpu_proposal *ret);
/* What --cpus= says: "auto", a number of CPUs, or a list, which is taken as it is:
 * unless it has whole cores, alike in threads, the guest sees cores of one thread.
 * Negative with a sentence in *ret_error (owned by the caller). */
int cpu_choose(const struct cpu *c, const char *text, struct cpu_proposal *ret, char **ret_error);
