/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/mem.h"

#include <stdio.h>

void *xcalloc(size_t n, size_t size)
{
        void *p = calloc(n ? n : 1, size ? size : 1);

        if (!p)
                abort();
        return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
        p = reallocarray(p, n ? n : 1, size ? size : 1);
        if (!p)
                abort();
        return p;
}

char *xstrdup(const char *s)
{
        char *copy;

        if (!s)
                return NULL;
        copy = strdup(s);
        if (!copy)
                abort();
        return copy;
}

char *xvasprintf(const char *format, va_list ap)
{
        char *s;

        if (vasprintf(&s, format, ap) < 0)
                abort();
        return s;
}

char *xasprintf(const char *format, ...)
{
        va_list ap;
        char *s;

        va_start(ap, format);
        s = xvasprintf(format, ap);
        va_end(ap);
        return s;
}
