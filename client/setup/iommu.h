/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The IOMMU: whether the kernel uses one, whether the firmware told it of one,
 * and its groups, which go to a guest as a whole. */

#include "client/setup/pci.h"

struct iommu {
        unsigned n_groups;
        bool known;       /* /sys tells of groups at all */
        bool enabled;     /* there are real groups, not those of the mode without IOMMU */
        bool acpi_known;  /* the firmware's tables can be seen */
        bool dmar, ivrs;  /* its tables of Intel's and AMD's */
        char *unit;       /* the first unit at work, "dmar0" or "ivhd0"; NULL: none */
};

int iommu_load(const struct root *r, struct iommu *ret);
void iommu_clear(struct iommu *i);

/* Whether the firmware offers an IOMMU; only if acpi_known. */
bool iommu_in_firmware(const struct iommu *i);

/* Functions of the group that keep it from going to a guest with d: neither of
 * the same slot nor a bridge, which the kernel tolerates. */
const struct pci_device *iommu_next_foreign(const struct pci *p, const struct pci_device *d,
                                            const struct pci_device *previous);
