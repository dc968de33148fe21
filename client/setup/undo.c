/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/undo.h"

#include "client/setup/diff.h"
#include "client/setup/plan-json.h"
#include "client/setup/root-write.h"

/* --- the plan, as it was written down ------------------------------------------------------ */

static bool is_set(json_object *o, const char *key)
{
        json_object *value;

        return json_object_object_get_ex(o, key, &value) && json_object_get_boolean(value);
}

/* Owned by the caller; NULL: empty. */
static char **words_of(json_object *o, const char *key)
{
        json_object *list;
        char **words = NULL;

        if (!json_object_object_get_ex(o, key, &list))
                return NULL;
        for (size_t i = 0; i < json_object_array_length(list); i++)
                words_add(&words, json_object_get_string(json_object_array_get_idx(list, i)));
        return words;
}

static bool was_begun(const struct record *r, const char *what, size_t n)
{
        _autofree_ char *line = xasprintf("%s %zu", what, n);

        return record_has(r, line);
}

/* --- files ----------------------------------------------------------------------------------- */

enum presence {
        PRESENT_BEFORE,  /* as before the transaction, or not changed by it yet */
        PRESENT_AFTER,   /* as the transaction has left it */
        PRESENT_FOREIGN,
};

struct content {
        char *data; /* owned; NULL: no file */
        size_t size;
};

static void content_clear(struct content *c)
{
        free(c->data);
}

static bool same(const struct content *a, const struct content *b)
{
        if (!a->data || !b->data)
                return a->data == b->data;
        return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static int load(struct store *s, const struct record *r, const char *what, size_t n, struct content *ret)
{
        int e = store_read(s, r, what, n, &ret->data, &ret->size);

        return e == -ENOENT ? 0 : e;
}

static int load_now(const struct root *r, const char *path, struct content *ret)
{
        int e = root_read(r, path, &ret->data, &ret->size);

        return e == -ENOENT ? 0 : e;
}

static int look(struct store *s, const struct record *r, size_t n, struct content *ret_before, struct content *ret_now,
                enum presence *ret)
{
        _cleanup_(content_clear) struct content after = { 0 };
        int e = load(s, r, "before", n, ret_before);

        if (e == 0)
                e = load(s, r, "after", n, &after);
        if (e == 0)
                e = load_now(store_root(s), record_text(record_item(r, "files", n), "path"), ret_now);
        if (e < 0)
                return e;
        *ret = same(ret_now, ret_before) ? PRESENT_BEFORE : same(ret_now, &after) ? PRESENT_AFTER : PRESENT_FOREIGN;
        return 0;
}

/* A file that apply removed has lost its attributes with it: the copy in the store has them.
 * Of one that was a link only the link was removed. */
static int restore(struct work *w, const struct record *r, size_t n, const char *path, const struct content *before)
{
        _cleanup_(content_clear) struct content link = { 0 };
        _autoclose_ int like = -EBADF;
        int e;

        if (!before->data)
                return root_remove(w->root, path);
        e = load(w->store, r, "link", n, &link);
        if (e < 0)
                return e;
        if (link.data && !root_exists(w->root, path))
                return root_link(w->root, path, link.data);
        like = store_open_before(w->store, r, n);
        return like < 0 ? like : root_write(w->root, path, before->data, before->size, 0644, like);
}

static int undo_file(struct work *w, const struct record *r, size_t n)
{
        _cleanup_(content_clear) struct content before = { 0 }, now = { 0 };
        const char *path = record_text(record_item(r, "files", n), "path");
        enum presence presence;
        int e = look(w->store, r, n, &before, &now, &presence);

        root_write_tidy(w->root, path);
        if (e == 0 && presence == PRESENT_FOREIGN && now.data)
                e = store_write(w->store, r, "rejected", n, now.data, now.size, -1);
        if (e == 0 && presence != PRESENT_BEFORE) {
                work_say(w, "restoring %s", path);
                e = restore(w, r, n, path, &before);
        }
        if (e < 0)
                work_fail(w, "%s: %s", path, strerror(-e));
        return e;
}

static int undo_files(struct work *w, const struct record *r)
{
        int result = 0;

        for (size_t i = record_count(r, "files"); i > 0; i--) {
                int e = was_begun(r, "file", i - 1) ? undo_file(w, r, i - 1) : 0;

                result = result < 0 ? result : e;
        }
        for (size_t i = words_count(r->journal); i > 0; i--)
                if (startswith(r->journal[i - 1], "directory "))
                        (void) root_remove_directory(w->root, r->journal[i - 1] + strlen("directory "));
        return result;
}

/* --- domains ---------------------------------------------------------------------------------- */

/* What libvirt made of our definition is not known when we were killed in between: then it is taken for ours. */
static int look_at_domain(struct work *w, const struct record *r, size_t n, struct content *ret_before,
                          struct content *ret_now, enum presence *ret)
{
        _cleanup_(content_clear) struct content defined = { 0 };
        int e = load(w->store, r, "domain-before", n, ret_before);

        if (e == 0)
                e = load(w->store, r, "domain-defined", n, &defined);
        if (e == 0)
                e = work_read_domain(w, record_text(record_item(r, "domains", n), "name"), &ret_now->data);
        if (e < 0 && e != -ENOENT)
                return e;
        ret_now->size = ret_now->data ? strlen(ret_now->data) : 0;
        if (same(ret_now, ret_before))
                *ret = PRESENT_BEFORE;
        else
                *ret = !defined.data || same(ret_now, &defined) ? PRESENT_AFTER : PRESENT_FOREIGN;
        return 0;
}

static int undo_domain(struct work *w, const struct record *r, size_t n)
{
        const char *name = record_text(record_item(r, "domains", n), "name");
        _cleanup_(content_clear) struct content before = { 0 }, now = { 0 };
        enum presence presence;
        int e = look_at_domain(w, r, n, &before, &now, &presence);

        if (e < 0 || presence == PRESENT_BEFORE)
                return e;
        if (presence == PRESENT_FOREIGN && now.data)
                (void) store_write(w->store, r, "domain-rejected", n, now.data, now.size, -1);
        work_say(w, "restoring the domain %s", name);
        return work_define(w, name, before.data);
}

static int undo_domains(struct work *w, const struct record *r)
{
        int result = 0;

        for (size_t i = record_count(r, "domains"); i > 0; i--) {
                int e = was_begun(r, "domain", i - 1) ? undo_domain(w, r, i - 1) : 0;

                if (e < 0)
                        work_fail(w, "domain %s: %s", record_text(record_item(r, "domains", i - 1), "name"), strerror(-e));
                result = result < 0 ? result : e;
        }
        return result;
}

/* --- what is somebody else's ----------------------------------------------------------------- */

static void say_diff(struct work *w, const char *name, const char *ours, const char *now)
{
        _autofree_ char *old = plan_hide_secrets(ours), *new = plan_hide_secrets(now);
        _autofree_ char *diff = diff_unified(name, old, new);
        _cleanup_(strv_freep) char **lines = words_split(diff, "\n");

        for (char **line = lines; *line; line++)
                work_say(w, "%s", *line);
}

static int foreign_files(struct work *w, const struct record *r, char ***ret)
{
        for (size_t i = 0; i < record_count(r, "files"); i++) {
                _cleanup_(content_clear) struct content before = { 0 }, after = { 0 }, now = { 0 };
                const char *path = record_text(record_item(r, "files", i), "path");
                enum presence presence;
                int e = was_begun(r, "file", i) ? look(w->store, r, i, &before, &now, &presence) : 1;

                if (e == 0 && presence == PRESENT_FOREIGN) {
                        words_add(ret, path);
                        e = load(w->store, r, "after", i, &after);
                        say_diff(w, path, after.data, now.data);
                }
                if (e < 0) {
                        work_fail(w, "%s: %s", path, strerror(-e));
                        return e;
                }
        }
        return 0;
}

/* Where libvirt cannot be asked, as in a rescue system, the files are what matters: they are taken back,
 * and the domain is when undoing goes on. */
static void foreign_domains(struct work *w, const struct record *r, char ***ret)
{
        for (size_t i = 0; i < record_count(r, "domains"); i++) {
                _cleanup_(content_clear) struct content before = { 0 }, defined = { 0 }, now = { 0 };
                const char *name = record_text(record_item(r, "domains", i), "name");
                enum presence presence;
                int e = was_begun(r, "domain", i) ? look_at_domain(w, r, i, &before, &now, &presence) : 1;

                if (e == 0 && presence == PRESENT_FOREIGN) {
                        words_take(ret, xasprintf("the domain %s", name));
                        (void) load(w->store, r, "domain-defined", i, &defined);
                        say_diff(w, name, defined.data, now.data);
                }
        }
}

int undo_foreign(struct work *w, const struct record *r, char ***ret)
{
        int e = foreign_files(w, r, ret);

        if (e == 0)
                foreign_domains(w, r, ret);
        return e;
}

/* --- commands --------------------------------------------------------------------------------- */

static int undo_command(struct work *w, const struct record *r, size_t n)
{
        json_object *o = record_item(r, "commands", n);
        _cleanup_(strv_freep) char **undo = words_of(o, "undo"), **argv = words_of(o, "argv");

        int e;

        if (is_set(o, "no_undo") || (is_set(o, "rebuild") && w->options->no_rebuild))
                return 0;
        e = work_run(w, undo ? undo : argv);
        if (e == 0 || !w->options->force)
                return e;
        /* Otherwise a command that can never succeed keeps all else from being done with. */
        work_say(w, "left undone: %s", w->error);
        free(TAKE_PTR(w->error));
        return 0;
}

static int undo_commands(struct work *w, const struct record *r)
{
        int result = 0;

        for (size_t i = record_count(r, "commands"); i > 0; i--) {
                int e = was_begun(r, "command", i - 1) ? undo_command(w, r, i - 1) : 0;

                result = result < 0 ? result : e;
        }
        return result;
}

int undo_all(struct work *w, struct record *r)
{
        int note = store_note(w->store, r, "undoing"), domains = undo_domains(w, r), files = undo_files(w, r);
        int commands = undo_commands(w, r);

        if (domains < 0 || files < 0 || commands < 0)
                return domains < 0 ? domains : files < 0 ? files : commands;
        if (note == 0)
                note = store_note(w->store, r, "undone");
        if (note < 0)
                work_fail(w, "%s/journal: %s", r->folder, strerror(-note));
        return note;
}
