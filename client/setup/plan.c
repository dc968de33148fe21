/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/plan.h"

#include <stdarg.h>
#include <stdio.h>

/* --- the end of it ------------------------------------------------------------------ */

static void file_clear(struct plan_file *f)
{
        free(f->path);
        free(f->why);
        free(f->before);
        free(f->after);
}

static void command_clear(struct plan_command *c)
{
        free(c->why);
        (void) strv_free(c->argv);
        (void) strv_free(c->undo);
        (void) strv_free(c->changed);
}

static void domain_clear(struct plan_domain *d)
{
        free(d->name);
        free(d->why);
        free(d->before);
        free(d->after);
}

void plan_clear(struct plan *p)
{
        for (size_t i = 0; i < p->n_files; i++)
                file_clear(&p->files[i]);
        for (size_t i = 0; i < p->n_commands; i++)
                command_clear(&p->commands[i]);
        for (size_t i = 0; i < p->n_domains; i++)
                domain_clear(&p->domains[i]);
        for (size_t i = 0; i < p->n_notes; i++) {
                free(p->notes[i].text);
                (void) strv_free(p->notes[i].lines);
        }
        for (size_t i = 0; i < p->n_gates; i++)
                free(p->gates[i].text);
        free(p->files);
        free(p->commands);
        free(p->domains);
        free(p->notes);
        free(p->gates);
        (void) strv_free(p->reboot);
        (void) strv_free(p->expect);
        (void) strv_free(p->bound);
        *p = (struct plan) { 0 };
}

/* --- files -------------------------------------------------------------------------- */

static struct plan_file *find_file(const struct plan *p, const char *path)
{
        for (size_t i = 0; i < p->n_files; i++)
                if (streq(p->files[i].path, path))
                        return &p->files[i];
        return NULL;
}

/* What is there now; NULL with 0: nothing. */
static int read_before(const struct root *r, const char *path, char **ret, size_t *ret_size)
{
        int e = root_read(r, path, ret, ret_size);

        if (e != -ENOENT)
                return e;
        *ret = NULL;
        *ret_size = 0;
        return 0;
}

static bool is_equal(const struct plan_file *f)
{
        if (!f->before || !f->after)
                return f->before == f->after;
        return f->before_size == f->after_size && memcmp(f->before, f->after, f->after_size) == 0;
}

static void drop_file(struct plan *p, struct plan_file *f)
{
        file_clear(f);
        *f = p->files[--p->n_files];
}

int plan_content(const struct plan *p, const struct root *r, const char *path, char **ret)
{
        const struct plan_file *f = find_file(p, path);

        if (!f)
                return root_read(r, path, ret, NULL);
        if (!f->after)
                return -ENOENT;
        *ret = xstrdup(f->after);
        return 0;
}

int plan_set_file(struct plan *p, const struct root *r, const char *step, const char *path, const char *after,
                  mode_t mode, enum validator validator, const char *why)
{
        struct plan_file *f = find_file(p, path);

        if (!f) {
                _autofree_ char *before = NULL;
                size_t before_size;
                int e = read_before(r, path, &before, &before_size);

                if (e < 0)
                        return e;
                p->files = xreallocarray(p->files, p->n_files + 1, sizeof(*p->files));
                f = &p->files[p->n_files++];
                *f = (struct plan_file) {
                        .step = step,
                        .path = xstrdup(path),
                        .why = xstrdup(why),
                        .before = TAKE_PTR(before),
                        .before_size = before_size,
                };
        } else if (!strstr(f->why, why)) {
                char *both = xasprintf("%s; %s", f->why, why);

                free(f->why);
                f->why = both;
        }
        free(f->after);
        f->after = xstrdup(after);
        f->after_size = after ? strlen(after) : 0;
        f->mode = mode;
        f->validator = validator;
        if (is_equal(f))
                drop_file(p, f);
        return 0;
}

/* --- the rest ----------------------------------------------------------------------- */

static bool same_words(char *const *a, char *const *b)
{
        while (*a && *b && streq(*a, *b)) {
                a++;
                b++;
        }
        return !*a && !*b;
}

struct plan_command *plan_add_command(struct plan *p, const char *step, char **argv, const char *why)
{
        for (size_t i = 0; i < p->n_commands; i++) {
                if (!same_words(p->commands[i].argv, argv))
                        continue;
                (void) strv_free(argv);
                return &p->commands[i];
        }
        p->commands = xreallocarray(p->commands, p->n_commands + 1, sizeof(*p->commands));
        p->commands[p->n_commands] = (struct plan_command) { .step = step, .why = xstrdup(why), .argv = argv };
        return &p->commands[p->n_commands++];
}

void plan_add_domain(struct plan *p, const char *step, const char *name, const char *before, const char *after,
                     const char *why)
{
        if (streq_null(before, after))
                return;
        p->domains = xreallocarray(p->domains, p->n_domains + 1, sizeof(*p->domains));
        p->domains[p->n_domains++] = (struct plan_domain) {
                .step = step,
                .name = xstrdup(name),
                .why = xstrdup(why),
                .before = xstrdup(before),
                .after = xstrdup(after),
        };
}

struct plan_note *plan_note(struct plan *p, const char *step, enum plan_verdict verdict, const char *format, ...)
{
        va_list args;

        p->notes = xreallocarray(p->notes, p->n_notes + 1, sizeof(*p->notes));
        p->notes[p->n_notes] = (struct plan_note) { .step = step, .verdict = verdict };
        va_start(args, format);
        p->notes[p->n_notes].text = xvasprintf(format, args);
        va_end(args);
        return &p->notes[p->n_notes++];
}

void plan_gate(struct plan *p, const struct choices *c, const char *id, const char *format, ...)
{
        va_list args;

        p->gates = xreallocarray(p->gates, p->n_gates + 1, sizeof(*p->gates));
        p->gates[p->n_gates] = (struct plan_gate) {
                .id = id,
                .is_final = streq(id, "root-disk"),
                .accepted = words_have(c->accepted, id) && !streq(id, "root-disk"),
        };
        va_start(args, format);
        p->gates[p->n_gates++].text = xvasprintf(format, args);
        va_end(args);
}

void plan_need_reboot(struct plan *p, const char *why)
{
        if (!words_have(p->reboot, why))
                words_add(&p->reboot, why);
}

void plan_expect(struct plan *p, const char *word)
{
        if (!words_have(p->expect, word))
                words_add(&p->expect, word);
}

void plan_expect_bound(struct plan *p, const char *address)
{
        if (!words_have(p->bound, address))
                words_add(&p->bound, address);
}

/* --- questions ---------------------------------------------------------------------- */

bool plan_is_empty(const struct plan *p)
{
        bool empty = p->n_files == 0 && p->n_domains == 0;

        for (size_t i = 0; i < p->n_commands; i++)
                empty = empty && p->commands[i].is_rebuild;
        return empty;
}

const struct plan_gate *plan_closed_gate(const struct plan *p)
{
        for (size_t i = 0; i < p->n_gates; i++)
                if (!p->gates[i].accepted)
                        return &p->gates[i];
        return NULL;
}
