/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All that is known of the machine before anything is planned, read once. What
 * a root does not tell (a mounted one has no /sys) is marked unknown in its part. */

#include "client/setup/bootloader.h"
#include "client/setup/cpu.h"
#include "client/setup/initramfs.h"
#include "client/setup/iommu.h"
#include "client/setup/kernel.h"
#include "client/setup/pci.h"

struct machine {
        const struct root *root; /* borrowed, lives longer */
        struct kernels kernels;
        struct cpu cpu;
        struct pci pci;
        struct iommu iommu;
        struct bootloader bootloader;
        struct initramfs initramfs;
};

/* Negative only if the root itself cannot be read. */
int machine_load(const struct root *r, struct machine **ret);
struct machine *machine_free(struct machine *m);
DEFINE_CLEANUP(struct machine *, machine_free);

/* The GPU that a guest is most likely meant to get: the one that is vfio-pci's
 * already, or else the only one without the host's picture. NULL: not clear. */
const struct pci_device *machine_guest_gpu(const struct machine *m);
