/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a look at the machine found: an id that stays, a verdict, and what
 * mends it. All text is cleaned when it is set, so it may go to a terminal. */

#include <json-c/json.h>
#include <stdio.h>

#include "common/mem.h"

enum check_status {
        CHECK_OK,
        CHECK_SKIP,    /* does not apply here */
        CHECK_UNKNOWN, /* could not be looked at */
        CHECK_WARN,
        CHECK_FAIL,
};

struct check {
        const char *id; /* borrowed, lives as long as the program */
        enum check_status status;
        char *message;
        char *evidence; /* NULL: none */
        char **fix;     /* commands or sentences; NULL: none */
};

/* In the order in which they were made. { 0 } is the empty list. */
struct checks {
        struct check *items;
        size_t n_items;
};

void checks_clear(struct checks *c);
/* A new check at the end, "unknown" so far. Valid until the next is added. */
struct check *checks_add(struct checks *c, const char *id);
/* The verdict and one line that names the cause; the last call counts. */
void check_set(struct check *c, enum check_status status, const char *format, ...) _printf_(3, 4);
/* What the verdict rests on; the last call counts. */
void check_evidence(struct check *c, const char *format, ...) _printf_(2, 3);
/* One more command or sentence that mends it. */
void check_fix(struct check *c, const char *format, ...) _printf_(2, 3);

const char *check_status_name(enum check_status status);
/* NULL: no check has that id. */
const struct check *checks_find(const struct checks *c, const char *id);
size_t checks_count(const struct checks *c, enum check_status status);
/* The gravest: fail, warn, unknown, skip, ok. An empty list is ok. */
enum check_status checks_worst(const struct checks *c);
/* 1 if something fails, or, when strict, is worth a warning or could not be looked at; else 0. */
int checks_exit_code(const struct checks *c, bool strict);

void checks_print(const struct checks *c, FILE *out);
/* {"schema":1,"checks":[…],"summary":{…}}; owned by the caller. */
json_object *checks_to_json(const struct checks *c);
