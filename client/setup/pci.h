/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The PCI functions of a machine, from /sys, and what the host does with each.
 * "0000:0a:00.1" is function 1 of the slot "0000:0a:00". */

#include <stdint.h>

#include "client/setup/root.h"

#define PCI_ADDRESS_MAX 24

struct pci_device {
        char address[PCI_ADDRESS_MAX];
        uint32_t class; /* 24 bits: base class, subclass, interface */
        uint16_t vendor, device;
        bool boot_vga;   /* the firmware showed itself on it */
        bool connected;  /* a screen is plugged in, says its driver */
        bool root_disk;  /* the disk of / hangs on it */
        int group;       /* of the IOMMU, -1: none */
        char *driver;    /* bound now, NULL: none */
        char *overridden; /* driver_override, NULL: none */
        char **modules;  /* that would drive it, by its modalias; NULL: not known */
};

struct pci {
        struct pci_device *devices; /* by address */
        size_t n_devices;
        bool known;           /* /sys tells of them at all */
        bool root_disk_known; /* the disk of / is known, though none of them may have it */
};

/* modules_of: the kernel release in which to look drivers up, or NULL. A
 * machine without PCI, or a root without /sys, is no error. */
int pci_load(const struct root *r, const char *modules_of, struct pci *ret);
void pci_clear(struct pci *p);

/* address: "0000:0a:00.0", or "0a:00.0" of the first domain. NULL: no such function. */
const struct pci_device *pci_find(const struct pci *p, const char *address);
/* The next one after previous (NULL: the first) for which that holds, or NULL. */
const struct pci_device *pci_next_gpu(const struct pci *p, const struct pci_device *previous);
/* Other functions of the same slot: the sound of a GPU and its USB. */
const struct pci_device *pci_next_companion(const struct pci *p, const struct pci_device *of,
                                            const struct pci_device *previous);
/* Functions of other slots with the same vendor and device: what ids= takes, too. */
const struct pci_device *pci_next_twin(const struct pci *p, const struct pci_device *of,
                                       const struct pci_device *previous);

bool pci_is_gpu(const struct pci_device *d);
bool pci_is_bridge(const struct pci_device *d);
bool pci_same_slot(const struct pci_device *a, const struct pci_device *b);
/* Whether the host's picture is on it, as far as firmware and drivers tell. */
bool pci_drives_display(const struct pci_device *d);

/* The last PCI address in a path of /sys/devices, into ret. False: there is none. */
bool pci_address_in_path(const char *path, char ret[PCI_ADDRESS_MAX]);
