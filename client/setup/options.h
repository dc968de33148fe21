/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command line of "vfioctl setup": one table, from which it is read and
 * --help is printed. Verb, steps and options may stand in any order. */

#include "client/setup/choices.h"

enum exit_code {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,     /* everything is as before */
        EXIT_USAGE = 2,
        EXIT_DIFFERS = 3,
        EXIT_REFUSED = 4,
        EXIT_INCOMPLETE = 5, /* not everything could be taken back */
};

struct options {
        struct choices choices;
        char *verb;     /* NULL: none was given */
        char *id;       /* of "undo" */
        char *root;     /* NULL: the running system */
        bool create_named;
        bool any;       /* any option at all was given */
        bool yes, dry_run, no_ask, force, all, exit_code, strict, json, quiet;
};

void options_clear(struct options *o);
/* argv[0] is "setup". EXIT_DONE with *ret_go_on: whether there is something to be done,
 * as --help and --version are done then; EXIT_USAGE: said why on stderr. */
enum exit_code options_parse(int argc, char **argv, struct options *ret, bool *ret_go_on);
