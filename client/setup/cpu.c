/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/cpu.h"

#include "client/setup/words.h"

#define CPUS "/sys/devices/system/cpu"

void cpu_clear(struct cpu *c)
{
        free(c->cores);
        *c = (struct cpu) { 0 };
}

/* --- /proc/cpuinfo ---------------------------------------------------------------- */

/* The value of the first "name : value" line, owned by the caller; NULL: none. */
static char *info_value(const char *info, const char *name)
{
        _cleanup_(strv_freep) char **lines = words_split(info, "\n");

        for (char **line = lines; *line; line++) {
                const char *colon = strchr(*line, ':');

                if (startswith(*line, name) && colon &&
                    strspn(*line + strlen(name), " \t") == (size_t) (colon - *line) - strlen(name))
                        return xstrdup(colon + 1 + strspn(colon + 1, " "));
        }
        return NULL;
}

static void load_info(struct cpu *c, const char *info)
{
        _autofree_ char *vendor = info_value(info, "vendor_id"), *text = info_value(info, "flags");
        _cleanup_(strv_freep) char **flags = words_split(text ? text : "", " \t");

        c->known = true;
        if (vendor && streq(vendor, "GenuineIntel"))
                c->vendor = CPU_VENDOR_INTEL;
        else if (vendor && (streq(vendor, "AuthenticAMD") || streq(vendor, "HygonGenuine")))
                c->vendor = CPU_VENDOR_AMD;
        c->virt = words_have(flags, "vmx") || words_have(flags, "svm");
        c->virtual = words_have(flags, "hypervisor");
}

/* --- topology --------------------------------------------------------------------- */

static int read_set(const struct root *r, const char *path, struct cpu_set *ret)
{
        _autofree_ char *line = NULL;
        int e = root_read_line(r, path, &line);

        return e < 0 ? e : cpu_set_parse(line, ret);
}

static int read_l3(const struct root *r, unsigned cpu)
{
        struct cpu_set sharing;

        for (unsigned index = 0; index < 8; index++) {
                _autofree_ char *level_path = xasprintf(CPUS "/cpu%u/cache/index%u/level", cpu, index);
                _autofree_ char *path = xasprintf(CPUS "/cpu%u/cache/index%u/shared_cpu_list", cpu, index);
                _autofree_ char *level = NULL;

                if (root_read_line(r, level_path, &level) < 0)
                        return -1;
                if (streq(level, "3") && read_set(r, path, &sharing) == 0 && cpu_set_count(&sharing))
                        return (int) cpu_set_first(&sharing);
        }
        return -1;
}

static int add_core(const struct root *r, struct cpu *c, unsigned cpu)
{
        _autofree_ char *path = xasprintf(CPUS "/cpu%u/topology/thread_siblings_list", cpu);
        struct cpu_core core = { .l3 = read_l3(r, cpu) };
        int e = read_set(r, path, &core.threads);

        if (e < 0)
                return e;
        cpu_set_intersect(&core.threads, &c->online);
        core.n_threads = cpu_set_count(&core.threads);
        c->cores = xreallocarray(c->cores, c->n_cores + 1, sizeof(*c->cores));
        c->cores[c->n_cores++] = core;
        return 0;
}

/* A machine that does not tell its topology has no cores here. */
static void load_topology(const struct root *r, struct cpu *c)
{
        struct cpu_set seen = { 0 };

        if (read_set(r, CPUS "/online", &c->online) < 0)
                return;
        for (unsigned cpu = 0; cpu < CPU_SET_MAX; cpu++) {
                if (!cpu_set_has(&c->online, cpu) || cpu_set_has(&seen, cpu))
                        continue;
                if (add_core(r, c, cpu) < 0) {
                        c->n_cores = 0;
                        return;
                }
                cpu_set_unite(&seen, &c->cores[c->n_cores - 1].threads);
        }
}

int cpu_load(const struct root *r, struct cpu *ret)
{
        _autofree_ char *info = NULL;
        struct cpu c = { 0 };
        int e = root_read(r, "/proc/cpuinfo", &info, NULL);

        if (e < 0 && e != -ENOENT)
                return e;
        if (e == 0)
                load_info(&c, info);
        c.kvm_device = root_exists(r, "/dev/kvm");
        load_topology(r, &c);
        *ret = c;
        return 0;
}
