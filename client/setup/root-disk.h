/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The PCI functions on which the disk of / hangs, through partitions, device
 * mapper, RAID, NVMe multipath and btrfs of several disks: a guest must not get them. */

#include "client/setup/pci.h"

/* Marks them, and says in p->root_disk_known whether / led to a disk. */
int root_disk_mark(const struct root *r, struct pci *p);
