/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A set of CPU numbers, as the kernel and libvirt write it: "0-3,8". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CONFIG_NR_CPUS of x86-64 goes no further. */
#define CPU_SET_MAX 8192U

struct cpu_set {
        uint64_t bits[CPU_SET_MAX / 64];
};

/* -EINVAL: not such a list, or a number too large. The empty text is the empty set. */
int cpu_set_parse(const char *text, struct cpu_set *ret);
/* Owned by the caller. */
char *cpu_set_format(const struct cpu_set *s);
void cpu_set_add(struct cpu_set *s, unsigned cpu);
bool cpu_set_has(const struct cpu_set *s, unsigned cpu);
unsigned cpu_set_count(const struct cpu_set *s);
/* The lowest number; CPU_SET_MAX for the empty set. */
unsigned cpu_set_first(const struct cpu_set *s);
void cpu_set_unite(struct cpu_set *s, const struct cpu_set *with);
void cpu_set_intersect(struct cpu_set *s, const struct cpu_set *with);
void cpu_set_remove(struct cpu_set *s, const struct cpu_set *without);
