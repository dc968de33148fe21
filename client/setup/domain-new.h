/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a new domain is made of on this machine, by choices and by what there is. */

#include "client/setup/domain-store.h"
#include "client/setup/step.h"

/* Its definition, still without what domain-edit.h adds, in *ret_xml (owned by
 * the caller); the command that makes its disk, and notes, in p. */
int domain_new(const struct setup *s, struct domain_store *store, struct plan *p, char **ret_xml, char **ret_error);
/* Its processor: as chosen, or else what the host can spare. */
int domain_new_cpus(const struct setup *s, struct cpu_proposal *ret, char **ret_error);
