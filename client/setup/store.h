/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /var/lib/vfio-inputd/setup, where each "apply" keeps all that "undo" needs:
 * the plan, the files as they were, and a journal in which every change stands
 * before it is made. Only root may look into it: domains have passwords. */

#include <json-c/json.h>

#include "client/setup/plan.h"

#define STORE_FOLDER "/var/lib/vfio-inputd/setup"

struct store;

/* -ENOENT: nothing was ever applied, and create is false. -EWOULDBLOCK: another
 * program is changing it. */
int store_open(const struct root *r, bool create, struct store **ret);
struct store *store_free(struct store *s);
DEFINE_CLEANUP(struct store *, store_free);

enum record_state {
        RECORD_UNFINISHED, /* begun, and its program ended in the middle; also in the middle of an undo */
        RECORD_APPLIED,
        RECORD_UNDONE,     /* by "undo", or rolled back after a failure */
};

/* One "apply". */
struct record {
        char *id;          /* "20261125T055133Z" */
        char *folder;      /* path in the root */
        json_object *plan; /* as store_create() has written it */
        char **journal;    /* its lines */
        enum record_state state;
};

void record_clear(struct record *r);
/* Whether the journal has that line. */
bool record_has(const struct record *r, const char *line);

/* What is in a list of its plan, and a text of such an item ("" if it has none); borrowed. */
size_t record_count(const struct record *r, const char *list);
json_object *record_item(const struct record *r, const char *list, size_t n);
const char *record_text(json_object *item, const char *key);

/* Ids, the oldest first. One that was killed before its plan was written down has changed
 * nothing and is no record. Owned by the caller. */
int store_list(struct store *s, char ***ret);
int store_load(struct store *s, const char *id, struct record *ret);
/* The newest whose state is not undone; -ENOENT: there is none. */
int store_newest(struct store *s, struct record *ret);

/* Writes all of a plan down, as a new record. */
int store_create(struct store *s, const struct plan *p, const struct choices *c, struct record *ret);
/* Appends a line, on the disk when it returns. */
int store_note(struct store *s, struct record *r, const char *format, ...) _printf_(3, 4);
/* "before", "after", "rejected" of file N, or "domain-before" and so on; owned by
 * the caller. -ENOENT: there was nothing. */
int store_read(struct store *s, const struct record *r, const char *what, size_t n, char **ret, size_t *ret_size);
int store_write(struct store *s, const struct record *r, const char *what, size_t n, const char *data, size_t size,
                int like);
/* A descriptor of "before" of file N, for its attributes. */
int store_open_before(struct store *s, const struct record *r, size_t n);
/* The log of its commands, to be appended to, and read from for messages. */
int store_open_log(struct store *s, const struct record *r);

const struct root *store_root(const struct store *s);
