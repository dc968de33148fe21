/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* libvirt's own files of assignments, such as qemu.conf, read as strictly as
 * libvirt does: one that it refuses is not loaded at all. Nothing is ever
 * written anew but the words that are added; all else stays byte for byte. */

#include "client/setup/words.h"

enum virconf_type {
        VIRCONF_NUMBER,
        VIRCONF_STRING,
        VIRCONF_LIST,
};

struct virconf_entry {
        char *name;
        enum virconf_type type;
        char **words;      /* strings and numbers of the value: one, or those of the list; NULL: an empty list */
        size_t start, end; /* of the value in the text */
        size_t last;       /* behind the last item of a list, or behind its bracket */
        unsigned line;     /* of its name */
};

struct virconf {
        struct virconf_entry *entries;
        size_t n_entries;
};

/* -EBADMSG with a sentence in *ret_error (owned by the caller), which names the line. */
int virconf_parse(const char *text, struct virconf *ret, char **ret_error);
void virconf_clear(struct virconf *c);
/* The first of that name, which is the one that counts; NULL: none. */
const struct virconf_entry *virconf_get(const struct virconf *c, const char *name);
/* The text with these words in that list, those left out that it has. Without an
 * assignment one is made, below the one in a comment if there is one: with the
 * list of that or else with fallback, as what is assigned replaces what is built
 * in. Owned by the caller. Errors as above. */
int virconf_add(const char *text, const char *name, char *const *words, const char *const *fallback, char **ret,
                char **ret_error);
