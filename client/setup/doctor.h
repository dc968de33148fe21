/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What stands between this machine and a guest with its own GPU and our input.
 * Read-only, for any user: what only root may read is "unknown". */

#include "client/setup/check.h"
#include "client/setup/machine.h"
#include "client/setup/vfio-ids.h"

/* What a check may look at. */
struct doctor {
        const struct machine *machine;
        const char *wanted;           /* address of the GPU that was asked for, NULL: none */
        const struct pci_device *gpu; /* that it is about; NULL: not there or not clear which */
        struct vfio_ids ids;
};

/* Each sets exactly one check, whose id and order are part of the interface. */
struct doctor_check {
        const char *id;
        const char *summary;
        void (*run)(const struct doctor *d, struct check *c);
};

/* All checks, causes before what follows from them. Ends with NULL: i counts from 0. */
const struct doctor_check *doctor_check_at(size_t i);

/* Runs all of them. gpu: its address, or NULL to look for it; one that is not
 * there is a failed check, not an error. Adds to ret, which the caller clears. */
int doctor_run(const struct machine *m, const char *gpu, struct checks *ret);

/* --- for the files of checks ------------------------------------------------------- */

extern const struct doctor_check doctor_host_checks[];  /* the last without id */
extern const struct doctor_check doctor_gpu_checks[];   /* the last without id */
extern const struct doctor_check doctor_input_checks[]; /* the last without id */

/* Reads a file as root_read() does. One that may not be read makes the check
 * unknown, "needs root"; 0 or -ENOENT leave it alone. */
int doctor_read(const struct doctor *d, struct check *c, const char *path, char **ret);
