/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/virconf.h"

#include "common/text.h"

struct reader {
        const char *text, *at;
        unsigned line;
        char *error; /* the first one */
};

/* --- reading ---------------------------------------------------------------------------------- */

static int fail(struct reader *r, const char *wanted)
{
        _autofree_ char *rest = xasprintf("%.*s", (int) MIN(strcspn(r->at, "\r\n"), 60U), r->at);
        _autofree_ char *shown = text_printable(rest);

        if (!r->error)
                r->error = xasprintf("line %u: there should be %s, not \"%s\"", r->line, wanted, shown);
        return -EBADMSG;
}

static bool is_eol(char c)
{
        return c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_blanks(struct reader *r)
{
        r->at += strspn(r->at, " \t");
}

static void skip_lines(struct reader *r)
{
        for (; *r->at && strchr(" \t\r\n", *r->at); r->at++)
                r->line += *r->at == '\n';
}

static void skip_comment(struct reader *r)
{
        r->at += strcspn(r->at, "\r\n");
}

/* Behind the string that begins here; NULL: it does not end. There are no escapes. */
static const char *string_end(struct reader *r, const char **ret_start, const char **ret_stop)
{
        static const char triple[] = "\"\"\"";
        const char *stop;

        if (startswith(r->at, triple)) {
                *ret_start = r->at + 3;
                stop = strstr(*ret_start, triple);
                *ret_stop = stop;
                return stop ? stop + 3 : NULL;
        }
        *ret_start = stop = r->at + 1;
        while (*stop && *stop != *r->at && !is_eol(*stop))
                stop++;
        *ret_stop = stop;
        return *stop == *r->at ? stop + 1 : NULL;
}

static int read_string(struct reader *r, struct virconf_entry *e)
{
        const char *start, *stop, *end = string_end(r, &start, &stop);

        if (!end)
                return fail(r, "a string that ends");
        words_take(&e->words, xasprintf("%.*s", (int) (stop - start), start));
        for (; r->at < end; r->at++)
                r->line += *r->at == '\n';
        return 0;
}

static int read_number(struct reader *r, struct virconf_entry *e)
{
        const char *start = r->at;

        r->at += *r->at == '-' || *r->at == '+';
        if (!is_digit(*r->at))
                return fail(r, "a number");
        while (is_digit(*r->at))
                r->at++;
        words_take(&e->words, xasprintf("%.*s", (int) (r->at - start), start));
        return 0;
}

static int read_item(struct reader *r, struct virconf_entry *e)
{
        if (*r->at == '"' || *r->at == '\'')
                return read_string(r, e);
        if (is_digit(*r->at) || *r->at == '-' || *r->at == '+')
                return read_number(r, e);
        return fail(r, "a number, or a value in quotes");
}

/* No comments in it; a comma may stand behind the last one. */
static int read_list(struct reader *r, struct virconf_entry *e)
{
        r->at++;
        e->last = (size_t) (r->at - r->text);
        for (skip_lines(r); *r->at != ']'; skip_lines(r)) {
                int error = read_item(r, e);

                if (error < 0)
                        return error;
                e->last = (size_t) (r->at - r->text);
                skip_lines(r);
                if (*r->at == ']')
                        break;
                if (*r->at != ',')
                        return fail(r, "a comma or the end of the list");
                r->at++;
        }
        r->at++;
        return 0;
}

static int read_value(struct reader *r, struct virconf_entry *e)
{
        bool quoted = *r->at == '"' || *r->at == '\'';
        int error;

        e->type = *r->at == '[' ? VIRCONF_LIST : quoted ? VIRCONF_STRING : VIRCONF_NUMBER;
        e->start = (size_t) (r->at - r->text);
        error = e->type == VIRCONF_LIST ? read_list(r, e) : read_item(r, e);
        e->end = (size_t) (r->at - r->text);
        return error;
}

static int read_name(struct reader *r, struct virconf_entry *e)
{
        const char *start = r->at;

        if (!is_letter(*r->at))
                return fail(r, "a name");
        while (is_letter(*r->at) || is_digit(*r->at) || *r->at == '_')
                r->at++;
        e->name = xasprintf("%.*s", (int) (r->at - start), start);
        e->line = r->line;
        return 0;
}

static int read_entry(struct reader *r, struct virconf *c)
{
        struct virconf_entry *e;
        int error;

        c->entries = xreallocarray(c->entries, c->n_entries + 1, sizeof(*c->entries));
        e = &c->entries[c->n_entries++];
        *e = (struct virconf_entry) { 0 };
        error = read_name(r, e);
        if (error < 0)
                return error;
        skip_blanks(r);
        if (*r->at != '=')
                return fail(r, "an equals sign");
        r->at++;
        skip_blanks(r);
        return read_value(r, e);
}

static int read_all(struct reader *r, struct virconf *c)
{
        skip_lines(r);
        if (r->at > r->text && !*r->at) /* libvirt takes an empty file, but not an empty line alone */
                return fail(r, "an assignment or a comment");
        for (; *r->at; skip_lines(r)) {
                int error = *r->at == '#' ? 0 : read_entry(r, c);

                if (error < 0)
                        return error;
                skip_blanks(r);
                if (*r->at == '#')
                        skip_comment(r);
                else if (*r->at == ';')
                        r->at++;
                else if (*r->at && !is_eol(*r->at))
                        return fail(r, "the end of the line");
        }
        return 0;
}

int virconf_parse(const char *text, struct virconf *ret, char **ret_error)
{
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        struct reader r = { text, text, 1, NULL };
        int e = read_all(&r, &c);

        if (e < 0) {
                *ret_error = r.error;
                return e;
        }
        *ret = c;
        c = (struct virconf) { 0 };
        return 0;
}

void virconf_clear(struct virconf *c)
{
        for (size_t i = 0; i < c->n_entries; i++) {
                free(c->entries[i].name);
                (void) strv_free(c->entries[i].words);
        }
        free(c->entries);
        *c = (struct virconf) { 0 };
}

const struct virconf_entry *virconf_get(const struct virconf *c, const char *name)
{
        for (size_t i = 0; i < c->n_entries; i++)
                if (streq(c->entries[i].name, name))
                        return &c->entries[i];
        return NULL;
}

/* --- adding to a list --------------------------------------------------------------------------- */

static char *quote(char *const *words, const char *separator)
{
        _autofree_ char *between = xasprintf("\"%s\"", separator), *all = words_join(words, between);

        return xasprintf("\"%s\"", all);
}

static bool can_be_quoted(char *const *words)
{
        for (; words && *words; words++)
                if (!**words || (*words)[strcspn(*words, "\"\r\n")])
                        return false;
        return true;
}

static char *extend(const char *text, const struct virconf_entry *e, char *const *words)
{
        bool lines = memchr(text + e->start, '\n', e->end - e->start);
        const char *separator = lines ? ",\n    " : ", ";
        _autofree_ char *more = quote(words, separator);

        return xasprintf("%.*s%s%s%s", (int) e->last, text, e->words ? separator : "", more, text + e->last);
}

/* The lines "#NAME = [" to "#]" without their marks, owned by the caller; NULL:
 * there are none. ret_end: behind them in the text. */
static char *commented(const char *text, const char *name, size_t *ret_end)
{
        _autofree_ char *start = xasprintf("#%s =", name);
        char *found = NULL;

        for (const char *line = text; *line;) {
                size_t n = strcspn(line, "\n");

                if (*line != '#' || (!found && !startswith(line, start))) {
                        if (found)
                                break;
                } else {
                        _autofree_ char *before = found;

                        found = xasprintf("%s%.*s\n", before ? before : "", (int) n - 1, line + 1);
                        *ret_end = (size_t) (line - text) + n + (line[n] == '\n');
                        if (memchr(line, ']', n))
                                return found;
                }
                line += n + (line[n] == '\n');
        }
        free(found);
        return NULL;
}

/* The list of the commented assignment, if there is one; ret_end: behind it. */
static char **shipped_list(const char *text, const char *name, size_t *ret_end)
{
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        _autofree_ char *lines = NULL, *error = NULL;
        const struct virconf_entry *e;
        char **list = NULL;
        size_t end;

        lines = commented(text, name, &end);
        if (!lines || virconf_parse(lines, &c, &error) < 0)
                return NULL;
        e = virconf_get(&c, name);
        if (!e || e->type != VIRCONF_LIST)
                return NULL;
        for (char **word = e->words; word && *word; word++)
                words_add(&list, *word);
        *ret_end = end;
        return list;
}

static char *make(const char *text, const char *name, char *const *words, const char *const *fallback)
{
        size_t at = strlen(text);
        _cleanup_(strv_freep) char **all = shipped_list(text, name, &at);
        _autofree_ char *list = NULL;

        for (bool shipped = all; !shipped && fallback && *fallback; fallback++)
                words_add(&all, *fallback);
        for (; *words; words++)
                if (!words_have(all, *words))
                        words_add(&all, *words);
        list = quote(all, ",\n    ");
        return xasprintf("%.*s%s%s = [\n    %s\n]\n%s", (int) at, text, at > 0 && text[at - 1] != '\n' ? "\n" : "", name, list,
                         text + at);
}

/* That it says now what it should, wherever it was put. */
static int prove(const char *text, const char *name, char *const *words, char **ret_error)
{
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        int error = virconf_parse(text, &c, ret_error);
        const struct virconf_entry *e = error < 0 ? NULL : virconf_get(&c, name);

        for (; e && *words; words++)
                if (!words_have(e->words, *words))
                        e = NULL;
        if (error == 0 && !e)
                *ret_error = xasprintf("%s cannot be added: what looks like a comment is none", name);
        return e ? 0 : -EBADMSG;
}

int virconf_add(const char *text, const char *name, char *const *words, const char *const *fallback, char **ret,
                char **ret_error)
{
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        _cleanup_(strv_freep) char **missing = NULL;
        _autofree_ char *after = NULL;
        const struct virconf_entry *e;

        if (virconf_parse(text, &c, ret_error) < 0)
                return -EBADMSG;
        e = virconf_get(&c, name);
        if ((e && e->type != VIRCONF_LIST) || !can_be_quoted(words)) {
                *ret_error = e ? xasprintf("line %u: %s should be a list", e->line, name)
                               : xasprintf("%s: a word cannot be put in quotes", name);
                return -EBADMSG;
        }
        for (char *const *word = words; word && *word; word++)
                if (!e || !words_have(e->words, *word))
                        words_add(&missing, *word);
        after = !missing ? xstrdup(text) : e ? extend(text, e, missing) : make(text, name, missing, fallback);
        if (missing && prove(after, name, missing, ret_error) < 0)
                return -EBADMSG;
        *ret = after;
        after = NULL;
        return 0;
}
