/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/match.h"

#include "client/text.h"

char *match_group(const struct device *d)
{
        const char *phys = d->phys, *slash;

        if (!phys || !*phys)
                return xstrdup(d->node ? d->node : "");
        slash = strrchr(phys, '/');
        return slash ? xasprintf("%.*s", (int) (slash - phys), phys) : xstrdup(phys);
}

int match_compare(const struct device *a, const struct device *b)
{
        _autofree_ char *x = match_group(a), *y = match_group(b);
        int r = strverscmp(x, y);

        return r ? r : strverscmp(a->node ? a->node : "", b->node ? b->node : "");
}

/* A pattern that means s itself, quoted as libconfig wants it. text_clean has
 * put question marks, which fit any byte, for what cannot be written there. */
static char *quote(const char *s)
{
        _autofree_ char *clean = text_clean(s);
        char *quoted = xcalloc(strlen(clean) + 1, 4), *to = quoted;
        bool changed = !streq_null(clean, s);

        for (const char *p = clean; *p; p++) {
                if (*p == '\\')
                        to = stpcpy(to, "\\\\\\"); /* the pattern \\ … */
                else if (strchr("*[", *p) || (*p == '?' && !changed))
                        to = stpcpy(to, "\\\\");
                else if (*p == '"')
                        *to++ = '\\';
                *to++ = *p;
        }
        return quoted;
}

static bool is_ambiguous(const struct state *state, const struct device *d)
{
        _autofree_ char *group = match_group(d);

        for (unsigned i = 0; i < state->n_objects; i++) {
                const struct device *other = &state->objects[i]->device;
                _autofree_ char *other_group = NULL;

                if (state->objects[i]->kind != OBJECT_DEVICE || other->vendor != d->vendor ||
                    other->product != d->product || !streq_null(other->name, d->name))
                        continue;
                other_group = match_group(other);
                if (!streq(group, other_group))
                        return true;
        }
        return false;
}

char *match_line(const struct state *state, const struct device *d)
{
        _autofree_ char *name = quote(d->name), *phys = quote(d->phys);
        bool with_phys = *phys && is_ambiguous(state, d);

        return xasprintf("{ vendor = 0x%04x; product = 0x%04x; name = \"%s\"; %s%s%s}", d->vendor, d->product, name,
                         with_phys ? "phys = \"" : "", with_phys ? phys : "", with_phys ? "\"; " : "");
}
