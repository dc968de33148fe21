/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The few real choices of setting up, as questions to a person. Each shows what
 * the machine looks like, has its safe answer preselected, and stands for an
 * option: what an option has said already is not asked. Changes nothing but
 * the choices. */

#include <stdio.h>

#include "client/setup/choices.h"
#include "client/setup/machine.h"

/* domains: names of libvirt's, NULL if none can be told. -ECANCELED: the answers
 * came to an end; -EINVAL: three answers to one question made no sense. */
int ask_choices(const struct machine *m, char *const *domains, FILE *in, FILE *out, struct choices *c);
/* "… [y/N]": 1 for yes, 0 for anything else, also for no answer. */
int ask_yes(FILE *in, FILE *out, const char *question);
