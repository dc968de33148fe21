/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/shell-assign.h"

/* Where a value stands in the text. */
struct value {
        size_t start, length; /* without its quotes */
        char quote;           /* 0: none */
};

static const char *line_end(const char *at)
{
        const char *end = strchr(at, '\n');

        return end ? end : at + strlen(at);
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

        if (at[strcspn(at, "\"'\\\n")] != '\n' && at[strcspn(at, "\"'\\\n")] != '\0')
                return -EBADMSG;
        if (!is_end(at + length))
                return -EBADMSG;
        *ret = (struct value) { (size_t) (at - text), length, 0 };
        return 0;
}

static int find(const char *text, const char *name, struct value *ret)
{
        const char *found = NULL;

        for (const char *line = text; *line; line = line_end(line) + (*line_end(line) == '\n')) {
                const char *value = behind_name(line, name);

                found = value ? value : found;
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
        more = words_join(missing, " ");
        if (e == -ENOENT) {
                size_t n = strlen(text);

                *ret = xasprintf("%s%s%s=\"%s\"\n", text, n > 0 && text[n - 1] != '\n' ? "\n" : "", name, more);
                return 0;
        }
        if (!missing) {
                *ret = xstrdup(text);
                return 0;
        }
        e = find(text, name, &v);
        if (e == 0)
                *ret = put(text, &v, more);
        return e;
}
