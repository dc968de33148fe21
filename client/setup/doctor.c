/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/doctor.h"

#include "client/setup/doctor-bus.h"
#include "client/setup/doctor-domains.h"
#include "client/setup/words.h"

static size_t length(const struct doctor_check *table)
{
        size_t n = 0;

        while (table[n].id)
                n++;
        return n;
}

const struct doctor_check *doctor_check_at(size_t i)
{
        const struct doctor_check *const tables[] = {
                doctor_host_checks,    doctor_gpu_checks,   doctor_boot_checks, doctor_driver_checks,
                doctor_libvirt_checks, doctor_input_checks, doctor_bus_checks,  doctor_domain_checks,
                doctor_guide_checks,
        };

        for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
                size_t n = length(tables[t]);

                if (i < n)
                        return &tables[t][i];
                i -= n;
        }
        return NULL;
}

static bool is_wished(const struct doctor_wish *w, const struct doctor_check *check)
{
        return !w->checks || words_have(w->checks, check->id);
}

static unsigned all_needs(const struct doctor_wish *w)
{
        const struct doctor_check *check;
        unsigned needs = 0;

        for (size_t i = 0; (check = doctor_check_at(i)); i++)
                needs |= is_wished(w, check) ? check->needs : 0;
        return needs;
}

int doctor_run(const struct machine *m, const struct doctor_wish *w, struct checks *ret)
{
        struct doctor d = { .machine = m, .wish = w };
        unsigned needs = all_needs(w);
        const struct doctor_check *check;
        int e = vfio_ids_load(m, &d.ids);

        if (e < 0)
                return e;
        d.gpu = w->gpu ? pci_find(&m->pci, w->gpu) : machine_guest_gpu(m);
        if (needs & DOCTOR_BUS && root_is_live(m->root))
                d.bus = doctor_bus_load();
        if (needs & DOCTOR_DOMAINS)
                d.domains = doctor_domains_load(m->root, w);
        for (size_t i = 0; (check = doctor_check_at(i)); i++)
                if (is_wished(w, check))
                        check->run(&d, checks_add(ret, check->id));
        (void) doctor_bus_free(d.bus);
        (void) doctor_domains_free(d.domains);
        vfio_ids_clear(&d.ids);
        return 0;
}

void doctor_need_root(struct check *c, const char *what)
{
        check_set(c, CHECK_UNKNOWN, "%s: needs root", what);
        check_fix(c, "sudo vfioctl doctor");
}

int doctor_read(const struct doctor *d, struct check *c, const char *path, char **ret)
{
        int e = root_read(d->machine->root, path, ret, NULL);

        if (e == -EACCES || e == -EPERM)
                doctor_need_root(c, path);
        else if (e < 0 && e != -ENOENT)
                check_set(c, CHECK_UNKNOWN, "%s: %s", path, strerror(-e));
        return e;
}
