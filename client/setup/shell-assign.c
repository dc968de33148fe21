/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/shell-assign.h"

/* Where a value stands in the text. */
struct value {
        size_t start, length; /* without its quotes */
        char quote;           /* 0: none */
};

/* The next line that begins outside quotes and is not continued; NULL: quotes do not end. */
static const char *next_line(const char *at)
{
        char quote = '\0', before = '\n';

        while (*at) {
                char c = *at;

                if (c == '\\' && quote != '\'' && at[1]) {
                        at += 2;
                        before = c;
                        continue;
                }
                if (!quote && c == '\n')
                        return at + 1;
                if (!quote && c == '#' && strchr(" \t\n;", before)) {
                        at += strcspn(at, "\n");
                        continue;
                }
                if (c == quote)
                        quote = '\0';
                else if (!quote && (c == '"' || c == '\''))
                        quote = c;
                before = c;
                at++;
        }
        return quote ? NULL : at;
}

/* What stands behind "NAME=" or "NAME+=" in this line; NULL: it is no assignment to it. */
static const char *behind_name(const char *line, const char *name)
{
        const char *at = line + strspn(line, " \t");

        if (startswith(at, "export "))
                at += strlen("export ");
        if (!startswith(at, name))
                return NULL;
        at += strlen(name);
        if (*at == '+')
                at++;
        return *at == '=' ? at + 1 : NULL;
}

/* Nothing, or a comment. */
static bool is_end(const char *at)
{
        size_t blanks = strspn(at, " \t\r;");

        return at[blanks] == '\n' || at[blanks] == '\0' || (blanks > 0 && at[blanks] == '#');
}

static int quoted(const char *text, const char *at, struct value *ret)
{
        const char *end = at + 1;

        while (*end && *end != *at)
                end += *at == '"' && *end == '\\' && end[1] ? 2 : 1;
        if (!*end || !is_end(end + 1))
                return -EBADMSG;
        *ret = (struct value) { (size_t) (at + 1 - text), (size_t) (end - at - 1), *at };
        return 0;
}

static int unquoted(const char *text, const char *at, struct value *ret)
{
        size_t length = strcspn(at, " \t\r\n;#");

        /* What means something else, or nothing, once there are quotes around it. */
        if (strcspn(at, "\"'\\`(){}<>|&~") < length || !is_end(at + length))
                return -EBADMSG;
        *ret = (struct value) { (size_t) (at - text), length, 0 };
        return 0;
}

static bool is_in_name(char c)
{
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* An assignment behind "then", behind "&&" or within quotes. */
static bool is_assigned_within(const char *from, const char *end, const char *name)
{
        size_t length = strlen(name);

        for (const char *at = from; (at = strstr(at, name)) && at < end; at += length) {
                bool alone = at == from || !is_in_name(at[-1]);

                if (alone && (startswith(at + length, "=") || startswith(at + length, "+=")))
                        return true;
        }
        return false;
}

/* The last assignment, but only where each can be told: which of them counts is
 * not ours to guess. */
static int find(const char *text, const char *name, struct value *ret)
{
        const char *found = NULL;

        for (const char *line = text; *line;) {
                const char *value = behind_name(line, name), *next = next_line(line);

                if (!next)
                        return -EBADMSG;
                if (line[strspn(line, " \t")] != '#' && is_assigned_within(value ? value : line, next, name))
                        return -EBADMSG;
                found = value ? value : found;
                line = next;
        }
        if (!found)
                return -ENOENT;
        return *found == '"' || *found == '\'' ? quoted(text, found, ret) : unquoted(text, found, ret);
}

int shell_assign_words(const char *text, const char *name, char ***ret)
{
        _autofree_ char *value = NULL;
        struct value v;
        int e = find(text, name, &v);

        if (e < 0)
                return e;
        value = xasprintf("%.*s", (int) v.length, text + v.start);
        *ret = words_split(value, " \t\n");
        return 0;
}

static bool is_plain(const char *word)
{
        return *word && !word[strcspn(word, " \t\n\r\"'`$\\;#&|<>(){}")];
}

static char *put(const char *text, const struct value *v, const char *more)
{
        const char *old = text + v->start, *rest = old + v->length;
        const char *gap = v->length > 0 && *more && !strchr(" \t\n", old[v->length - 1]) ? " " : "";
        const char *quote = v->quote ? "" : "\"";

        return xasprintf("%.*s%s%.*s%s%s%s%s", (int) v->start, text, quote, (int) v->length, old, gap, more, quote, rest);
}

/* A line of its own, which it is not behind a backslash. */
static int append(const char *text, const char *name, const char *value, char **ret)
{
        size_t n = strlen(text);
        _autofree_ char *longer = xasprintf("%s%s%s=\"%s\"\n", text, n > 0 && text[n - 1] != '\n' ? "\n" : "", name, value);
        struct value v;

        if (find(longer, name, &v) < 0)
                return -EBADMSG;
        *ret = TAKE_PTR(longer);
        return 0;
}

int shell_assign_add(const char *text, const char *name, char *const *words, char **ret)
{
        _cleanup_(strv_freep) char **there = NULL, **missing = NULL;
        _autofree_ char *more = NULL;
        struct value v = { 0 };
        int e = shell_assign_words(text, name, &there);

        if (e < 0 && e != -ENOENT)
                return e;
        for (; words && *words; words++) {
                if (!is_plain(*words))
                        return -EINVAL;
                if (!words_have(there, *words))
                        words_add(&missing, *words);
        }
        if (!missing) {
                *ret = xstrdup(text);
                return 0;
        }
        more = words_join(missing, " ");
        if (e == -ENOENT)
                return append(text, name, more, ret);
        e = find(text, name, &v);
        if (e == 0)
                *ret = put(text, &v, more);
        return e;
}
