/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernels that are installed, what they have of VFIO, and with which
 * parameters the running one was started. */

#include "client/setup/root.h"

enum kernel_module {
        KERNEL_MODULE_NONE,
        KERNEL_MODULE_LOADABLE,
        KERNEL_MODULE_BUILT_IN, /* options on the command line only, not in modprobe.d */
};

struct kernel {
        char *release;
        enum kernel_module vfio_pci;
        enum kernel_module virqfd; /* its own module before Linux 6.2 */
};

struct kernels {
        struct kernel *items; /* by version, the newest last */
        size_t n_items;
        char *running;  /* release; NULL: not told */
        char *cmdline;  /* of the running kernel; NULL: not told */
};

int kernels_load(const struct root *r, struct kernels *ret);
void kernels_clear(struct kernels *k);

/* The running one, or else the newest; NULL: none is installed. */
const struct kernel *kernels_current(const struct kernels *k);
const char *kernel_module_name(enum kernel_module m);
