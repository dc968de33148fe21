/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What stands between this machine and a guest with its own GPU and our input.
 * Read-only, for any user: what only root may read is "unknown". */

#include "client/setup/check.h"
#include "client/setup/machine.h"
#include "client/setup/vfio-ids.h"

/* What is asked of it; { 0 } is everything, with what can be found by itself. */
struct doctor_wish {
        const char *gpu;     /* address of the one that it is about; NULL: look for it */
        const char *domain;  /* name of the one that it is about; NULL: all */
        const char *connect; /* libvirt's URI; NULL: qemu:///system */
        char *const *checks; /* ids of those to be made; NULL: all */
};

struct doctor_bus;
struct doctor_domains;

/* What a check may look at. */
struct doctor {
        const struct machine *machine;
        const struct doctor_wish *wish;
        const struct pci_device *gpu; /* that it is about; NULL: not there or not clear which */
        struct vfio_ids ids;
        struct doctor_bus *bus;         /* only with DOCTOR_BUS */
        struct doctor_domains *domains; /* only with DOCTOR_DOMAINS */
};

/* What takes time and is looked at only for the checks that need it. */
enum doctor_need {
        DOCTOR_BUS = 1 << 0,     /* what our services say */
        DOCTOR_DOMAINS = 1 << 1, /* libvirt, and the definitions of its domains */
};

/* Each sets exactly one check, whose id and order are part of the interface. */
struct doctor_check {
        const char *id;
        const char *summary;
        void (*run)(const struct doctor *d, struct check *c);
        unsigned needs; /* of enum doctor_need */
};

/* All checks, causes before what follows from them. Ends with NULL: i counts from 0. */
const struct doctor_check *doctor_check_at(size_t i);

/* Makes those that are wished for. A GPU or domain that is not there is a failed
 * check, not an error. Adds to ret, which the caller clears. */
int doctor_run(const struct machine *m, const struct doctor_wish *w, struct checks *ret);

/* --- for the files of checks ------------------------------------------------------- */

/* Says why nothing can be looked at that only a running system has. */
#define DOCTOR_NOT_RUNNING "this root does not tell of a running system"

extern const struct doctor_check doctor_host_checks[];  /* the last without id, as of all of these */
extern const struct doctor_check doctor_boot_checks[];
extern const struct doctor_check doctor_bus_checks[];
extern const struct doctor_check doctor_domain_checks[];
extern const struct doctor_check doctor_driver_checks[];
extern const struct doctor_check doctor_gpu_checks[];
extern const struct doctor_check doctor_guide_checks[];
extern const struct doctor_check doctor_input_checks[];
extern const struct doctor_check doctor_libvirt_checks[];

/* In doctor-denials.c: "lsm.denials". */
void doctor_check_denials(const struct doctor *d, struct check *c);

/* Reads a file as root_read() does. One that may not be read makes the check
 * unknown, "needs root"; 0 or -ENOENT leave it alone. */
int doctor_read(const struct doctor *d, struct check *c, const char *path, char **ret);
/* Unknown, and what helps: to look as root. what: names it. */
void doctor_need_root(struct check *c, const char *what);
