/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of editing a domain, one a file: domain-NAME.c. Each changes the
 * tree where it is not so already, and notes what it has found. */

#include "client/setup/domain-edit.h"
#include "client/setup/xml-tree.h"

#define DOMAIN_STEP "domain"

/* The child of that name, made where libvirt has it if there is none. */
xmlNode *domain_part(xmlNode *domain, const char *name);
/* A new device of that kind. */
xmlNode *domain_add_device(xmlNode *domain, const char *name);
/* <domain type='kvm'>: only then QEMU has the processor's own virtualisation. */
bool domain_is_kvm(const xmlNode *domain);

void domain_edit_hostdevs(xmlNode *domain, const struct domain_edit *e, struct plan *notes);
/* A GPU is passed through to it. */
bool domain_has_gpu(const xmlNode *domain, const struct pci *pci);
void domain_edit_inputs(xmlNode *domain, const struct domain_edit *e, struct plan *notes);
/* It reads nodes of ours. */
bool domain_has_our_input(const xmlNode *domain);
void domain_edit_cpus(xmlNode *domain, const struct domain_edit *e, struct plan *notes);
void domain_hide_kvm(xmlNode *domain, const struct domain_edit *e, struct plan *notes);
void domain_remove_graphics(xmlNode *domain, const struct domain_edit *e, struct plan *notes);
