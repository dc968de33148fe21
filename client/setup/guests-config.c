/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/guests-config.h"

#include <stdio.h>
#include <strings.h>

#define FILE_NAME SYSCONFDIR "/vfio-inputd.conf"
#define NUMBER_MAX 99U

/* --- libconfig's grammar, as far as it takes to find a list at the top -------------------- */

struct scan {
        const char *p;
        unsigned depth; /* of brackets */
        bool after_comma;
};

static const char *end_of_line(const char *p)
{
        return p + strcspn(p, "\n");
}

static const char *end_of_string(const char *p)
{
        for (p++; *p && *p != '"'; p++)
                if (*p == '\\' && p[1])
                        p++;
        return *p ? p + 1 : p;
}

/* Blanks, comments and lines of @include. */
static const char *skip_blank(const char *p)
{
        for (;;) {
                const char *end;

                p += strspn(p, " \t\r\n\f");
                if (*p == '#' || *p == '@' || startswith(p, "//")) {
                        p = end_of_line(p);
                } else if (startswith(p, "/*")) {
                        end = strstr(p + 2, "*/");
                        p = end ? end + 2 : p + strlen(p);
                } else {
                        return p;
                }
        }
}

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*"

/* One token that is no blank. */
static void next(struct scan *s)
{
        char c = *s->p;

        if (c == '"') {
                s->p = end_of_string(s->p);
        } else if (strchr(NAME_CHARACTERS ".+", c)) {
                s->p += strspn(s->p, NAME_CHARACTERS ".+");
        } else {
                s->p++;
                if (strchr("({[", c))
                        s->depth++;
                else if (strchr(")}]", c) && s->depth > 0)
                        s->depth--;
        }
        s->after_comma = c == ',';
}

/* Behind the opening bracket of the list "guests" of the top; NULL: there is none. */
static const char *find_list(const char *text)
{
        struct scan s = { .p = skip_blank(text) };

        while (*s.p) {
                const char *start = s.p, *after;
                bool is_name;

                next(&s);
                is_name = s.depth == 0 && s.p - start == (ptrdiff_t) strlen("guests") && startswith(start, "guests");
                after = skip_blank(s.p);
                if (is_name && (*after == '=' || *after == ':')) {
                        after = skip_blank(after + 1);
                        return *after == '(' ? after + 1 : NULL;
                }
                s.p = after;
        }
        return NULL;
}

/* Where the list ends that p is in the beginning of, and behind its last token
 * before; NULL: nowhere. */
static const char *find_end(const char *p, const char **ret_last, bool *ret_empty, bool *ret_comma)
{
        struct scan s = { .p = skip_blank(p), .depth = 1 };

        *ret_last = p;
        *ret_empty = true;
        *ret_comma = false;
        while (*s.p) {
                if (*s.p == ')' && s.depth == 1)
                        return s.p;
                next(&s);
                *ret_last = s.p;
                *ret_empty = false;
                *ret_comma = s.after_comma;
                s.p = skip_blank(s.p);
        }
        return NULL;
}

/* --- text --------------------------------------------------------------------------------- */

/* With libconfig's escapes; what it has none for has been refused. Owned by the caller. */
static char *quote(const char *s)
{
        char *text = xcalloc(2 * strlen(s) + 3, 1), *p = text;

        *p++ = '"';
        for (; *s; s++) {
                if (*s == '"' || *s == '\\')
                        *p++ = '\\';
                *p++ = *s;
        }
        *p = '"';
        return text;
}

static char *format_group(const char *name, const char *domain)
{
        _autofree_ char *quoted = quote(domain);

        return xasprintf("{ name = \"%s\"; domain = %s; }", name, quoted);
}

static char *append_list(const char *text, const char *group)
{
        size_t n = text ? strlen(text) : 0;
        const char *gap = n == 0 ? "" : text[n - 1] == '\n' ? "\n" : "\n\n";

        return xasprintf("%s%s# By vfioctl setup.\nguests = (\n    %s\n);\n", text ? text : "", gap, group);
}

/* The comma goes right behind the last group, in front of a comment that may
 * follow it; the new group in front of the bracket. */
static char *insert(const char *text, const char *list, const char *group)
{
        const char *last, *end, *line;
        bool empty, comma, own_line;

        end = find_end(list, &last, &empty, &comma);
        if (!end)
                return NULL;
        for (line = end; line > last && strchr(" \t", line[-1]); line--)
                ;
        own_line = line > last && line[-1] == '\n';
        if (!own_line)
                line = end;
        return xasprintf("%.*s%s%.*s%s    %s\n%s", (int) (last - text), text, empty || comma ? "" : ",",
                         (int) (line - last), last, own_line ? "" : "\n", group, line);
}

/* --- guests ----------------------------------------------------------------------------------- */

static bool is_of_domain(const struct guest_config *g, const char *domain, const char *uuid)
{
        const char *own = guest_config_domain(g);
        char made[TARGET_NAME_MAX + 1];

        if (!own)
                return false;
        target_name_make(domain, made);
        return streq(own, domain) || (uuid && strcasecmp(own, uuid) == 0) || (!g->domain && streq(g->name, made));
}

static const struct guest_config *find_guest(const struct config *c, const char *domain, const char *uuid)
{
        for (unsigned i = 0; i < c->n_guests; i++)
                if (is_of_domain(&c->guests[i], domain, uuid))
                        return &c->guests[i];
        return NULL;
}

/* wanted, or what of it fits with the first number that makes it free. */
static bool choose_name(const struct config *c, const char *wanted, char ret[TARGET_NAME_MAX + 1])
{
        target_name_make(wanted, ret);
        for (unsigned i = 2; config_find_guest(c, ret); i++) {
                char number[16];
                int length = snprintf(number, sizeof(number), "-%u", i);

                if (i > NUMBER_MAX)
                        return false;
                target_name_make(wanted, ret);
                (void) snprintf(ret + MIN(strlen(ret), (size_t) (TARGET_NAME_MAX - length)), sizeof(number), "%s",
                                number);
        }
        return true;
}

static bool has_all(const struct config *c, const struct config *old)
{
        bool all = c->n_guests == old->n_guests + 1;

        for (unsigned i = 0; all && i < old->n_guests; i++)
                all = guest_config_equal(&c->guests[i], &old->guests[i]);
        return all;
}

/* The text must mean what it meant, and one guest more. */
static int verify(const char *text, const char *include_dir, const struct config *old, const char *name,
                  struct guest_config *ret_guest, char **ret_error)
{
        _cleanup_(config_freep) struct config *c = NULL;
        _autofree_ char *reason = NULL;
        const struct guest_config *g;
        int r = config_parse(text, strlen(text), FILE_NAME, include_dir, &c, &reason);

        g = r < 0 ? NULL : config_find_guest(c, name);
        if (!g || !has_all(c, old)) {
                *ret_error = xasprintf("the guest %s cannot be added to " FILE_NAME " by itself (%s); add it by hand",
                                       name, reason ? reason : "its guests are in another file");
                return -EINVAL;
        }
        guest_config_copy(ret_guest, g);
        return 1;
}

/* libconfig has no escape for what is not printable, and our limit is 128. */
static bool is_plain(const char *domain)
{
        for (const char *c = domain; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        return false;
        return strlen(domain) <= 128;
}

static int add(const char *text, const char *include_dir, const struct config *old, const char *domain,
               const char *wanted, char **ret, struct guest_config *ret_guest, char **ret_error)
{
        const char *list = text ? find_list(text) : NULL;
        _autofree_ char *group = NULL, *after = NULL;
        char name[TARGET_NAME_MAX + 1];
        int r;

        if (!is_plain(domain)) {
                *ret_error = xstrdup("the name of the domain cannot be written into " FILE_NAME
                                     "; add its guest by hand, with the UUID of the domain");
                return -EINVAL;
        }
        if (!choose_name(old, wanted, name)) {
                *ret_error = xasprintf("no name for a guest is left in " FILE_NAME " that begins with %s", name);
                return -EINVAL;
        }
        group = format_group(name, domain);
        after = list ? insert(text, list, group) : append_list(text, group);
        if (!after) {
                *ret_error = xstrdup("the list of guests in " FILE_NAME " has no end");
                return -EINVAL;
        }
        r = verify(after, include_dir, old, name, ret_guest, ret_error);
        if (r > 0)
                *ret = TAKE_PTR(after);
        return r;
}

int guests_config_add(const char *text, const char *include_dir, const char *domain, const char *uuid,
                      const char *wanted, char **ret, struct guest_config *ret_guest, char **ret_error)
{
        _cleanup_(config_freep) struct config *old = NULL;
        const struct guest_config *g;
        int r;

        r = config_parse(text ? text : "", text ? strlen(text) : 0, FILE_NAME, include_dir, &old, ret_error);
        if (r < 0)
                return r;
        g = find_guest(old, domain, uuid);
        if (!g)
                return add(text, include_dir, old, uuid && !is_plain(domain) ? uuid : domain, wanted, ret, ret_guest, ret_error);
        guest_config_copy(ret_guest, g);
        return 0;
}
