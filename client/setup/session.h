/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What every verb of "vfioctl setup" begins with: the root, the machine in it,
 * and the plan that the choices make of it. */

#include "client/setup/options.h"
#include "client/setup/step.h"
#include "client/setup/store.h"

struct session {
        struct options *options; /* borrowed */
        struct root *root;
        struct machine *machine;
        struct setup setup;
        struct plan plan;
};

/* Opens the root; complains itself. The machine only with session_look(). */
enum exit_code session_open(struct options *o, struct session *ret);
enum exit_code session_look(struct session *s);
/* Makes the plan. */
enum exit_code session_plan(struct session *s);
/* The plan, as a person or as JSON, to stdout. */
void session_show_plan(const struct session *s);
void session_close(struct session *s);

/* *ret stays NULL if nothing was ever applied. */
enum exit_code session_store(const struct session *s, bool create, struct store **ret);
/* Whether we may change that root; complains, with what to do. */
bool session_may_change(const struct session *s);
/* Prints it to stdout and puts it. */
void session_print_json(json_object *o);

/* --- one a file, setup-VERB.c ------------------------------------------------------------ */

enum exit_code setup_apply(struct session *s);
enum exit_code setup_check(struct session *s);
enum exit_code setup_detect(struct session *s);
enum exit_code setup_list(struct session *s);
enum exit_code setup_show_plan(struct session *s);
enum exit_code setup_undo(struct session *s);
