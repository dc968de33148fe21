/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A step of setting up: looks at machine and choices, and adds to the plan what
 * is missing, and a note for each thing that a guide does here. Changes nothing
 * itself. Idempotent: what is so already is not planned again. */

#include "client/setup/plan.h"
#include "client/setup/vfio-ids.h"

struct setup {
        const struct machine *machine;
        const struct choices *choices;
        const struct pci_device **gpus; /* functions that go to the guest: GPUs, then their companions; ends with NULL */
        struct vfio_ids ids;
};

struct step {
        const char *name; /* "cmdline"; part of the interface */
        const char *summary;
        /* Negative with a sentence in *ret_error (owned by the caller): no plan can be made. */
        int (*plan)(const struct setup *s, struct plan *p, char **ret_error);
};

/* In the order in which they plan. Ends with an entry without a name. */
extern const struct step steps[];

/* Fills in what the steps look at; choices that do not fit the machine are
 * -EINVAL with a sentence. */
int setup_prepare(const struct machine *m, const struct choices *c, struct setup *ret, char **ret_error);
void setup_clear(struct setup *s);
/* All steps, or those that were chosen; gates that concern no step alone are added here, too. */
int setup_plan(const struct setup *s, struct plan *ret, char **ret_error);

/* --- one a file, step-NAME.c ---------------------------------------------------------- */

int step_hardware_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_packages_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_cmdline_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_modprobe_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_initramfs_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_libvirt_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_input_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_isolation_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_cleanup_plan(const struct setup *s, struct plan *p, char **ret_error);
int step_domain_plan(const struct setup *s, struct plan *p, char **ret_error);

/* The ids of all chosen functions, "10de:1b80,10de:10f0"; owned by the caller. */
char *modprobe_ids(const struct setup *s);
