/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/doctor.h"

static size_t length(const struct doctor_check *table)
{
        size_t n = 0;

        while (table[n].id)
                n++;
        return n;
}

const struct doctor_check *doctor_check_at(size_t i)
{
        const struct doctor_check *const tables[] = { doctor_host_checks, doctor_gpu_checks,
                                                      doctor_input_checks };

        for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
                size_t n = length(tables[t]);

                if (i < n)
                        return &tables[t][i];
                i -= n;
        }
        return NULL;
}

int doctor_run(const struct machine *m, const char *gpu, struct checks *ret)
{
        struct doctor d = { .machine = m, .wanted = gpu };
        const struct doctor_check *check;
        int e = vfio_ids_load(m, &d.ids);

        if (e < 0)
                return e;
        d.gpu = gpu ? pci_find(&m->pci, gpu) : machine_guest_gpu(m);
        for (size_t i = 0; (check = doctor_check_at(i)); i++)
                check->run(&d, checks_add(ret, check->id));
        vfio_ids_clear(&d.ids);
        return 0;
}

int doctor_read(const struct doctor *d, struct check *c, const char *path, char **ret)
{
        int e = root_read(d->machine->root, path, ret, NULL);

        if (e == -EACCES || e == -EPERM) {
                check_set(c, CHECK_UNKNOWN, "%s: needs root", path);
                check_fix(c, "sudo vfioctl doctor");
        } else if (e < 0 && e != -ENOENT) {
                check_set(c, CHECK_UNKNOWN, "%s: %s", path, strerror(-e));
        }
        return e;
}
