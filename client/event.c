/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "client/json.h"
#include "client/text.h"

static void print_json(const struct timespec *now, const struct tm *tm, const char *name, const char *const *fields)
{
        _cleanup_(json_putp) json_object *o = json_object_new_object();
        char seconds[32], zone[8], stamp[64];

        (void) strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", tm);
        (void) strftime(zone, sizeof(zone), "%z", tm);
        (void) snprintf(stamp, sizeof(stamp), "%s.%03ld%s", seconds, now->tv_nsec / 1000000, zone);

        json_add_string(o, "time", stamp);
        json_add_string(o, "event", name);
        for (; *fields; fields += 2)
                json_add_string(o, fields[0], fields[1]);
        json_print(o, false);
}

static _printf_(2, 0) void print_words(const struct tm *tm, const char *format, va_list ap)
{
        _autofree_ char *raw = xvasprintf(format, ap), *clean = text_clean(raw);
        char stamp[32];

        (void) strftime(stamp, sizeof(stamp), "%H:%M:%S", tm);
        printf("%s %s\n", stamp, clean);
}

int event_print(const struct client *c, const char *name, const char *const *fields, const char *words, ...)
{
        struct timespec now = { 0 };
        struct tm tm = { 0 };
        va_list ap;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        (void) localtime_r(&now.tv_sec, &tm);
        if (client_json(c)) {
                print_json(&now, &tm, name, fields);
        } else {
                va_start(ap, words);
                print_words(&tm, words, ap);
                va_end(ap);
        }
        return fflush(stdout) == 0 ? 0 : -errno;
}
