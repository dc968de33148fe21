/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/libvirt-route.h"

#include <sys/epoll.h>
#include <time.h>

#include "common/log.h"
#include "daemon/guest/libvirt-job.h"

/*
 *           domain runs    found    not found      QEMU ends, domain stops   libvirt gone   30 s later
 * OFF       FINDING        -        -              -                         -              -
 * FINDING   -              UP       OFF + retry    OFF                       OFF            -
 * UP        -              -        -              OFF                       note           LOST
 * LOST      UP             -        -              OFF                       -              -
 *
 * A run is one life of the domain's QEMU, known by libvirt's id. What a job
 * brings back of a run that is over is thrown away.
 *
 * At most one job that uses the attachment is under way; it has it meanwhile.
 * A wish to detach that comes then is fulfilled when it is back.
 */
enum phase {
        PHASE_OFF,
        PHASE_FINDING,
        PHASE_UP,
        PHASE_LOST, /* as UP, but the guest has been told to do without */
};

#define SECOND_USEC 1000000ULL
#define MSEC_USEC 1000ULL
#define LOST_USEC (30 * SECOND_USEC) /* a restart of libvirtd, or its upgrade, takes less */
#define FIND_TRIES_MAX 5U
#define DRIVER_USEC SECOND_USEC /* how often to look for the guest's driver */

struct libvirt_route {
        struct route route;
        char guest[TARGET_NAME_MAX + 1];
        char *key; /* name or UUID of the domain */
        enum route_choice choice;
        enum grab_toggle grab_toggle;
        uint64_t timeout_usec;
        const char *records; /* borrowed */
        struct domains *domains; /* borrowed */

        enum phase phase;
        int id; /* of the run */
        int ended_id; /* of the run that is over for us, whatever libvirt says; -1: none */
        char *domain, *uuid; /* of the run; or NULL */
        virDomainPtr handle; /* referenced; of the run */
        struct process *process; /* owned; while up */
        unsigned find_tries;
        enum domain_state state;
        const char *reason; /* a literal: why it does not run */
        char *no_driver; /* why the guest cannot hear its virtio devices; or NULL */
        bool active, hung;

        struct attachment *attachment; /* owned; NULL also while a job has it */
        struct libvirt_job *job; /* borrowed; makes or uses the attachment of this run; or NULL */
        bool undo; /* detach as soon as it is back */
        bool pinging;

        /* For describe. */
        const char *way; /* "" */
        char *why; /* never NULL */
        struct layers layers;
        enum grab_toggle qemu_toggle; /* of the last attachment */
        char *refused; /* see attachment.h; until libvirt's daemon is another one */

        struct worker *worker; /* owned */
        sd_event_source *death, *retry, *lost, *ping, *limit; /* owned */
        sd_event *event; /* referenced */
};

static struct libvirt_route *from_route(struct route *route)
{
        return (struct libvirt_route *) route; /* its first member */
}

static void arm(sd_event_source *timer, uint64_t usec)
{
        (void) sd_event_source_set_time_relative(timer, usec);
        (void) sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void disarm(sd_event_source *timer)
{
        (void) sd_event_source_set_enabled(timer, SD_EVENT_OFF);
}

/* --- jobs --- */

static struct libvirt_job *job_new(struct libvirt_route *r, void (*work)(struct job *job),
                                   void (*done)(struct mail *mail))
{
        struct libvirt_job *j = libvirt_job_new(work, done, r->handle);

        j->route = r;
        j->id = r->id;
        j->name = xstrdup(r->domain);
        j->uuid = xstrdup(r->uuid);
        j->choice = r->choice;
        j->grab_toggle = r->grab_toggle;
        j->records = r->records;
        j->refused = xstrdup(r->refused);
        return j;
}

/* --- telling the guest --- */

/* The same text before and after libvirt has told that the domain runs: vfio-inputd
 * is not told either, see guest_set_state. */
static const char finding[] = "its QEMU is being looked for";

static void tell(struct libvirt_route *r, enum route_link link, const char *reason)
{
        pid_t pid = r->process ? process_pid(r->process) : 0;

        r->route.events->link(link, reason, pid, r->route.userdata);
}

static void tell_running(struct libvirt_route *r)
{
        if (r->state != DOMAIN_RUNNING)
                r->route.events->running(false, r->reason, r->route.userdata);
        else if (r->no_driver)
                r->route.events->running(false, r->no_driver, r->route.userdata);
        else
                r->route.events->running(true, "", r->route.userdata);
}

static void set_known(struct libvirt_route *r, const char *way, const char *why, const struct layers *layers)
{
        char *copy = xstrdup(why);

        r->way = way;
        free(r->why);
        r->why = copy;
        r->layers = layers ? *layers : (struct layers){ 0 };
        r->route.events->described(r->route.userdata);
}

/* --- whether QEMU answers --- */

static void arm_ping(struct libvirt_route *r)
{
        bool waits = r->choice == ROUTE_VIRTIO && r->attachment && r->no_driver;
        bool on = r->phase == PHASE_UP && !r->pinging && (r->active || r->hung || waits);

        if (on)
                arm(r->ping, waits && !r->active ? DRIVER_USEC : r->timeout_usec / 4);
        else
                disarm(r->ping);
}

static void set_no_driver(struct libvirt_route *r, char *text)
{
        bool same = streq_null(text, r->no_driver);

        free(r->no_driver);
        r->no_driver = text;
        if (!same)
                tell_running(r);
}

static void on_pong(struct mail *mail)
{
        _cleanup_(libvirt_job_freep) struct libvirt_job *j = libvirt_job_of(mail);
        struct libvirt_route *r = j->route;

        r->pinging = false;
        disarm(r->limit);
        if (j->id != r->id || r->phase != PHASE_UP)
                return;
        if (j->result >= 0 && r->hung) {
                r->hung = false;
                r->route.events->answers(true, r->route.userdata);
        }
        if (j->result >= 0 && r->attachment)
                set_no_driver(r, TAKE_PTR(j->error));
        arm_ping(r);
}

static int on_ping(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct libvirt_route *r = userdata;

        if (r->job) { /* it would wait for that */
                arm_ping(r);
                return 0;
        }
        r->pinging = true;
        if (!r->hung)
                arm(r->limit, r->timeout_usec - r->timeout_usec / 4); /* in all the time-out */
        worker_submit(r->worker, &job_new(r, libvirt_job_ping, on_pong)->job);
        return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct libvirt_route *r = userdata;

        if (r->phase != PHASE_UP)
                return 0;
        r->hung = true;
        r->route.events->answers(false, r->route.userdata);
        return 0;
}

/* --- attaching and detaching --- */

static void submit(struct libvirt_route *r, struct libvirt_job *j)
{
        r->job = j;
        worker_submit(r->worker, &j->job);
}

/* Whether the run that the job was for is still on. */
static bool take_job(struct libvirt_route *r, const struct libvirt_job *j)
{
        if (r->job != j)
                return false;
        r->job = NULL;
        return true;
}

static void begin_detach(struct libvirt_route *r, void (*done)(struct mail *mail))
{
        struct libvirt_job *j = job_new(r, libvirt_job_detach, done);

        j->attachment = TAKE_PTR(r->attachment);
        submit(r, j);
}

static void on_detached(struct mail *mail)
{
        _cleanup_(libvirt_job_freep) struct libvirt_job *j = libvirt_job_of(mail);
        struct libvirt_route *r = j->route;

        if (!take_job(r, j))
                return;
        set_known(r, "", "", NULL);
        if (j->result < 0)
                r->route.events->failed(j->error ?: strerror(-j->result), r->route.userdata);
        else
                r->route.events->detached(r->route.userdata);
}

/* The same without telling: the guest has not asked for it. */
static void on_dropped(struct mail *mail)
{
        _cleanup_(libvirt_job_freep) struct libvirt_job *j = libvirt_job_of(mail);
        struct libvirt_route *r = j->route;

        if (!take_job(r, j))
                return;
        set_known(r, "", "", NULL);
        if (r->undo) {
                r->undo = false;
                begin_detach(r, on_detached);
        }
}

/* The same, and takes the attachment back. */
static bool take_back(struct libvirt_route *r, struct libvirt_job *j)
{
        if (!take_job(r, j))
                return false;
        r->attachment = TAKE_PTR(j->attachment);
        if (r->undo) {
                r->undo = false;
                begin_detach(r, on_detached);
                return false;
        }
        return true;
}

static void on_attached(struct mail *mail)
{
        _cleanup_(libvirt_job_freep) struct libvirt_job *j = libvirt_job_of(mail);
        struct libvirt_route *r = j->route;

        if (!take_back(r, j))
                return;
        if (j->result < 0) {
                set_known(r, "", "", &j->layers);
                r->route.events->failed(j->error, r->route.userdata);
                return;
        }
        r->qemu_toggle = r->attachment->grab_toggle;
        if (r->attachment->refused) {
                free(r->refused);
                r->refused = TAKE_PTR(r->attachment->refused);
        }
        set_known(r, way_to_string(r->attachment->way), r->attachment->why, &j->layers);
        log_info("Guest %s: its nodes are attached (%s)%s%s", r->guest, r->way, *r->why ? ": " : "", r->why);
        if (r->attachment->way == WAY_VIRTIO)
                set_no_driver(r, xstrdup("not known yet whether the guest has a driver for virtio input devices"));
        r->route.events->attached(r->route.userdata);
        arm_ping(r);
}

static void log_shut(const struct libvirt_route *r, const struct layers *layers)
{
        _autofree_ char *blocking = layers_blocking(layers);

        if (blocking)
                log_warning("Guest %s: one of its layers is shut: %s", r->guest, blocking);
}

static void on_checked(struct mail *mail)
{
        _cleanup_(libvirt_job_freep) struct libvirt_job *j = libvirt_job_of(mail);
        struct libvirt_route *r = j->route;

        if (!take_back(r, j))
                return;
        log_shut(r, &j->layers);
        r->layers = j->layers;
        r->route.events->described(r->route.userdata);
}

static bool libvirt_route_holds(struct route *route, const struct route_nodes *nodes)
{
        struct libvirt_route *r = from_route(route);
        struct input_node node;

        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++)
                if (!r->attachment || input_node_resolve(nodes->path[i], &node) < 0 ||
                    node.input != r->attachment->nodes[i].input)
                        return false;
        return true;
}

static void libvirt_route_attach(struct route *route, const struct route_nodes *nodes)
{
        struct libvirt_route *r = from_route(route);
        struct libvirt_job *j;

        if (libvirt_route_holds(route, nodes)) { /* all the time, while libvirt was away */
                r->route.events->attached(r->route.userdata);
                return;
        }
        j = job_new(r, libvirt_job_attach, on_attached);
        j->nodes = *nodes;
        j->attachment = TAKE_PTR(r->attachment);
        if (process_pin_again(process_pid(r->process), process_start_time(r->process), &j->process) < 0)
                j->process = NULL; /* it has ended, which will be told in a moment */
        if (!j->process) {
                libvirt_job_free(j);
                r->route.events->failed("QEMU has ended", r->route.userdata);
                return;
        }
        submit(r, j);
}

static void libvirt_route_detach(struct route *route)
{
        struct libvirt_route *r = from_route(route);

        if (r->job)
                r->undo = true;
        else
                begin_detach(r, on_detached);
}

static bool libvirt_route_check(struct route *route)
{
        struct libvirt_route *r = from_route(route);
        struct libvirt_job *j;

        if (r->phase != PHASE_UP || r->job || r->hung || !r->attachment || r->attachment->way != WAY_GRANT)
                return false;
        j = job_new(r, libvirt_job_check, on_checked);
        j->attachment = TAKE_PTR(r->attachment);
        submit(r, j);
        return true;
}

static bool nodes_are_current(const struct attachment *a)
{
        return input_node_is_current(&a->nodes[GUEST_KEYBOARD]) && input_node_is_current(&a->nodes[GUEST_POINTER]);
}

static void libvirt_route_node_gone(struct route *route)
{
        struct libvirt_route *r = from_route(route);

        if (!r->attachment || nodes_are_current(r->attachment))
                return;
        log_info("Guest %s: its nodes are no more", r->guest);
        begin_detach(r, on_dropped);
}

/* --- the run --- */

static void end_run(struct libvirt_route *r)
{
        r->phase = PHASE_OFF;
        r->id = -1;
        r->job = NULL;
        r->undo = false;
        r->hung = false;
        r->no_driver = (free(r->no_driver), NULL);
        r->process = process_free(r->process);
        r->death = sd_event_source_disable_unref(r->death);
        disarm(r->retry);
        disarm(r->lost);
        disarm(r->ping);
        disarm(r->limit);
        libvirt_job_close_doors(TAKE_PTR(r->attachment));
        set_known(r, "", "", NULL);
}

static int on_death(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct libvirt_route *r = userdata;

        r->ended_id = r->id;
        end_run(r);
        tell(r, ROUTE_ABSENT, "QEMU has ended");
        return 0;
}

static void find(struct libvirt_route *r);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct libvirt_route *r = userdata;

        if (r->phase == PHASE_FINDING)
                find(r);
        return 0;
}

static void find_failed(struct libvirt_route *r, int error)
{
        _autofree_ char *reason = xasprintf("its QEMU cannot be found in /run/libvirt/qemu: %s", strerror(-error));

        tell(r, ROUTE_FAILED, reason);
        if (r->find_tries++ < FIND_TRIES_MAX)
                arm(r->retry, SECOND_USEC);
}

static void come_up(struct libvirt_route *r)
{
        r->phase = PHASE_UP;
        tell_running(r);
        tell(r, ROUTE_UP, "");
        arm_ping(r);
}

static void on_found(struct mail *mail)
{
        _cleanup_(libvirt_job_freep) struct libvirt_job *j = libvirt_job_of(mail);
        struct libvirt_route *r = j->route;
        int e = j->result;

        if (j->id != r->id || r->phase != PHASE_FINDING)
                return;
        if (e >= 0)
                e = sd_event_add_io(r->event, &r->death, process_pidfd(j->process), EPOLLIN, on_death, r);
        if (e < 0) {
                find_failed(r, e);
                return;
        }
        r->process = TAKE_PTR(j->process);
        come_up(r);
}

static void find(struct libvirt_route *r)
{
        worker_submit(r->worker, &job_new(r, libvirt_job_find, on_found)->job);
}

static bool has_open(const struct libvirt_route *r, unsigned i)
{
        return process_has_open(r->process, r->attachment->nodes[i].device) != 0; /* or that cannot be seen */
}

/* Whether QEMU still has what we have given to it, or libvirt at its start.
 * It also closes devices that are no more: that is vfio-inputd's to tell. */
static void check_open(struct libvirt_route *r)
{
        if (!r->attachment || r->job || !nodes_are_current(r->attachment) ||
            (has_open(r, GUEST_KEYBOARD) && has_open(r, GUEST_POINTER)))
                return;
        begin_detach(r, on_dropped);
        r->route.events->taken("its nodes were taken away from QEMU, by nobody of ours", r->route.userdata);
}

static void take_names(struct libvirt_route *r, const struct domain *d)
{
        if (r->handle)
                (void) virDomainFree(r->handle);
        r->handle = virDomainRef(d->handle) >= 0 ? d->handle : NULL;
        free(r->domain);
        free(r->uuid);
        r->domain = xstrdup(d->xml->name);
        r->uuid = xstrdup(d->xml->uuid);
        r->state = d->state;
        r->reason = d->reason;
}

static void begin_run(struct libvirt_route *r, const struct domain *d)
{
        r->id = d->id;
        r->ended_id = -1;
        r->phase = PHASE_FINDING;
        r->find_tries = 0;
        tell(r, ROUTE_CONNECTING, finding);
        find(r);
}

static int on_lost(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct libvirt_route *r = userdata;

        /* The attachment stays as it is, and QEMU is watched. */
        r->phase = PHASE_LOST;
        disarm(r->ping);
        disarm(r->limit);
        tell(r, ROUTE_CONNECTING, "libvirt's daemon is gone, and nobody can tell how the guest is");
        return 0;
}

static void refresh_unconnected(struct libvirt_route *r)
{
        _autofree_ char *reason = NULL;
        int armed = SD_EVENT_OFF;

        r->refused = (free(r->refused), NULL);
        if (r->phase == PHASE_UP) {
                (void) sd_event_source_get_enabled(r->lost, &armed);
                if (armed == SD_EVENT_OFF)
                        arm(r->lost, LOST_USEC);
                return;
        }
        if (r->phase == PHASE_LOST)
                return;
        if (r->phase == PHASE_FINDING)
                end_run(r);
        if (domains_link(r->domains) == DOMAINS_UNKNOWN) { /* it may well run, and have its nodes */
                tell(r, ROUTE_CONNECTING, finding);
                return;
        }
        reason = xasprintf("libvirt: %s", domains_reason(r->domains));
        tell(r, domains_link(r->domains) == DOMAINS_FAILED ? ROUTE_FAILED : ROUTE_ABSENT, reason);
}

static void refresh_domain(struct libvirt_route *r, const struct domain *d)
{
        bool runs = d->state != DOMAIN_OFF && d->id != r->ended_id;

        take_names(r, d);
        if (!runs) {
                if (r->phase != PHASE_OFF)
                        end_run(r);
                tell(r, ROUTE_ABSENT, d->state == DOMAIN_OFF ? d->reason : "QEMU has ended");
                return;
        }
        if (r->phase != PHASE_OFF && d->id != r->id)
                end_run(r);
        if (r->phase == PHASE_OFF)
                begin_run(r, d);
        else if (r->phase == PHASE_LOST)
                come_up(r);
        else if (r->phase == PHASE_UP) {
                tell_running(r);
                check_open(r);
        }
}

static void libvirt_route_refresh(struct route *route)
{
        struct libvirt_route *r = from_route(route);
        const struct domain *d = domains_find(r->domains, r->key);
        _autofree_ char *reason = NULL;

        if (domains_link(r->domains) != DOMAINS_CONNECTED) {
                refresh_unconnected(r);
                return;
        }
        disarm(r->lost);
        if (d) {
                refresh_domain(r, d);
                return;
        }
        if (r->phase != PHASE_OFF)
                end_run(r);
        reason = xasprintf("libvirt has no domain \"%s\"", r->key);
        tell(r, ROUTE_ABSENT, reason);
}

/* --- the rest of the route's operations --- */

static void libvirt_route_set_active(struct route *route, bool active)
{
        struct libvirt_route *r = from_route(route);

        if (r->active == active)
                return;
        r->active = active;
        arm_ping(r);
}

static void libvirt_route_set_timeout(struct route *route, unsigned timeout_ms)
{
        from_route(route)->timeout_usec = timeout_ms * MSEC_USEC;
}

static void libvirt_route_describe(struct route *route, struct route_info *ret)
{
        struct libvirt_route *r = from_route(route);

        *ret = (struct route_info){
                .name = r->way,
                .why = r->why,
                .domain = r->domain ?: "",
                .uuid = r->uuid ?: "",
                .layers = &r->layers,
                .grab_toggle = r->qemu_toggle,
        };
}

static struct route *libvirt_route_free(struct route *route)
{
        struct libvirt_route *r = from_route(route);

        worker_free(r->worker);
        sd_event_source_disable_unref(r->death);
        sd_event_source_disable_unref(r->retry);
        sd_event_source_disable_unref(r->lost);
        sd_event_source_disable_unref(r->ping);
        sd_event_source_disable_unref(r->limit);
        libvirt_job_close_doors(r->attachment);
        process_free(r->process);
        if (r->handle)
                (void) virDomainFree(r->handle);
        sd_event_unref(r->event);
        free(r->domain);
        free(r->uuid);
        free(r->no_driver);
        free(r->why);
        free(r->refused);
        free(r->key);
        free(r);
        return NULL;
}

static const struct route_ops libvirt_route_ops = {
        .start = libvirt_route_refresh,
        .attach = libvirt_route_attach,
        .detach = libvirt_route_detach,
        .holds = libvirt_route_holds,
        .set_active = libvirt_route_set_active,
        .set_timeout = libvirt_route_set_timeout,
        .describe = libvirt_route_describe,
        .refresh = libvirt_route_refresh,
        .check = libvirt_route_check,
        .node_gone = libvirt_route_node_gone,
        .free = libvirt_route_free,
};

static int add_timer(struct libvirt_route *r, sd_event_source **ret, sd_event_time_handler_t fn)
{
        int e;

        e = sd_event_add_time_relative(r->event, ret, CLOCK_MONOTONIC, SECOND_USEC, 0, fn, r);
        return e < 0 ? e : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

struct route *libvirt_route_new(sd_event *event, const struct guest_config *config, struct domains *domains,
                                const char *records, const struct route_events *events, void *userdata)
{
        struct libvirt_route *r = xnew0(struct libvirt_route, 1);

        r->route = (struct route){ .ops = &libvirt_route_ops, .events = events, .userdata = userdata };
        memcpy(r->guest, config->name, sizeof(r->guest));
        r->key = xstrdup(config->domain ?: config->name);
        r->choice = config->route;
        r->grab_toggle = config->grab_toggle;
        r->timeout_usec = config->timeout_ms * MSEC_USEC;
        r->records = records;
        r->domains = domains;
        r->id = r->ended_id = -1;
        r->qemu_toggle = config->grab_toggle;
        r->reason = "";
        r->way = "";
        r->why = xstrdup("");
        r->event = sd_event_ref(event);
        if (add_timer(r, &r->retry, on_retry) < 0 || add_timer(r, &r->lost, on_lost) < 0 ||
            add_timer(r, &r->ping, on_ping) < 0 || add_timer(r, &r->limit, on_limit) < 0 ||
            worker_new(event, &r->worker) < 0) {
                (void) libvirt_route_free(&r->route);
                return NULL;
        }
        return &r->route;
}
