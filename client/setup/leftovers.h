/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a guide that was followed by hand leaves behind, in files of the person:
 * found by the very function that takes it out, so both always agree. */

#include "client/setup/machine.h"

struct leftover_rule {
        const char *id;   /* of its check: "guide.acl" */
        const char *what; /* that is left, in some words */
        const char *why;  /* it is of no use, or harms */
        const char *const *paths; /* one that ends in a slash is all files in that folder; ends with NULL */
        /* The text without it, owned by the caller; equal to text: there is none. */
        char *(*edit)(const struct machine *m, const char *text);
        bool by_hand;     /* it may be meant: it is named, and never taken out */
        bool in_boot, in_initramfs; /* what has to be made again */
};

/* Ends with an entry without id. */
extern const struct leftover_rule leftover_rules[];

/* Files that have it, those that may not be read in *ret_unread. Lists are
 * owned by the caller; either may stay NULL. */
void leftovers_find(const struct machine *m, const struct leftover_rule *rule, char ***ret, char ***ret_unread);

/* Accounts that QEMU runs as, by distributions and guides, which are in the group input; owned by the caller, NULL: none. */
char **leftovers_input_members(const struct machine *m);
/* Whether the guide's user vfio is there. */
bool leftovers_has_user(const struct machine *m);
