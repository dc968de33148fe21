/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the guide does by hand in a domain's XML. Pure: text and wishes in, text
 * out. What it does not touch stays as it was; what is so already is not done
 * again, so that editing twice is editing once. */

#include "client/setup/cpu.h"
#include "client/setup/pci.h"
#include "client/setup/plan.h"
#include "common/config.h"

struct domain_edit {
        const struct pci_device *const *gpus; /* functions that go to it, ends with NULL; NULL: none */
        const struct pci *pci;                /* which of its devices are GPUs */
        bool managed;                         /* libvirt is to take them from the host's driver */

        const char *guest; /* whose nodes it reads; NULL: leave its input alone */
        enum grab_toggle grab_toggle;

        const struct cpu *cpu;           /* of the host */
        const struct cpu_proposal *cpus; /* NULL: leave its processor alone */
        bool pin;                        /* each of its CPUs to one of the host's */

        bool hide_kvm;
        bool remove_graphics;
        bool cleanup; /* take out what a guide has left: real keyboards and mice that QEMU reads itself */
};

/* 0 with the new text in *ret (owned by the caller) and a note for each thing
 * in notes; negative with a sentence in *ret_error (owned by the caller). */
int domain_edit(const char *xml, const struct domain_edit *e, struct plan *notes, char **ret, char **ret_error);

/* Where vfio-inputd puts a guest's node: kind is "kbd" or "mouse". Owned by the caller. */
char *domain_edit_node(const char *guest, const char *kind);

/* What of a domain the plan is made by. Free with domain_facts_clear(). */
struct domain_facts {
        char *name, *uuid;
        char *guest;                  /* the name that our element in its metadata gives it, or NULL */
        enum grab_toggle grab_toggle; /* the same; GRAB_TOGGLE_INVALID: not told */
};

int domain_facts_load(const char *xml, struct domain_facts *ret, char **ret_error);
void domain_facts_clear(struct domain_facts *f);
