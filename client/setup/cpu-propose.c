/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which cores a guest gets. To be chosen from are the cores that are alike in
 * threads, without the host's; of several caches, one that does not hold the
 * host's core is better, then the larger. */

#include "client/setup/cpu.h"

#include "common/mem.h"

#define ANY_CACHE (-2)

struct choice {
        const struct cpu *cpu;
        const struct cpu_core *host; /* keeps the core of the lowest CPU */
        unsigned threads;            /* of each core of the guest */
};

static bool may_have(const struct choice *c, const struct cpu_core *core, int l3)
{
        return core != c->host && core->n_threads == c->threads && (l3 == ANY_CACHE || core->l3 == l3);
}

static unsigned count(const struct choice *c, int l3)
{
        unsigned n = 0;

        for (size_t i = 0; i < c->cpu->n_cores; i++)
                n += may_have(c, &c->cpu->cores[i], l3);
        return n;
}

/* The number of threads that gives the most CPUs: it keeps the two kinds of a hybrid processor apart. */
static unsigned usual_threads(const struct cpu *cpu)
{
        unsigned best = 0, best_cpus = 0;

        for (size_t i = 0; i < cpu->n_cores; i++) {
                struct choice c = { cpu, &cpu->cores[0], cpu->cores[i].n_threads };
                unsigned cpus = count(&c, ANY_CACHE) * c.threads;

                if (cpus > best_cpus || (cpus == best_cpus && c.threads > best)) {
                        best = c.threads;
                        best_cpus = cpus;
                }
        }
        return best;
}

/* The best cache in which so many cores can be had, or ANY_CACHE. */
static int choose_cache(const struct choice *c, unsigned cores)
{
        unsigned best = 0;
        int chosen = ANY_CACHE;

        for (size_t i = 0; i < c->cpu->n_cores; i++) {
                int l3 = c->cpu->cores[i].l3;
                unsigned n = count(c, l3), score = n + (l3 != c->host->l3 ? CPU_SET_MAX : 0);

                if (l3 >= 0 && n >= cores && score > best) {
                        best = score;
                        chosen = l3;
                }
        }
        return chosen;
}

static bool has_several_caches(const struct cpu *cpu)
{
        int first = -1;

        for (size_t i = 0; i < cpu->n_cores; i++) {
                if (cpu->cores[i].l3 >= 0 && first >= 0 && cpu->cores[i].l3 != first)
                        return true;
                first = MAX(first, cpu->cores[i].l3);
        }
        return false;
}

static unsigned usual_cores(const struct choice *c)
{
        unsigned most = count(c, ANY_CACHE);

        if (has_several_caches(c->cpu) && choose_cache(c, 1) != ANY_CACHE)
                return count(c, choose_cache(c, 1));
        return MIN(most, MAX(1U, (unsigned) (c->cpu->n_cores * 3 / 4)));
}

/* From the end, as the host's own habits are with the low numbers. */
static void take(const struct choice *c, int l3, unsigned cores, struct cpu_proposal *p)
{
        int first = ANY_CACHE;

        p->host = c->cpu->online;
        p->cores = cores;
        p->threads = c->threads;
        p->one_cache = true;
        for (size_t i = c->cpu->n_cores; i > 0 && cores > 0; i--) {
                const struct cpu_core *core = &c->cpu->cores[i - 1];

                if (!may_have(c, core, l3))
                        continue;
                cpu_set_unite(&p->guest, &core->threads);
                cpu_set_remove(&p->host, &core->threads);
                first = first == ANY_CACHE ? core->l3 : first;
                p->one_cache &= core->l3 >= 0 && core->l3 == first;
                cores--;
        }
}

int cpu_propose(const struct cpu *c, unsigned wanted, struct cpu_proposal *ret)
{
        struct choice choice = { .cpu = c, .host = c->cores };
        struct cpu_proposal p = { .cores = 0 };
        unsigned cores;

        if (c->n_cores == 0)
                return -ENODATA;
        choice.threads = MAX(1U, usual_threads(c));
        cores = wanted ? MAX(1U, wanted / choice.threads) : usual_cores(&choice);
        if (cores == 0 || cores > count(&choice, ANY_CACHE))
                return -ERANGE;
        take(&choice, choose_cache(&choice, cores), cores, &p);
        *ret = p;
        return 0;
}
