/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What people call a PCI function, from udev's hardware database. */

#include "client/setup/pci.h"

/* "NVIDIA Corporation GP104 [GeForce GTX 1080]", or "10de:1b80" where the
 * database does not know it or is not there. Owned by the caller, fit for a terminal. */
char *pci_name(const struct pci_device *d);
