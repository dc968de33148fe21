/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/iommu.h"

#include "client/setup/words.h"

#define GROUPS "/sys/kernel/iommu_groups"

/* enable_unsafe_noiommu_mode makes groups, too, without any protection. */
static bool is_real(const struct root *r, const char *group)
{
        _autofree_ char *path = xasprintf(GROUPS "/%s/name", group), *name = NULL;

        return root_read_line(r, path, &name) < 0 || !streq(name, "vfio-noiommu");
}

static int load_groups(const struct root *r, struct iommu *i)
{
        _cleanup_(strv_freep) char **names = NULL;
        int e = root_list(r, GROUPS, &names);

        if (e < 0)
                return e == -ENOENT ? 0 : e;
        i->known = true;
        for (char **name = names; *name; name++)
                if (is_real(r, *name))
                        i->n_groups++;
        i->enabled = i->n_groups > 0;
        return 0;
}

static int load_tables(const struct root *r, struct iommu *i)
{
        _cleanup_(strv_freep) char **names = NULL;
        int e = root_list(r, "/sys/firmware/acpi/tables", &names);

        if (e < 0)
                return e == -ENOENT || e == -EACCES ? 0 : e;
        i->acpi_known = true;
        i->dmar = words_have(names, "DMAR");
        i->ivrs = words_have(names, "IVRS");
        return 0;
}

int iommu_load(const struct root *r, struct iommu *ret)
{
        _cleanup_(iommu_clear) struct iommu i = { 0 };
        _cleanup_(strv_freep) char **units = NULL;
        int e = load_groups(r, &i);

        if (e < 0)
                return e;
        e = load_tables(r, &i);
        if (e < 0)
                return e;
        if (root_list(r, "/sys/class/iommu", &units) == 0 && units[0])
                i.unit = xstrdup(units[0]);
        *ret = i;
        i.unit = NULL;
        return 0;
}

void iommu_clear(struct iommu *i)
{
        free(i->unit);
        *i = (struct iommu) { 0 };
}

bool iommu_in_firmware(const struct iommu *i)
{
        return i->dmar || i->ivrs;
}

static bool is_foreign(const struct pci_device *d, const struct pci_device *other)
{
        return other->group == d->group && !pci_same_slot(d, other) && !pci_is_bridge(other);
}

const struct pci_device *iommu_next_foreign(const struct pci *p, const struct pci_device *d,
                                            const struct pci_device *previous)
{
        const struct pci_device *end = p->devices + p->n_devices;

        if (d->group < 0)
                return NULL;
        for (const struct pci_device *other = previous ? previous + 1 : p->devices; other < end; other++)
                if (is_foreign(d, other))
                        return other;
        return NULL;
}
