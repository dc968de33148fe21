/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/config-source.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/text.h"

/* A name does not start with a digit or '-'. */
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_*-"

/* What is left of the text of one file. */
struct scan {
        const char *start, *p, *end;
        const char *name; /* of the file, for messages */
        const char *include_dir;
        unsigned line, depth, values;
        unsigned include_depth, *n_includes;
        char **ret_error;
};

char *config_vmessage(const char *file, unsigned line, const char *format, va_list ap)
{
        char text[1024]; /* what does not fit is cut off */
        _autofree_ char *message = NULL;

        (void) vsnprintf(text, sizeof(text), format, ap);
        message = line ? xasprintf("%s:%u: %s", file, line, text) : xasprintf("%s: %s", file, text);
        return text_printable(message);
}

char *config_message(const char *file, unsigned line, const char *format, ...)
{
        va_list ap;
        char *message;

        va_start(ap, format);
        message = config_vmessage(file, line, format, ap);
        va_end(ap);
        return message;
}

/* A symbolic link that leads nowhere is a mistake, not an absent file. */
static int open_failed(const char *path, int error, char **ret_error)
{
        struct stat st;

        if (error == -ENOENT && lstat(path, &st) < 0)
                return -ENOENT;
        *ret_error = config_message(path, 0, "cannot be opened (%s); expected a readable file", strerror(-error));
        return error;
}

/* One byte more than may be is enough to see that it is too many. */
static ssize_t read_all(int fd, char *buffer)
{
        size_t used = 0;
        ssize_t n;

        do {
                n = read(fd, buffer + used, CONFIG_FILE_SIZE_MAX + 1 - used);
                if (n < 0)
                        return -errno;
                used += (size_t) n;
        } while (n > 0 && used <= CONFIG_FILE_SIZE_MAX);
        return (ssize_t) used;
}

int config_source_read(const char *path, char **ret_text, size_t *ret_size, char **ret_error)
{
        _autofree_ char *text = NULL;
        _autoclose_ int fd = -EBADF;
        struct stat st;
        ssize_t n;

        /* O_NONBLOCK: opening a FIFO would wait for somebody to write to it. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return open_failed(path, -errno, ret_error);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                *ret_error = config_message(path, 0, "is not a regular file; expected one");
                return -EINVAL;
        }

        text = xcalloc(CONFIG_FILE_SIZE_MAX + 2, 1);
        n = read_all(fd, text);
        if (n < 0) {
                *ret_error = config_message(path, 0, "cannot be read (%s); expected a readable file",
                                            strerror((int) -n));
                return (int) n;
        }
        if (n > CONFIG_FILE_SIZE_MAX) {
                *ret_error = config_message(path, 0, "is too large; expected at most 1 MiB");
                return -EFBIG;
        }
        *ret_text = xreallocarray(TAKE_PTR(text), (size_t) n + 1, 1);
        *ret_size = (size_t) n;
        return 0;
}

static int scan_fail(struct scan *s, const char *format, ...) _printf_(2, 3);
static int scan_fail(struct scan *s, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        *s->ret_error = config_vmessage(s->name, s->line, format, ap);
        va_end(ap);
        return -EINVAL;
}

static bool scan_at(const struct scan *s, const char *token)
{
        size_t n = strlen(token);

        return (size_t) (s->end - s->p) >= n && memcmp(s->p, token, n) == 0;
}

static void scan_skip(struct scan *s, size_t n)
{
        for (; n > 0 && s->p < s->end; n--)
                if (*s->p++ == '\n')
                        s->line++;
}

/* Nothing may be left open at the end: libconfig would go on with it in the
 * including file, and no longer see there what we see. */
static int scan_unclosed(struct scan *s, unsigned line, const char *what, const char *end)
{
        s->line = line;
        return scan_fail(s, "%s without an end; expected %s", what, end);
}

static int scan_string(struct scan *s)
{
        unsigned line = s->line;

        scan_skip(s, 1);
        while (s->p < s->end && *s->p != '"')
                scan_skip(s, *s->p == '\\' ? 2 : 1);
        if (s->p == s->end)
                return scan_unclosed(s, line, "string", "a closing \"");
        scan_skip(s, 1);
        return 0;
}

static int scan_block_comment(struct scan *s)
{
        unsigned line = s->line;

        scan_skip(s, 2);
        while (s->p < s->end && !scan_at(s, "*/"))
                scan_skip(s, 1);
        if (s->p == s->end)
                return scan_unclosed(s, line, "comment", "a closing */");
        scan_skip(s, 2);
        return 0;
}

static int scan_line_comment(struct scan *s)
{
        while (s->p < s->end && *s->p != '\n')
                scan_skip(s, 1);
        return 0;
}

/* libconfig keeps the low 32 bits of what is larger, and says nothing. */
static int scan_number(struct scan *s)
{
        bool hex = s->p[0] == '0' && (s->p[1] == 'x' || s->p[1] == 'X');
        char *end;

        if (strtoull(s->p, &end, hex ? 16 : 10) > INT32_MAX)
                return scan_fail(s, "number too large; expected one up to %d", INT32_MAX);
        scan_skip(s, (size_t) (end - s->p));
        return 0;
}

static int scan_text(struct scan *s);

static int scan_included(struct scan *s, const char *path)
{
        _autofree_ char *full = xasprintf("%s/%s", s->include_dir, path), *text = NULL;
        struct scan inner = *s;
        size_t size;
        int r;

        if (s->include_depth >= CONFIG_INCLUDE_DEPTH_MAX || ++*s->n_includes > CONFIG_INCLUDES_MAX)
                return scan_fail(s, "too many included files; expected at most %d, %d deep", CONFIG_INCLUDES_MAX,
                                 CONFIG_INCLUDE_DEPTH_MAX);
        r = config_source_read(full, &text, &size, s->ret_error);
        if (r == -ENOENT && !*s->ret_error)
                return scan_fail(s, "there is no file %s; expected it, because it is included", full);
        if (r < 0)
                return r;

        inner.start = inner.p = text;
        inner.end = text + size;
        inner.name = full;
        inner.line = 1;
        inner.depth = inner.values = 0;
        inner.include_depth++;
        return scan_text(&inner);
}

/* Relative paths only: releases of libconfig differ in what they make of the
 * others. No escapes for the same reason. */
static int scan_include(struct scan *s)
{
        size_t n = strcspn(s->p, "\"\\\n");
        _autofree_ char *path = xasprintf("%.*s", (int) n, s->p);
        int r;

        if (!s->include_dir)
                return scan_fail(s, "@include is not possible here; expected a setting");
        if (s->p[n] != '"' || n == 0 || *path == '/')
                return scan_fail(s, "wrong @include; expected @include \"FILE\", a path relative to %s",
                                 s->include_dir);
        r = scan_included(s, path);
        scan_skip(s, n + 1);
        return r;
}

/* libconfig's rule: at the start of a line, blanks, @include, blanks, quote.
 * If so, the text goes on behind the quote. */
static bool scan_skip_include_open(struct scan *s)
{
        const char *p = s->p;
        size_t blanks;

        if (p > s->start && p[-1] != '\n')
                return false;
        p += strspn(p, " \t");
        if (!startswith(p, "@include"))
                return false;
        p += strlen("@include");
        blanks = strspn(p, " \t");
        if (blanks == 0 || p[blanks] != '"')
                return false;
        s->p = p + blanks + 1;
        return true;
}

static int scan_punctuation(struct scan *s)
{
        if (strchr("({[", *s->p) && ++s->depth > CONFIG_NESTING_MAX)
                return scan_fail(s, "too many brackets within each other; expected at most %d", CONFIG_NESTING_MAX);
        if (strchr(")}]", *s->p) && s->depth > 0)
                s->depth--;
        if (strchr("=:,", *s->p) && ++s->values > CONFIG_VALUES_MAX)
                return scan_fail(s, "too many settings; expected at most %d", CONFIG_VALUES_MAX);
        scan_skip(s, 1);
        return 0;
}

static int scan_token(struct scan *s)
{
        size_t name = strspn(s->p, NAME_CHARACTERS);

        if (scan_skip_include_open(s))
                return scan_include(s);
        if (*s->p == '"')
                return scan_string(s);
        if (*s->p == '#' || scan_at(s, "//"))
                return scan_line_comment(s);
        if (scan_at(s, "/*"))
                return scan_block_comment(s);
        if (*s->p >= '0' && *s->p <= '9')
                return scan_number(s);
        if (name > 0 && *s->p != '-') {
                scan_skip(s, name);
                return 0;
        }
        return scan_punctuation(s);
}

static int scan_text(struct scan *s)
{
        if (memchr(s->p, '\0', (size_t) (s->end - s->p)))
                return scan_fail(s, "there is a NUL byte in the file; expected text");
        while (s->p < s->end) {
                int r = scan_token(s);

                if (r < 0)
                        return r;
        }
        return 0;
}

int config_source_check(const char *text, size_t size, const char *name, const char *include_dir, char **ret_error)
{
        unsigned n_includes = 0;
        struct scan s = {
                .start = text,
                .p = text,
                .end = text + size,
                .name = name,
                .include_dir = include_dir,
                .line = 1,
                .n_includes = &n_includes,
                .ret_error = ret_error,
        };

        return scan_text(&s);
}
