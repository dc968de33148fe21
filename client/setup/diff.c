/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/diff.h"

#include <stdio.h>

#include "client/setup/run.h"
#include "client/setup/words.h"

static void add_lines(char **all, char sign, const char *text)
{
        _cleanup_(strv_freep) char **lines = words_split(text ? text : "", "\n");

        for (char **line = lines; *line; line++) {
                char *longer = xasprintf("%s%c%s\n", *all, sign, *line);

                free(*all);
                *all = longer;
        }
}

static char *whole(const char *name, const char *before, const char *after)
{
        char *all = xasprintf("--- %s\n+++ %s\n", before ? name : "/dev/null", after ? name : "/dev/null");

        add_lines(&all, '-', before);
        add_lines(&all, '+', after);
        return all;
}

char *diff_unified(const char *name, const char *before, const char *after)
{
        _autoclose_ int old = run_text_file(before, before ? strlen(before) : 0);
        _autoclose_ int new = run_text_file(after, after ? strlen(after) : 0);
        _autofree_ char *old_path = xasprintf("/proc/self/fd/%d", old);
        _autofree_ char *new_path = xasprintf("/proc/self/fd/%d", new);
        _cleanup_(strv_freep) char **argv = NULL;
        char *text = NULL;
        const char *const words[] = { "diff", "-u", "--label", before ? name : "/dev/null", "--label",
                                      after ? name : "/dev/null", old_path, new_path };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                words_add(&argv, words[i]);
        if (old >= 0 && new >= 0 && (unsigned) run_and_read(argv, &text) <= 1)
                return text;
        free(text);
        return whole(name, before, after);
}
