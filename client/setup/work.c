/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/work.h"

#include <fcntl.h>
#include <stdarg.h>

#include "client/setup/run.h"
#include "common/text.h"

#define LAST_LINES 5

int work_begin(struct work *w, struct record *r)
{
        json_object *connect;

        if (json_object_object_get_ex(r->plan, "connect", &connect))
                w->connect = xstrdup(json_object_get_string(connect));
        w->log = store_open_log(w->store, r);
        return w->log < 0 ? w->log : 0;
}

void work_clear(struct work *w)
{
        (void) domain_store_free(w->domains);
        w->log = w->log > 0 ? safe_close(w->log) : -EBADF;
        free(w->connect);
        free(w->error);
        free(w->running);
}

/* --- words ---------------------------------------------------------------------------------- */

static char *format_text(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static char *format_text(const char *format, va_list args)
{
        _autofree_ char *text = xvasprintf(format, args);

        return text_printable(text);
}

void work_say(struct work *w, const char *format, ...)
{
        _autofree_ char *text = NULL;
        va_list args;

        if (!w->options->progress)
                return;
        va_start(args, format);
        text = format_text(format, args);
        va_end(args);
        (void) fprintf(w->options->progress, "%s\n", text);
        (void) fflush(w->options->progress);
}

void work_fail(struct work *w, const char *format, ...)
{
        va_list args;

        if (w->error)
                return;
        va_start(args, format);
        w->error = format_text(format, args);
        va_end(args);
}

/* --- commands ------------------------------------------------------------------------------- */

static void tick(void *userdata)
{
        struct work *w = userdata;

        if (!w->options->progress || !w->options->live)
                return;
        (void) fprintf(w->options->progress, "\r%s: %u s", w->running, ++w->seconds);
        (void) fflush(w->options->progress);
}

/* The end of what it wrote since then; owned by the caller. */
static char *last_lines(int log, off_t since)
{
        char text[4096 + 1];
        off_t end = lseek(log, 0, SEEK_END), from = MAX(since, end - 4096);
        _cleanup_(strv_freep) char **lines = NULL;
        ssize_t n;
        size_t count;

        n = pread(log, text, 4096, from);
        text[MAX(n, 0)] = '\0';
        lines = words_split(text, "\n");
        count = words_count(lines);
        return words_join(lines + (count > LAST_LINES ? count - LAST_LINES : 0), " / ");
}

int work_run(struct work *w, char *const *argv)
{
        off_t before;
        int status;

        free(w->running);
        w->running = words_join(argv, " ");
        w->seconds = 0;
        work_say(w, "running %s", w->running);
        (void) dprintf(w->log, "$ %s\n", w->running);
        before = lseek(w->log, 0, SEEK_END);
        status = run_command(w->root, argv, w->log, tick, w);
        if (w->seconds > 0 && w->options->live)
                (void) fputc('\n', w->options->progress);
        if (status == 0)
                return 0;
        if (status > 0) {
                _autofree_ char *lines = last_lines(w->log, before);

                work_fail(w, "\"%s\" ended with status %d: %s", w->running, status, lines);
        } else {
                work_fail(w, "\"%s\" could not be started: %s", w->running, strerror(-status));
        }
        return -EIO;
}

/* --- domains -------------------------------------------------------------------------------- */

int work_open_domains(struct work *w)
{
        _autofree_ char *error = NULL;
        int e = 0;

        if (w->domains)
                return 0;
        /* The libvirt that answers by itself is this system's; the root is that of another one. */
        if (!w->connect && !root_is_live(w->root)) {
                work_fail(w, "libvirt of %s does not run; boot that system for its domains", root_path(w->root));
                return -EHOSTUNREACH;
        }
        e = domain_store_open(w->connect, &w->domains, &error);
        if (e < 0)
                work_fail(w, "libvirt: %s", error ? error : strerror(-e));
        return e;
}

int work_define(struct work *w, const char *name, const char *xml)
{
        _autofree_ char *error = NULL;
        int e = work_open_domains(w);

        if (e < 0)
                return e;
        e = xml ? domain_store_define(w->domains, xml, &error) : domain_store_undefine(w->domains, name, &error);
        if (e < 0)
                work_fail(w, "libvirt, domain %s: %s", name, error ? error : strerror(-e));
        return e;
}

int work_read_domain(struct work *w, const char *name, char **ret)
{
        _autofree_ char *error = NULL;
        int e = work_open_domains(w);

        return e < 0 ? e : domain_store_read(w->domains, name, ret, &error);
}

int work_note_defined(struct work *w, const struct record *r, const char *name, size_t n)
{
        _autofree_ char *xml = NULL;
        int e = work_read_domain(w, name, &xml);

        return e < 0 ? e : store_write(w->store, r, "domain-defined", n, xml, strlen(xml), -1);
}
