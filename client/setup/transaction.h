/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Carries a plan out as a whole or not at all, and takes it back.
 *
 *   plan    --apply-->  all files, then all commands, then all domains  -->  applied
 *                         | any failure, Ctrl-C
 *                         v
 *                       undo of what was begun  -->  undone (rolled back)
 *   killed in the middle  -->  unfinished  --undo-->  undone
 *   applied  --undo-->  undone
 *
 * All that undoing needs is in the store; it never relies on memory, so it is
 * the same after a failure, after a crash, and years later. A change is written
 * down before it is made, and undoing a change that was not made does nothing. */

#include <stdio.h>

#include "client/setup/store.h"

enum transaction_result {
        TRANSACTION_DONE,
        TRANSACTION_REFUSED,    /* nothing was changed */
        TRANSACTION_FAILED,     /* everything is as before */
        TRANSACTION_INCOMPLETE, /* failed, and not everything could be taken back */
};

struct transaction_options {
        FILE *progress;  /* a line for each step; NULL: none */
        bool live;       /* progress is a terminal: seconds are counted on it */
        bool no_rebuild; /* leave commands out that rebuild from files */
        bool force;      /* undo: overwrite what was changed since, which is kept in the store, and go on over commands that fail */
};

/* What went wrong is in *ret_error (owned by the caller), in sentences. */
enum transaction_result transaction_apply(struct store *s, const struct plan *p, const struct choices *c,
                                          const struct transaction_options *o, char **ret_error);
enum transaction_result transaction_undo(struct store *s, struct record *r, const struct transaction_options *o,
                                         char **ret_error);
/* From now on SIGINT, SIGTERM and SIGHUP end the transaction with a roll-back
 * and not the program. */
void transaction_catch_signals(void);
