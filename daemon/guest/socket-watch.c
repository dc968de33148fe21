/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/socket-watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include "common/log.h"

/* One inotify watch, on the deepest directory of the path that exists. Only the
 * next component's appearance matters there; then the watch moves down, and it
 * moves up when its own directory goes. */
struct socket_watch {
        sd_event *event; /* referenced */
        sd_event_source *inotify; /* owned */
        char *path;
        size_t next; /* where in path the component starts that is waited for */
        size_t next_length;
        socket_watch_fn fn;
        void *userdata;
};

#define WATCH_MASK (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static int socket_watch_place(struct socket_watch *w);

static bool event_concerns(const struct socket_watch *w, const struct inotify_event *e)
{
        if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW))
                return true;
        return e->len > 0 && strlen(e->name) == w->next_length &&
               memcmp(e->name, w->path + w->next, w->next_length) == 0;
}

static int socket_watch_on_event(sd_event_source *source, const struct inotify_event *e, void *userdata)
{
        struct socket_watch *w = userdata;
        struct stat st;
        int r;

        if (!event_concerns(w, e))
                return 0;
        r = socket_watch_place(w);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot watch for %s any longer", w->path);
        if (lstat(w->path, &st) >= 0)
                w->fn(w->userdata);
        return 0;
}

/* Watches the directory that is the first length bytes of the path. */
static int socket_watch_add(struct socket_watch *w, size_t length)
{
        _autofree_ char *directory = xstrdup(w->path);
        sd_event_source *source;
        const char *start;
        int r;

        directory[MAX(length, (size_t) 1)] = '\0';
        r = sd_event_add_inotify(w->event, &source, directory, WATCH_MASK, socket_watch_on_event, w);
        if (r < 0)
                return r;
        sd_event_source_disable_unref(w->inotify);
        w->inotify = source;

        start = w->path + length + strspn(w->path + length, "/");
        w->next = (size_t) (start - w->path);
        w->next_length = strcspn(start, "/");
        return 0;
}

static bool next_exists(const struct socket_watch *w)
{
        _autofree_ char *path = xstrdup(w->path);

        path[w->next + w->next_length] = '\0';
        return access(path, F_OK) >= 0;
}

/* Finds the deepest directory that can be watched. What appears below it while
 * it is being found is seen by looking again after the watch is on. */
static int socket_watch_place(struct socket_watch *w)
{
        size_t length = strlen(w->path);
        int r = -ENOENT;

        for (unsigned tries = 0; tries < 8; tries++) {
                length = strlen(w->path);
                do {
                        while (length > 0 && w->path[length - 1] != '/')
                                length--;
                        while (length > 0 && w->path[length - 1] == '/')
                                length--;
                        r = socket_watch_add(w, length);
                } while (r < 0 && length > 0);
                if (r < 0 || !w->path[w->next + w->next_length] || !next_exists(w))
                        return r;
        }
        return r;
}

int socket_watch_new(sd_event *event, const char *path, socket_watch_fn fn, void *userdata,
                     struct socket_watch **ret)
{
        _cleanup_(socket_watch_freep) struct socket_watch *w = xnew0(struct socket_watch, 1);
        int r;

        if (path[0] != '/')
                return -EINVAL;
        w->event = sd_event_ref(event);
        w->path = xstrdup(path);
        w->fn = fn;
        w->userdata = userdata;
        r = socket_watch_place(w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

struct socket_watch *socket_watch_free(struct socket_watch *w)
{
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->inotify);
        sd_event_unref(w->event);
        free(w->path);
        free(w);
        return NULL;
}
