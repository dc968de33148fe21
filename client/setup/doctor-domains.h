/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The definitions of libvirt's domains: from libvirt if it runs, else from its
 * files. libvirt is asked in a child, which is given up after some seconds. */

#include "client/setup/doctor.h"

struct doctor_domain {
        char *name, *xml;
};

struct doctor_domains {
        struct doctor_domain *items;
        size_t n_items;
        char *error; /* why they cannot be read; NULL: they can */
};

struct doctor_domains *doctor_domains_load(const struct root *r, const struct doctor_wish *w);
struct doctor_domains *doctor_domains_free(struct doctor_domains *d);
