/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *log_program = "vfio-inputd";
static enum log_level log_max = LOG_LEVEL_INFO;
static bool log_to_journal;

static const struct {
        const char *name;
        enum log_level level;
} level_names[] = {
        { "error", LOG_LEVEL_ERROR }, { "warning", LOG_LEVEL_WARNING }, { "notice", LOG_LEVEL_NOTICE },
        { "info", LOG_LEVEL_INFO },   { "debug", LOG_LEVEL_DEBUG },
};

int log_level_from_string(const char *s)
{
        for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
                if (streq(s, level_names[i].name))
                        return (int) level_names[i].level;
        return -EINVAL;
}

void log_set_level(enum log_level level)
{
        log_max = level;
}

void log_init(const char *program)
{
        const char *level = getenv("VFIO_LOG_LEVEL");
        struct stat st;
        int flags;

        log_program = program;
        if (level && log_level_from_string(level) >= 0)
                log_max = (enum log_level) log_level_from_string(level);

        log_to_journal = getenv("JOURNAL_STREAM") && fstat(STDERR_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
        if (!log_to_journal)
                return;
        /* The socket is ours alone: systemd opened it for this service. */
        flags = fcntl(STDERR_FILENO, F_GETFL);
        if (flags >= 0)
                (void) fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
}

/* Whatever a message quotes, it begins no line of its own. */
static void keep_on_one_line(char *s)
{
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        *s = '?';
}

int log_full(enum log_level level, int error, const char *format, ...)
{
        char line[1024];
        va_list ap;
        size_t used;
        int n;

        if (level > log_max)
                return error;

        n = log_to_journal ? snprintf(line, sizeof(line), "<%d>", (int) level)
                           : snprintf(line, sizeof(line), "%s: ", log_program);
        used = (size_t) n;

        va_start(ap, format);
        n = vsnprintf(line + used, sizeof(line) - used, format, ap);
        va_end(ap);
        used = MIN(used + (size_t) MAX(n, 0), sizeof(line) - 2);

        if (error) {
                n = snprintf(line + used, sizeof(line) - used, ": %s", strerror(-error));
                used = MIN(used + (size_t) MAX(n, 0), sizeof(line) - 2);
        }
        line[used] = 0;
        keep_on_one_line(line);
        line[used++] = '\n';
        if (write(STDERR_FILENO, line, used) < 0)
                return error; /* nowhere left to complain */
        return error;
}
