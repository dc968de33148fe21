/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which CPUs a guest gets by the person's own word. */

#include "client/setup/cpu.h"

static int fail_range(const struct cpu *c, int e, const char *text, char **ret_error)
{
        _autofree_ char *online = cpu_set_format(&c->online);

        if (e == -ENODATA)
                *ret_error = xstrdup("which CPUs share a core is not told here: name the CPUs of the guest, --cpus=LIST");
        else
                *ret_error = xasprintf("--cpus=%s: there are not so many; of the CPUs %s the host keeps a core", text,
                                       online);
        return e;
}

/* The cores are whole, and alike in threads. */
static bool is_of_whole_cores(const struct cpu *c, const struct cpu_set *guest, unsigned *ret_threads)
{
        unsigned threads = 0;

        for (size_t i = 0; i < c->n_cores; i++) {
                struct cpu_set ours = c->cores[i].threads;
                unsigned n;

                cpu_set_intersect(&ours, guest);
                n = cpu_set_count(&ours);
                if (n == 0)
                        continue;
                if (n != c->cores[i].n_threads || (threads && n != threads))
                        return false;
                threads = n;
        }
        *ret_threads = threads;
        return threads > 0;
}

static bool is_in_one_cache(const struct cpu *c, const struct cpu_set *guest)
{
        int l3 = -1;

        for (size_t i = 0; i < c->n_cores; i++) {
                struct cpu_set ours = c->cores[i].threads;

                cpu_set_intersect(&ours, guest);
                if (cpu_set_count(&ours) == 0)
                        continue;
                if (c->cores[i].l3 < 0 || (l3 >= 0 && c->cores[i].l3 != l3))
                        return false;
                l3 = c->cores[i].l3;
        }
        return l3 >= 0;
}

static int choose_list(const struct cpu *c, const char *text, struct cpu_proposal *ret, char **ret_error)
{
        _autofree_ char *online = cpu_set_format(&c->online);
        struct cpu_proposal p = { .host = c->online };
        struct cpu_set offline;

        if (cpu_set_parse(text, &p.guest) < 0 || cpu_set_count(&p.guest) == 0) {
                *ret_error = xasprintf("--cpus=%s: expected auto, a number, or a list such as 2-7,10-15", text);
                return -EINVAL;
        }
        offline = p.guest;
        cpu_set_remove(&offline, &c->online);
        cpu_set_remove(&p.host, &p.guest);
        if (cpu_set_count(&offline) > 0 || cpu_set_count(&p.host) == 0) {
                *ret_error = xasprintf("--cpus=%s: expected some of the CPUs %s, of which one at least stays with the host",
                                       text, online);
                return -ERANGE;
        }
        p.threads = 1;
        (void) is_of_whole_cores(c, &p.guest, &p.threads);
        p.cores = cpu_set_count(&p.guest) / p.threads;
        p.one_cache = is_in_one_cache(c, &p.guest);
        *ret = p;
        return 0;
}

int cpu_choose(const struct cpu *c, const char *text, struct cpu_proposal *ret, char **ret_error)
{
        bool is_number = *text && strspn(text, "0123456789") == strlen(text);
        unsigned long wanted = is_number ? strtoul(text, NULL, 10) : 0;
        int e;

        if (!is_number && !streq(text, "auto"))
                return choose_list(c, text, ret, ret_error);
        if (is_number && (wanted == 0 || wanted > CPU_SET_MAX))
                return fail_range(c, -ERANGE, text, ret_error);
        e = cpu_propose(c, (unsigned) wanted, ret);
        return e < 0 ? fail_range(c, e, text, ret_error) : 0;
}
