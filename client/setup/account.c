/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/account.h"

char **account_find(const char *text, const char *name)
{
        _cleanup_(strv_freep) char **lines = words_split(text, "\n");
        _autofree_ char *prefix = xasprintf("%s:", name);
        char **fields = NULL;

        for (char **line = lines; *line; line++) {
                if (!startswith(*line, prefix))
                        continue;
                for (char *at = *line, *field; (field = strsep(&at, ":"));)
                        words_add(&fields, field);
                return fields;
        }
        return NULL;
}

bool account_is_member(const char *passwd, const char *group, const char *user, const char *name)
{
        _cleanup_(strv_freep) char **u = account_find(passwd, user), **g = account_find(group, name);
        _cleanup_(strv_freep) char **listed = words_split(words_count(g) > 3 ? g[3] : "", ", \t");
        bool own = words_count(u) > 3 && words_count(g) > 2 && streq(u[3], g[2]);

        return own || words_have(listed, user);
}
