/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/program.h"

#include <stdarg.h>

#include "client/setup/words.h"

char *program_find(const struct root *r, const char *name)
{
        static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin",
                                               "/usr/local/bin" };

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                _autofree_ char *path = xasprintf("%s/%s", folders[i], name);

                if (root_exists(r, path))
                        return TAKE_PTR(path);
        }
        return NULL;
}

bool program_exists(const struct root *r, const char *name)
{
        _autofree_ char *path = program_find(r, name);

        return path != NULL;
}

char **program_command(const char *program, ...)
{
        char **words = NULL;
        va_list args;

        va_start(args, program);
        for (const char *word = program; word; word = va_arg(args, const char *))
                words_add(&words, word);
        va_end(args);
        return words;
}
