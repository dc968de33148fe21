/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For tests of domains: definitions from tests/unit/domains, and libvirt's own schema. */

#include "client/setup/plan.h"

/* The text of that definition; owned by the caller. */
char *setup_domain_read(const char *name);
/* Fails the test if libvirt's schema refuses it. Without a schema here it says so once. */
void setup_domain_validate(const char *xml);
/* Whether there is a schema. */
bool setup_domain_has_schema(void);
unsigned setup_domain_count(const char *text, const char *part);
/* A note of that verdict has the text in it. */
bool setup_domain_has_note(const struct plan *p, enum plan_verdict verdict, const char *text);
