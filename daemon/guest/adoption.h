/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which domains become guests, under which name and with which settings. Pure. */

#include "common/config.h"
#include "daemon/guest/domain-xml.h"

/* Whether the domain is to be a guest. True with *ret filled in (free it with
 * guest_config_clear): the section of the configuration that names it, or that
 * is named like it and says neither domain nor qmp, comes first; then our
 * element in its metadata; then the rule. Where a section and the metadata
 * both set something, the section wins, its name always. Its domain is as the
 * section has it, otherwise the name of the domain. False with *ret_reason (a literal): why not.
 * True with *ret_reason: what of it had to be left out, or NULL.
 * taken tells whether another guest has a name already; a name made from the
 * domain's is then told apart by a number. */
typedef bool (*adoption_taken_fn)(const char *name, void *userdata);
bool adoption_decide(const struct config *c, const struct domain_xml *d, adoption_taken_fn taken, void *userdata,
                     struct guest_config *ret, const char **ret_reason);
