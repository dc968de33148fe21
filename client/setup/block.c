/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/block.h"

#include "common/mem.h"

#define BEGIN "# begin vfio-inputd\n"
#define END "# end vfio-inputd\n"

/* Where a line stands by itself, NULL: nowhere. */
static const char *find_line(const char *text, const char *line)
{
        for (const char *at = text; (at = strstr(at, line)); at++)
                if (at == text || at[-1] == '\n')
                        return at;
        return NULL;
}

/* A mark at the very end lacks the end of its line, which we would give it. */
static bool ends_in_mark(const char *text)
{
        const char *line = strrchr(text, '\n');
        _autofree_ char *last = xasprintf("%s\n", line ? line + 1 : text);

        return streq(last, BEGIN) || streq(last, END);
}

static char *insert(const char *text, size_t keep, const char *body, const char *rest)
{
        const char *gap = keep > 0 && text[keep - 1] != '\n' ? "\n" : "";

        if (!body || !*body)
                return xasprintf("%.*s%s", (int) keep, text, rest);
        return xasprintf("%.*s%s" BEGIN "%s" END "%s", (int) keep, text, gap, body, rest);
}

int block_set(const char *text, const char *body, char **ret)
{
        const char *begin = find_line(text, BEGIN), *end = find_line(text, END);

        if (ends_in_mark(text))
                return -EBADMSG;
        if (!begin && !end) {
                *ret = insert(text, strlen(text), body, "");
                return 0;
        }
        if (!begin || !end || end < begin || find_line(begin + 1, BEGIN) || find_line(end + 1, END))
                return -EBADMSG;
        *ret = insert(text, (size_t) (begin - text), body, end + strlen(END));
        return 0;
}
