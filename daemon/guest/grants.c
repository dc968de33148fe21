/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/grants.h"

#include <strings.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "common/log.h"
#include "daemon/guest/qemu-process.h"
#include "daemon/guest/worker.h"

struct entry {
        struct grants *grants;
        struct grant *grant; /* owned */
        struct layers layers;
        struct process *process; /* owned */
        sd_event_source *death; /* owned */
        struct entry *next;
};

struct grants {
        sd_event *event; /* referenced */
        const char *records;
        struct entry *entries; /* owned */
        struct worker *worker; /* owned */
        unsigned n_requests; /* that the worker has */
        const struct grants_handler *handler;
        void *userdata;
};

struct grant_job {
        struct job job;
        struct grants *grants; /* only for done */
        char *domain, *uuid;
        const char *records;
        struct input_node node;
        grants_done_fn done;
        void *userdata;
        /* results */
        struct grant *grant; /* owned */
        struct layers layers;
        int result;
};

bool grants_at(const struct grants *g, unsigned i, const struct grant **ret, const struct layers **ret_layers)
{
        const struct entry *e = g->entries;

        while (e && i-- > 0)
                e = e->next;
        if (!e)
                return false;
        *ret = e->grant;
        *ret_layers = &e->layers;
        return true;
}

static void entry_free(struct entry *e)
{
        sd_event_source_disable_unref(e->death);
        process_free(e->process);
        grant_free(e->grant);
        free(e);
}

static void unlink_entry(struct grants *g, struct entry *e)
{
        struct entry **p = &g->entries;

        while (*p != e)
                p = &(*p)->next;
        *p = e->next;
}

/* Undoes the grant; what could not be undone stays in the records for the next life. */
static int close_entry(struct grants *g, struct entry *e, const char *why)
{
        int r;

        unlink_entry(g, e);
        log_info("Grant of %s to domain %s ends: %s", grant_node(e->grant)->path, grant_domain(e->grant), why);
        r = grant_close(e->grant);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot undo all of it");
        else
                e->grant = NULL;
        entry_free(e);
        g->handler->changed(g->userdata);
        return r;
}

static int on_death(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct entry *e = userdata;

        (void) close_entry(e->grants, e, "its QEMU has ended");
        return 0;
}

static int add_entry(struct grants *g, struct grant *grant, const struct layers *layers)
{
        struct entry *e = xnew0(struct entry, 1);
        int r;

        e->grants = g;
        e->grant = grant;
        e->layers = *layers;
        e->next = g->entries;
        g->entries = e;
        r = process_pin(grant_pid(grant), &e->process);
        if (r >= 0 && !grant_is_alive(grant))
                r = -ESRCH;
        if (r >= 0)
                r = sd_event_add_io(g->event, &e->death, process_pidfd(e->process), EPOLLIN, on_death, e);
        if (r < 0)
                (void) close_entry(g, e, "its QEMU has ended");
        return r;
}

/* --- from an earlier life --- */

static bool is_worth_keeping(struct grant *grant, struct layers *layers)
{
        if (!grant_is_alive(grant) || !input_node_is_current(grant_node(grant)))
                return false;
        return grant_check(grant, layers) >= 0;
}

/* A guest's own are left to its route, which takes over what the records say. */
static void on_found(struct grant *grant, void *userdata)
{
        struct grants *g = userdata;
        struct layers layers = { 0 };
        int r;

        if (*grant_node(grant)->guest && grant_is_alive(grant) && input_node_is_current(grant_node(grant))) {
                grant_free(grant);
                return;
        }
        if (is_worth_keeping(grant, &layers)) {
                (void) add_entry(g, grant, &layers);
                return;
        }
        log_info("A grant of %s to domain %s is left over", grant_node(grant)->path, grant_domain(grant));
        r = grant_close(grant);
        if (r < 0) {
                (void) log_warning_errno(r, "Cannot undo all of it");
                grant_free(grant);
        }
}

/* --- new ones --- */

static struct grant_job *job_of(struct mail *mail)
{
        return CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct grant_job, job);
}

static void job_free(struct grant_job *j)
{
        grant_free(j->grant);
        free(j->domain);
        free(j->uuid);
        free(j);
}
DEFINE_CLEANUP(struct grant_job *, job_free);

static void job_drop(struct mail *mail)
{
        job_free(job_of(mail));
}

static void work(struct job *job)
{
        struct grant_job *j = CONTAINER_OF(job, struct grant_job, job);
        _cleanup_(process_freep) struct process *process = NULL;

        j->result = qemu_process_find(j->domain, j->uuid, &process);
        if (j->result >= 0)
                j->result = grant_open(j->records, j->uuid, j->domain, process, &j->node, &j->layers, &j->grant);
}

static struct entry *find_same(struct grants *g, const char *uuid, const struct input_node *node)
{
        for (struct entry *e = g->entries; e; e = e->next)
                if (strcasecmp(grant_uuid(e->grant), uuid) == 0 && grant_node(e->grant)->input == node->input)
                        return e;
        return NULL;
}

static void on_done(struct mail *mail)
{
        _cleanup_(job_freep) struct grant_job *j = job_of(mail);
        _autofree_ char *path = NULL, *text = NULL;
        struct entry *same;
        int r = j->result;

        j->grants->n_requests--;
        if (r >= 0) {
                path = xstrdup(grant_path(j->grant));
                same = find_same(j->grants, j->uuid, &j->node);
                if (same) { /* asked for twice: both mean the same record */
                        unlink_entry(j->grants, same);
                        entry_free(same);
                }
                r = add_entry(j->grants, TAKE_PTR(j->grant), &j->layers);
        }
        if (r < 0) {
                text = layers_blocking(&j->layers) ?: xasprintf("cannot grant %s: %s", j->node.path, strerror(-r));
                log_warning("Domain %s: %s", j->domain, text);
                j->done(r, text, j->userdata);
                return;
        }
        log_notice("Granted %s to domain %s, as %s", j->node.path, j->domain, path);
        j->grants->handler->changed(j->grants->userdata);
        j->done(0, path, j->userdata);
}

void grants_request(struct grants *g, const struct domain *d, const struct input_node *node, grants_done_fn done,
                    void *userdata)
{
        struct grant_job *j = xnew0(struct grant_job, 1);

        *j = (struct grant_job){
                .job = { .mail = { .deliver = on_done, .drop = job_drop }, .work = work },
                .grants = g,
                .domain = xstrdup(d->xml->name),
                .uuid = xstrdup(d->xml->uuid),
                .records = g->records,
                .node = *node,
                .done = done,
                .userdata = userdata,
        };
        g->n_requests++;
        worker_submit(g->worker, &j->job);
}

/* --- the end of one --- */

static bool is_meant(const struct entry *e, const char *domain, const char *node, const struct input_node *resolved)
{
        if (!streq(grant_domain(e->grant), domain) && strcasecmp(grant_uuid(e->grant), domain) != 0)
                return false;
        return streq(grant_path(e->grant), node) || streq(grant_node(e->grant)->path, node) ||
               (resolved && resolved->input == grant_node(e->grant)->input);
}

int grants_revoke(struct grants *g, const char *domain, const char *node)
{
        struct input_node resolved;
        bool exists = input_node_resolve(node, &resolved) >= 0;

        if (g->n_requests > 0)
                return -EBUSY;
        for (struct entry *e = g->entries; e; e = e->next)
                if (is_meant(e, domain, node, exists ? &resolved : NULL))
                        return close_entry(g, e, "revoked");
        return -ENOENT;
}

void grants_check(struct grants *g)
{
        for (struct entry *e = g->entries; e; e = e->next)
                (void) grant_check(e->grant, &e->layers);
}

void grants_node_gone(struct grants *g)
{
        struct entry *next;

        for (struct entry *e = g->entries; e; e = next) {
                next = e->next;
                if (!input_node_is_current(grant_node(e->grant)))
                        (void) close_entry(g, e, "its device is gone");
        }
}

int grants_new(sd_event *event, const char *records, const struct grants_handler *handler, void *userdata,
               struct grants **ret)
{
        _cleanup_(grants_freep) struct grants *g = xnew0(struct grants, 1);
        int r;

        g->event = sd_event_ref(event);
        g->records = records;
        g->handler = handler;
        g->userdata = userdata;
        r = worker_new(event, &g->worker);
        if (r < 0)
                return r;
        if (mkdir(records, 0700) < 0 && errno != EEXIST)
                (void) log_warning_errno(-errno, "Cannot make %s, so nothing can be granted", records);
        r = grants_load(records, true, on_found, g);
        if (r < 0 && r != -ENOENT)
                (void) log_warning_errno(r, "Cannot read the records in %s", records);
        *ret = TAKE_PTR(g);
        return 0;
}

struct grants *grants_free(struct grants *g)
{
        if (!g)
                return NULL;
        worker_free(g->worker);
        while (g->entries) {
                struct entry *e = g->entries;

                g->entries = e->next;
                entry_free(e);
        }
        sd_event_unref(g->event);
        free(g);
        return NULL;
}
