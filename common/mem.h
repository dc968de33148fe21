/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Memory and ownership helpers.
 *
 * Running out of memory ends the process: nothing here can go on usefully
 * without memory, systemd restarts us, and our virtual devices survive in the
 * descriptor store. So the x-functions never return NULL. */

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The object that p is the given member of. */
#define CONTAINER_OF(p, type, member) ((type *) (void *) ((char *) (p) - offsetof(type, member)))

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))

/* Defines NAMEp(type *p) for _cleanup_(NAMEp): calls NAME(*p) unless *p is NULL. */
#define DEFINE_CLEANUP(type, name)                                                                 \
        static inline void name##p(type *p)                                                        \
        {                                                                                          \
                if (*p)                                                                            \
                        (void) name(*p);                                                           \
        }                                                                                          \
        struct mem_swallow_semicolon

static inline void freep(void *p)
{
        free(*(void **) p);
}

/* Closes fd unless it is negative; keeps errno; returns -EBADF, "no descriptor". */
static inline int safe_close(int fd)
{
        if (fd >= 0) {
                int saved = errno;

                (void) close(fd);
                errno = saved;
        }
        return -EBADF;
}

static inline void closep(int *fd)
{
        (void) safe_close(*fd);
}

#define _autofree_ _cleanup_(freep)
#define _autoclose_ _cleanup_(closep)

/* Hands over a pointer or descriptor: the variable no longer owns it. */
#define TAKE_PTR(p)                                                                                \
        ({                                                                                         \
                __typeof__(p) taken_ = (p);                                                        \
                (p) = NULL;                                                                        \
                taken_;                                                                            \
        })
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int taken_ = (fd);                                                                 \
                (fd) = -EBADF;                                                                     \
                taken_;                                                                            \
        })

/* Zeroed memory for n objects of the given size; aborts when there is none. */
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
/* Grows or shrinks an array; aborts when there is no memory. */
void *xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
/* Copy of a string, owned by the caller; NULL stays NULL. */
char *xstrdup(const char *s);
/* Formatted string, owned by the caller. */
char *xasprintf(const char *format, ...) _printf_(1, 2) __attribute__((returns_nonnull));
char *xvasprintf(const char *format, va_list ap) _printf_(1, 0) __attribute__((returns_nonnull));

#define xnew0(type, n) ((type *) xcalloc((n), sizeof(type)))

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/* Equal strings, where NULL equals only NULL. */
static inline bool streq_null(const char *a, const char *b)
{
        return a && b ? streq(a, b) : a == b;
}

static inline bool startswith(const char *s, const char *prefix)
{
        return strncmp(s, prefix, strlen(prefix)) == 0;
}
