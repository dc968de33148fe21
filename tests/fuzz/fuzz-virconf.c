/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text gets the node into its list, or is refused with a sentence; what was
 * in it is still in it, in the same order, and a second time nothing is added. */

#include <stdint.h>

#include "client/setup/virconf.h"
#include "common/text.h"

#define NAME "cgroup_device_acl"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void require_kept(const char *before, const char *after)
{
        for (; *before; before++, after++)
                while (*after != *before)
                        require(*after++ != '\0');
}

static void require_printable(const char *s)
{
        _autofree_ char *printable = text_printable(s);

        require(streq(s, printable));
}

static void require_places(const char *text, const struct virconf *c)
{
        for (size_t i = 0; i < c->n_entries; i++) {
                const struct virconf_entry *e = &c->entries[i];

                require(*e->name && e->line > 0 && e->start < e->end && e->end <= strlen(text));
                require(e->type != VIRCONF_LIST ||
                        (text[e->start] == '[' && text[e->end - 1] == ']' && e->start < e->last && e->last < e->end));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const fallback[] = { "/dev/null", "/dev/kvm", NULL };
        char *const words[] = { (char *) "/dev/input/by-id/a", NULL };
        _autofree_ char *text = xcalloc(size + 1, 1), *after = NULL, *again = NULL, *error = NULL, *mistake = NULL;
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        int e;

        memcpy(text, data, size);
        e = virconf_parse(text, &c, &mistake);
        require((e < 0) == !!mistake);
        require_places(text, &c);
        e = virconf_add(text, NAME, words, fallback, &after, &error);
        require((e == 0) == !!after && (e < 0) == !!error && !(mistake && after));
        if (error) {
                require_printable(error);
                return 0;
        }
        require_kept(text, after);
        require(virconf_add(after, NAME, words, fallback, &again, &error) == 0 && streq(after, again));
        return 0;
}
