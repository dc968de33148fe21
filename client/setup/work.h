/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A transaction or its undoing while it is at work: what both of them do to the
 * world, and what they say meanwhile. */

#include "client/setup/domain-store.h"
#include "client/setup/transaction.h"

struct work {
        struct store *store;
        const struct root *root;
        const struct transaction_options *options;
        struct domain_store *domains; /* owned; opened when the first domain is touched */
        char *connect;                /* owned; NULL: default */
        int log;
        char *error;                  /* owned; the first thing that went wrong, a sentence */
        unsigned seconds;             /* that the running command has taken */
        char *running;                /* owned; the running command, for people */
};

int work_begin(struct work *w, struct record *r);
void work_clear(struct work *w);

void work_say(struct work *w, const char *format, ...) _printf_(2, 3);
/* Only the first is kept. */
void work_fail(struct work *w, const char *format, ...) _printf_(2, 3);

/* Its output goes to the log; of a failing one the last lines are in w->error. */
int work_run(struct work *w, char *const *argv);
/* Done by the others where it was not; for whoever wants to know before that libvirt is there. */
int work_open_domains(struct work *w);
/* xml: NULL undefines. */
int work_define(struct work *w, const char *name, const char *xml);
/* -ENOENT: no such domain. */
int work_read_domain(struct work *w, const char *name, char **ret);
/* Keeps what libvirt has made of the definition: it writes it in its own words. */
int work_note_defined(struct work *w, const struct record *r, const char *name, size_t n);
