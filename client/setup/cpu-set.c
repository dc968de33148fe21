/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/cpu-set.h"

#include <ctype.h>

#include "common/mem.h"

void cpu_set_add(struct cpu_set *s, unsigned cpu)
{
        if (cpu < CPU_SET_MAX)
                s->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

bool cpu_set_has(const struct cpu_set *s, unsigned cpu)
{
        return cpu < CPU_SET_MAX && s->bits[cpu / 64] >> cpu % 64 & 1;
}

unsigned cpu_set_count(const struct cpu_set *s)
{
        unsigned n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(s->bits); i++)
                n += (unsigned) __builtin_popcountll(s->bits[i]);
        return n;
}

unsigned cpu_set_first(const struct cpu_set *s)
{
        for (unsigned i = 0; i < ARRAY_SIZE(s->bits); i++)
                if (s->bits[i])
                        return i * 64 + (unsigned) __builtin_ctzll(s->bits[i]);
        return CPU_SET_MAX;
}

void cpu_set_unite(struct cpu_set *s, const struct cpu_set *with)
{
        for (size_t i = 0; i < ARRAY_SIZE(s->bits); i++)
                s->bits[i] |= with->bits[i];
}

void cpu_set_intersect(struct cpu_set *s, const struct cpu_set *with)
{
        for (size_t i = 0; i < ARRAY_SIZE(s->bits); i++)
                s->bits[i] &= with->bits[i];
}

void cpu_set_remove(struct cpu_set *s, const struct cpu_set *without)
{
        for (size_t i = 0; i < ARRAY_SIZE(s->bits); i++)
                s->bits[i] &= ~without->bits[i];
}

static int parse_number(const char **text, unsigned *ret)
{
        char *end;
        unsigned long n;

        if (!isdigit((unsigned char) **text))
                return -EINVAL;
        n = strtoul(*text, &end, 10);
        if (n >= CPU_SET_MAX)
                return -EINVAL;
        *text = end;
        *ret = (unsigned) n;
        return 0;
}

/* "3" or "3-5". */
static int parse_range(const char **text, struct cpu_set *s)
{
        unsigned first, last;

        if (parse_number(text, &first) < 0)
                return -EINVAL;
        last = first;
        if (**text == '-') {
                (*text)++;
                if (parse_number(text, &last) < 0 || last < first)
                        return -EINVAL;
        }
        for (unsigned cpu = first; cpu <= last; cpu++)
                cpu_set_add(s, cpu);
        return 0;
}

int cpu_set_parse(const char *text, struct cpu_set *ret)
{
        struct cpu_set s = { 0 };

        while (*text) {
                if (parse_range(&text, &s) < 0)
                        return -EINVAL;
                if (*text == ',' && text[1])
                        text++;
                else if (*text)
                        return -EINVAL;
        }
        *ret = s;
        return 0;
}

char *cpu_set_format(const struct cpu_set *s)
{
        char *text = xstrdup("");

        for (unsigned cpu = 0; cpu < CPU_SET_MAX; cpu++) {
                const char *comma = *text ? "," : "";
                unsigned first = cpu;
                char *longer;

                if (!cpu_set_has(s, cpu))
                        continue;
                while (cpu_set_has(s, cpu + 1))
                        cpu++;
                longer = cpu == first ? xasprintf("%s%s%u", text, comma, first)
                                      : xasprintf("%s%s%u-%u", text, comma, first, cpu);
                free(text);
                text = longer;
        }
        return text;
}
