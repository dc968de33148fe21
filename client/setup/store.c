/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/store.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#include "client/setup/plan-json.h"
#include "client/setup/root-write.h"
#include "client/setup/words.h"

struct store {
        const struct root *root; /* borrowed */
        int folder;              /* with the lock */
};

int store_open(const struct root *r, bool create, struct store **ret)
{
        _cleanup_(store_freep) struct store *s = xnew0(struct store, 1);
        int e;

        s->root = r;
        s->folder = -EBADF;
        if (create) {
                e = root_make_directory(r, STORE_FOLDER, 0700, NULL);
                if (e < 0)
                        return e;
        }
        s->folder = root_open_file(r, STORE_FOLDER, O_RDONLY | O_DIRECTORY);
        if (s->folder < 0)
                return s->folder;
        if (flock(s->folder, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        /* What we have started has the lock, too: after we were killed, update-initramfs still writes
         * an image by what the files were, and an undo must come after that. */
        if (fcntl(s->folder, F_SETFD, 0) < 0)
                return -errno;
        *ret = TAKE_PTR(s);
        return 0;
}

struct store *store_free(struct store *s)
{
        if (!s)
                return NULL;
        (void) safe_close(s->folder);
        free(s);
        return NULL;
}

const struct root *store_root(const struct store *s)
{
        return s->root;
}

/* --- records ---------------------------------------------------------------------------- */

void record_clear(struct record *r)
{
        free(r->id);
        free(r->folder);
        (void) json_object_put(r->plan);
        (void) strv_free(r->journal);
        *r = (struct record) { 0 };
}

bool record_has(const struct record *r, const char *line)
{
        return words_have(r->journal, line);
}

size_t record_count(const struct record *r, const char *key)
{
        json_object *list;

        return json_object_object_get_ex(r->plan, key, &list) ? json_object_array_length(list) : 0;
}

json_object *record_item(const struct record *r, const char *key, size_t n)
{
        json_object *list;

        return json_object_object_get_ex(r->plan, key, &list) ? json_object_array_get_idx(list, n) : NULL;
}

const char *record_text(json_object *o, const char *key)
{
        json_object *value;

        return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : "";
}

static char *file_path(const struct record *r, const char *what, size_t n)
{
        return xasprintf("%s/%s-%zu", r->folder, what, n);
}

static enum record_state state_of(const struct record *r)
{
        if (record_has(r, "undone"))
                return RECORD_UNDONE;
        return record_has(r, "applied") && !record_has(r, "undoing") ? RECORD_APPLIED : RECORD_UNFINISHED;
}

/* The last line may have been written in part when the power went: what it
 * announced was not done then. */
static int read_journal(struct store *s, struct record *r)
{
        _autofree_ char *path = xasprintf("%s/journal", r->folder), *text = NULL;
        char *end;
        int e = root_read(s->root, path, &text, NULL);

        if (e == -ENOENT)
                return 0;
        if (e < 0)
                return e;
        end = strrchr(text, '\n');
        *(end ? end + 1 : text) = '\0';
        r->journal = words_split(text, "\n");
        return 0;
}

int store_load(struct store *s, const char *id, struct record *ret)
{
        _cleanup_(record_clear) struct record r = { 0 };
        _autofree_ char *path = NULL, *text = NULL;
        int e;

        if (strchr(id, '/') || *id == '.')
                return -ENOENT;
        r.id = xstrdup(id);
        r.folder = xasprintf(STORE_FOLDER "/%s", id);
        path = xasprintf("%s/plan.json", r.folder);
        e = root_read(s->root, path, &text, NULL);
        if (e == 0)
                e = read_journal(s, &r);
        if (e < 0)
                return e;
        r.plan = json_tokener_parse(text);
        if (!json_object_is_type(r.plan, json_type_object))
                return -EBADMSG;
        r.state = state_of(&r);
        *ret = r;
        r = (struct record) { 0 };
        return 0;
}

int store_list(struct store *s, char ***ret)
{
        _cleanup_(strv_freep) char **names = NULL;
        char **ids = xnew0(char *, 1);
        int e = root_list(s->root, STORE_FOLDER, &names);

        for (char **name = names; e == 0 && *name; name++) {
                _autofree_ char *path = xasprintf(STORE_FOLDER "/%s/plan.json", *name);

                if (root_exists(s->root, path))
                        words_add(&ids, *name);
        }
        *ret = ids;
        return e;
}

int store_newest(struct store *s, struct record *ret)
{
        _cleanup_(strv_freep) char **ids = NULL;
        int e = store_list(s, &ids);

        for (size_t i = words_count(ids); e == 0 && i > 0; i--) {
                _cleanup_(record_clear) struct record r = { 0 };

                e = store_load(s, ids[i - 1], &r);
                if (e < 0)
                        break; /* an older one is not the newest because this cannot be read */
                if (r.state == RECORD_UNDONE)
                        continue;
                *ret = r;
                r = (struct record) { 0 };
                return 0;
        }
        return e < 0 ? e : -ENOENT;
}

/* --- writing -------------------------------------------------------------------------------- */

int store_write(struct store *s, const struct record *r, const char *what, size_t n, const char *data, size_t size,
                int like)
{
        _autofree_ char *path = file_path(r, what, n);

        return root_write(s->root, path, data, size, 0600, like);
}

int store_read(struct store *s, const struct record *r, const char *what, size_t n, char **ret, size_t *ret_size)
{
        _autofree_ char *path = file_path(r, what, n);

        return root_read(s->root, path, ret, ret_size);
}

int store_open_before(struct store *s, const struct record *r, size_t n)
{
        _autofree_ char *path = file_path(r, "before", n);

        return root_open_file(s->root, path, O_RDONLY);
}

static int append(struct store *s, const struct record *r, const char *name, int access)
{
        _autofree_ char *path = xasprintf("%s/%s", r->folder, name);

        return root_open_file(s->root, path, access | O_CREAT | O_APPEND);
}

int store_open_log(struct store *s, const struct record *r)
{
        return append(s, r, "log", O_RDWR);
}

int store_note(struct store *s, struct record *r, const char *format, ...)
{
        _autoclose_ int fd = append(s, r, "journal", O_WRONLY);
        _autofree_ char *line = NULL, *text = NULL;
        va_list args;

        if (fd < 0)
                return fd;
        va_start(args, format);
        line = xvasprintf(format, args);
        va_end(args);
        /* Behind a line that was cut off begins a new one. */
        text = xasprintf("\n%s\n", line);
        errno = 0; /* a write that was cut off sets none */
        if (write(fd, text, strlen(text)) != (ssize_t) strlen(text))
                return errno ? -errno : -ENOSPC;
        if (fsync(fd) < 0)
                return -errno;
        words_take(&r->journal, TAKE_PTR(line));
        r->state = state_of(r);
        return 0;
}

static int write_contents(struct store *s, const struct record *r, const char *what, size_t n, const char *data,
                          size_t size, int like)
{
        return data ? store_write(s, r, what, n, data, size, like) : 0;
}

/* Where a link leads that is going to be removed. */
static int write_link(struct store *s, const struct record *r, const struct plan_file *f, size_t n)
{
        _autofree_ char *target = NULL;
        int e = root_readlink(s->root, f->path, &target);

        if (e == -EINVAL || e == -ENOENT)
                return 0;
        return e < 0 ? e : store_write(s, r, "link", n, target, strlen(target), -1);
}

static int write_file(struct store *s, const struct record *r, const struct plan_file *f, size_t n)
{
        _autoclose_ int now = f->before ? root_open_file(s->root, f->path, O_RDONLY) : -EBADF;
        int e;

        if (f->before && now < 0)
                return now;
        e = write_contents(s, r, "before", n, f->before, f->before_size, now);
        if (e == 0 && !f->after)
                e = write_link(s, r, f, n);
        return e < 0 ? e : write_contents(s, r, "after", n, f->after, f->after_size, -1);
}

static int write_domain(struct store *s, const struct record *r, const struct plan_domain *d, size_t n)
{
        int e = write_contents(s, r, "domain-before", n, d->before, d->before ? strlen(d->before) : 0, -1);

        return e < 0 ? e : write_contents(s, r, "domain-after", n, d->after, d->after ? strlen(d->after) : 0, -1);
}

static int write_plan(struct store *s, struct record *r, const struct plan *p, const struct choices *c)
{
        _autofree_ char *path = xasprintf("%s/plan.json", r->folder), *boot = NULL;
        const char *text;

        r->plan = plan_to_json(p, PLAN_JSON_RECORD);
        if (root_read_line(s->root, "/proc/sys/kernel/random/boot_id", &boot) == 0)
                json_object_object_add(r->plan, "boot_id", json_object_new_string(boot));
        if (c->connect)
                json_object_object_add(r->plan, "connect", json_object_new_string(c->connect));
        text = json_object_to_json_string_ext(r->plan, JSON_C_TO_STRING_PRETTY);
        return root_write(s->root, path, text, strlen(text), 0600, -1);
}

/* Ids are in the order of their making also where the clock was put back: it is
 * hours ahead where another system has left local time in it. */
static int newest_id(struct store *s, char **ret)
{
        _cleanup_(strv_freep) char **ids = NULL;
        int e = store_list(s, &ids);
        size_t n = words_count(ids);

        *ret = xstrdup(n ? ids[n - 1] : "");
        return e;
}

/* Two within a second are told apart by a letter. */
static int make_folder(struct store *s, struct record *r)
{
        _autofree_ char *newest = NULL;
        int e = newest_id(s, &newest);
        time_t now = time(NULL);
        struct tm utc;
        char id[32];

        (void) gmtime_r(&now, &utc);
        (void) strftime(id, sizeof(id), "%Y%m%dT%H%M%SZ", &utc);
        if (e < 0)
                return e;
        if (strlen(newest) >= strlen(id) && strncmp(newest, id, strlen(id)) > 0)
                (void) snprintf(id, sizeof(id), "%.16s", newest);
        for (char letter = 'a'; letter <= 'z'; letter++) {
                _autofree_ char *folder = xasprintf(STORE_FOLDER "/%s%c", id, letter);

                if (letter == 'a')
                        folder[strlen(folder) - 1] = '\0';
                if (root_exists(s->root, folder) || strcmp(strrchr(folder, '/') + 1, newest) <= 0)
                        continue;
                r->id = xstrdup(strrchr(folder, '/') + 1);
                r->folder = TAKE_PTR(folder);
                return root_make_directory(s->root, r->folder, 0700, NULL);
        }
        return -EEXIST;
}

/* Of one that could not be written in full; it has changed nothing. */
static void drop(struct store *s, const struct record *r)
{
        _cleanup_(strv_freep) char **names = NULL;

        (void) root_list(s->root, r->folder, &names);
        for (char **name = names; name && *name; name++) {
                _autofree_ char *path = xasprintf("%s/%s", r->folder, *name);

                (void) root_remove(s->root, path);
        }
        (void) root_remove_directory(s->root, r->folder);
}

static int write_all(struct store *s, struct record *r, const struct plan *p, const struct choices *c)
{
        _autoclose_ int journal = -EBADF;
        int e = 0;

        for (size_t i = 0; e == 0 && i < p->n_files; i++)
                e = write_file(s, r, &p->files[i], i);
        for (size_t i = 0; e == 0 && i < p->n_domains; i++)
                e = write_domain(s, r, &p->domains[i], i);
        /* The journal's name is on the disk once plan.json is: both are in one folder, which is synced then. */
        journal = e < 0 ? -EBADF : append(s, r, "journal", O_WRONLY);
        if (e == 0 && journal < 0)
                e = journal;
        return e < 0 ? e : write_plan(s, r, p, c);
}

int store_create(struct store *s, const struct plan *p, const struct choices *c, struct record *ret)
{
        _cleanup_(record_clear) struct record r = { 0 };
        int e = make_folder(s, &r);

        if (e < 0)
                return e;
        e = write_all(s, &r, p, c);
        if (e < 0) {
                drop(s, &r);
                return e;
        }
        *ret = r;
        r = (struct record) { 0 };
        return 0;
}
