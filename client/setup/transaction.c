/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/transaction.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>

#include "client/setup/plan-json.h"
#include "client/setup/root-write.h"
#include "client/setup/undo.h"
#include "client/setup/validate.h"
#include "client/setup/work.h"
#include "common/text.h"

static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
        caught = number;
}

void transaction_catch_signals(void)
{
        struct sigaction a = { .sa_handler = catch_signal };

        (void) sigaction(SIGINT, &a, NULL);
        (void) sigaction(SIGTERM, &a, NULL);
        (void) sigaction(SIGHUP, &a, NULL);
        (void) signal(SIGPIPE, SIG_IGN); /* whoever reads our words may go away */
}

/* --- what is looked at before anything is changed --------------------------------------- */

static bool is_still(const struct root *r, const struct plan_file *f)
{
        _autofree_ char *now = NULL;
        size_t size;
        int e = root_read(r, f->path, &now, &size);

        if (e < 0)
                return e == -ENOENT && !f->before;
        return f->before && size == f->before_size && memcmp(now, f->before, size) == 0;
}

/* A link to /dev/null is how somebody says that he wants no such file. */
static bool is_regular(const struct root *r, const struct plan_file *f)
{
        struct stat st;

        return root_stat(r, f->path, &st) < 0 || S_ISREG(st.st_mode);
}

static int check_plan(const struct root *r, const struct plan *p, char **ret_error)
{
        for (size_t i = 0; i < p->n_files; i++) {
                const struct plan_file *f = &p->files[i];
                int e;

                if (!is_still(r, f)) {
                        *ret_error = xasprintf("%s was changed while the plan was made: make it again", f->path);
                        return -EBUSY;
                }
                if (!is_regular(r, f)) {
                        *ret_error = xasprintf("%s is not a regular file, nor a link to one", f->path);
                        return -EINVAL;
                }
                e = f->after ? validate(r, f, ret_error) : 0;
                if (e < 0)
                        return e;
        }
        return 0;
}

/* --- changes ------------------------------------------------------------------------------ */

static int note_directories(struct work *w, struct record *r, const char *path)
{
        _autofree_ char *parent = path_parent(path);
        _cleanup_(strv_freep) char **above = NULL;
        int e = 0;

        for (char *at = xstrdup(parent); at;) {
                char *next = streq(at, "/") || root_exists(w->root, at) ? NULL : path_parent(at);

                if (next)
                        words_take(&above, at);
                else
                        free(at);
                at = next;
        }
        for (size_t i = words_count(above); e == 0 && i > 0; i--)
                e = store_note(w->store, r, "directory %s", above[i - 1]);
        return e < 0 ? e : root_make_directory(w->root, parent, 0755, NULL);
}

static int change_file(struct work *w, struct record *r, const struct plan_file *f, size_t n)
{
        int e = store_note(w->store, r, "file %zu", n);

        if (e == 0 && f->after)
                e = note_directories(w, r, f->path);
        if (e == 0)
                e = f->after ? root_write(w->root, f->path, f->after, f->after_size, f->mode, -1)
                             : root_remove(w->root, f->path);
        if (e < 0)
                work_fail(w, "%s: %s", f->path, strerror(-e));
        return e;
}

static int run_planned(struct work *w, struct record *r, const struct plan_command *c, size_t n)
{
        int e = store_note(w->store, r, "command %zu", n);

        return e < 0 ? e : work_run(w, c->argv);
}

static int change_domain(struct work *w, struct record *r, const struct plan_domain *d, size_t n)
{
        int e = work_open_domains(w);

        if (e == 0)
                e = store_note(w->store, r, "domain %zu", n);
        if (e == 0)
                e = work_define(w, d->name, d->after);
        if (e == 0 && d->after)
                e = work_note_defined(w, r, d->name, n);
        return e;
}

static int go_on(struct work *w)
{
        if (!caught)
                return 0;
        work_fail(w, "ended by signal %d (%s)", (int) caught, strsignal((int) caught));
        return -EINTR;
}

static bool is_left_out(const struct plan *p, const struct plan_command *c, const struct transaction_options *o)
{
        return c->is_rebuild && (o->no_rebuild || p->n_files == 0);
}

static int change_all(struct work *w, struct record *r, const struct plan *p)
{
        int e = 0;

        for (size_t i = 0; e == 0 && i < p->n_files; i++) {
                work_say(w, "%s %s", p->files[i].after ? "writing" : "removing", p->files[i].path);
                e = change_file(w, r, &p->files[i], i);
                e = e < 0 ? e : go_on(w);
        }
        for (size_t i = 0; e == 0 && i < p->n_commands; i++) {
                if (is_left_out(p, &p->commands[i], w->options))
                        continue;
                e = run_planned(w, r, &p->commands[i], i);
                e = e < 0 ? e : go_on(w);
        }
        for (size_t i = 0; e == 0 && i < p->n_domains; i++) {
                work_say(w, "defining the domain %s", p->domains[i].name);
                e = change_domain(w, r, &p->domains[i], i);
                e = e < 0 ? e : go_on(w);
        }
        return e < 0 ? e : store_note(w->store, r, "applied");
}

/* --- apply --------------------------------------------------------------------------------- */

static enum transaction_result roll_back(struct work *w, struct record *r, int error, char **ret_error)
{
        _autofree_ char *cause = w->error ? TAKE_PTR(w->error) : xstrdup(strerror(-error));

        work_say(w, "taking back what was done");
        if (undo_all(w, r) == 0) {
                *ret_error = TAKE_PTR(cause);
                return TRANSACTION_FAILED;
        }
        *ret_error = xasprintf("%s. Taking it back failed too: %s. What was done is in %s%s/journal; \"vfioctl setup "
                               "undo\" tries again",
                               cause, w->error ? w->error : "unknown", root_path(w->root), r->folder);
        return TRANSACTION_INCOMPLETE;
}

static enum transaction_result refuse_unfinished(struct store *s, char **ret_error)
{
        _cleanup_(record_clear) struct record last = { 0 };
        int e = store_newest(s, &last);

        if (e == -ENOENT || (e == 0 && last.state != RECORD_UNFINISHED))
                return TRANSACTION_DONE;
        if (e < 0)
                *ret_error = xasprintf(STORE_FOLDER " cannot be read: %s", strerror(-e));
        else
                *ret_error = xasprintf("%s was begun and not finished: take it back first, with \"vfioctl setup undo\"",
                                       last.id);
        return TRANSACTION_REFUSED;
}

enum transaction_result transaction_apply(struct store *s, const struct plan *p, const struct choices *c,
                                          const struct transaction_options *o, char **ret_error)
{
        _cleanup_(record_clear) struct record r = { 0 };
        _cleanup_(work_clear) struct work w = { .store = s, .root = store_root(s), .options = o };
        int e;

        if (refuse_unfinished(s, ret_error) != TRANSACTION_DONE)
                return TRANSACTION_REFUSED;
        if (check_plan(w.root, p, ret_error) < 0)
                return TRANSACTION_FAILED;
        e = store_create(s, p, c, &r);
        if (e < 0) {
                *ret_error = xasprintf(STORE_FOLDER ": %s", strerror(-e));
                return TRANSACTION_FAILED;
        }
        e = work_begin(&w, &r);
        if (e == 0)
                e = change_all(&w, &r, p);
        return e < 0 ? roll_back(&w, &r, e, ret_error) : TRANSACTION_DONE;
}

/* --- undo ----------------------------------------------------------------------------------- */

static enum transaction_result refuse_foreign(struct work *w, const struct record *r, char **ret_error)
{
        _cleanup_(strv_freep) char **foreign = NULL;
        _autofree_ char *all = NULL;

        if (w->options->force)
                return TRANSACTION_DONE;
        if (undo_foreign(w, r, &foreign) < 0) {
                *ret_error = xasprintf("%s. Nothing was undone", w->error);
                return TRANSACTION_REFUSED;
        }
        if (!foreign)
                return TRANSACTION_DONE;
        all = words_join(foreign, ", ");
        *ret_error = xasprintf("changed since by somebody else: %s. Nothing was undone; --force overwrites it and keeps "
                               "what is there in %s%s",
                               all, root_path(w->root), r->folder);
        return TRANSACTION_REFUSED;
}

enum transaction_result transaction_undo(struct store *s, struct record *r, const struct transaction_options *o,
                                         char **ret_error)
{
        _cleanup_(work_clear) struct work w = { .store = s, .root = store_root(s), .options = o };
        int e = work_begin(&w, r);

        if (e == 0 && refuse_foreign(&w, r, ret_error) != TRANSACTION_DONE)
                return TRANSACTION_REFUSED;
        if (e == 0)
                e = undo_all(&w, r);
        if (e == 0)
                return TRANSACTION_DONE;
        *ret_error = xasprintf("%s. What was done is in %s%s/journal; \"vfioctl setup undo\" goes on from there",
                               w.error ? w.error : strerror(-e), root_path(w.root), r->folder);
        return TRANSACTION_INCOMPLETE;
}
