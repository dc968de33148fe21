/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which modules of a kernel would drive a PCI function: what modprobe -R says of its modalias. */

#include "client/setup/pci.h"

/* Fills the modules of each function from modules.alias of that kernel. A
 * kernel without that file leaves them unknown. */
void pci_modules_load(const struct root *r, const char *release, struct pci *p);
