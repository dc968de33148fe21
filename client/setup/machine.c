/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/machine.h"

static int load_hardware(struct machine *m)
{
        const struct kernel *kernel = kernels_current(&m->kernels);
        int e = cpu_load(m->root, &m->cpu);

        if (e < 0)
                return e;
        e = pci_load(m->root, kernel ? kernel->release : NULL, &m->pci);
        return e < 0 ? e : iommu_load(m->root, &m->iommu);
}

int machine_load(const struct root *r, struct machine **ret)
{
        _cleanup_(machine_freep) struct machine *m = xnew0(struct machine, 1);
        int e;

        m->root = r;
        e = kernels_load(r, &m->kernels);
        if (e < 0)
                return e;
        e = load_hardware(m);
        if (e < 0)
                return e;
        e = bootloader_detect(r, &m->bootloader);
        if (e < 0)
                return e;
        e = initramfs_detect(r, &m->initramfs);
        if (e < 0)
                return e;
        *ret = TAKE_PTR(m);
        return 0;
}

struct machine *machine_free(struct machine *m)
{
        if (!m)
                return NULL;
        kernels_clear(&m->kernels);
        cpu_clear(&m->cpu);
        pci_clear(&m->pci);
        iommu_clear(&m->iommu);
        bootloader_clear(&m->bootloader);
        initramfs_clear(&m->initramfs);
        free(m);
        return NULL;
}

const struct pci_device *machine_guest_gpu(const struct machine *m)
{
        const struct pci_device *taken = NULL, *spare = NULL;
        unsigned n_taken = 0, n_spare = 0;

        for (const struct pci_device *d = NULL; (d = pci_next_gpu(&m->pci, d));) {
                if (streq_null(d->driver, "vfio-pci")) {
                        taken = d;
                        n_taken++;
                } else if (!pci_drives_display(d)) {
                        spare = d;
                        n_spare++;
                }
        }
        if (n_taken)
                return n_taken == 1 ? taken : NULL;
        return n_spare == 1 ? spare : NULL;
}
