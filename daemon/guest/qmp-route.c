/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/qmp-route.h"

#include <time.h>

#include "common/log.h"
#include "daemon/guest/dac.h"
#include "daemon/guest/peer.h"
#include "daemon/guest/qmp-nodes.h"
#include "daemon/guest/socket-watch.h"

/*
 *             socket appears  retry timer   greeting, status  answers(false)     closed
 * WAITING     connect         connect       -                 -                  -
 * CONNECTING  note            -             UP                WAITING + retry    WAITING + retry
 * UP          -               -             -                 hung, or if busy:  WAITING + retry
 *                                                             WAITING + retry
 *
 * WAITING has the watch for the socket. The retry timer runs too, unless only a
 * new socket can make a difference (there is none, it is stale, it is the wrong
 * user's): then nothing wakes us until one appears.
 */
enum route_phase {
        PHASE_WAITING,
        PHASE_CONNECTING,
        PHASE_UP,
};

#define MSEC_USEC 1000ULL
#define RETRY_MIN_USEC (100 * MSEC_USEC)
#define RETRY_MAX_USEC (30000 * MSEC_USEC)
#define STALE_TRIES_MAX 6U /* QEMU may have bound the socket and not listen on it yet */
#define STEADY_USEC (10000 * MSEC_USEC) /* a link that lasted so long was a good one */

struct qmp_route {
        struct route route;
        char guest[TARGET_NAME_MAX + 1];
        char *path;
        char *user; /* or NULL: any */
        enum grab_toggle grab_toggle;
        uint64_t timeout_usec;

        enum route_phase phase;
        bool appeared; /* a new socket, while the old one was being talked to */
        unsigned tries;
        uint64_t tried_usec; /* when the last try began */
        struct peer peer;
        bool active;
        bool shut_down; /* the guest, which then is stopped: not by its user */
        bool attaching; /* the request under way is an attach */
        bool unclean; /* an earlier life may have left this guest's nodes with its QEMU */

        sd_event *event; /* referenced */
        sd_event_source *retry; /* owned */
        sd_event_source *ping; /* owned */
        struct socket_watch *watch; /* owned; NULL while up, or if it cannot be had */
        struct qmp *qmp; /* owned */
        struct qmp_nodes *nodes; /* owned; while up */
};

static uint64_t route_now(const struct qmp_route *r)
{
        uint64_t now = 0;

        (void) sd_event_now(r->event, CLOCK_MONOTONIC, &now);
        return now;
}

static void route_reclaim(struct qmp_route *r)
{
        int e;

        if (!r->unclean)
                return;
        r->unclean = false;
        e = dac_revoke(r->guest);
        if (e < 0)
                (void) log_warning_errno(e, "Guest %s: cannot give its nodes back to root", r->guest);
}

static void route_tell(struct qmp_route *r, enum route_link link, const char *reason)
{
        r->route.events->link(link, reason, link == ROUTE_ABSENT ? 0 : r->peer.pid, r->route.userdata);
        if (link == ROUTE_ABSENT || link == ROUTE_FAILED)
                route_reclaim(r);
}

static void route_schedule(struct qmp_route *r, uint64_t delay_usec)
{
        (void) sd_event_source_set_time_relative(r->retry, delay_usec);
        (void) sd_event_source_set_enabled(r->retry, SD_EVENT_ONESHOT);
}

static void route_schedule_retry(struct qmp_route *r)
{
        uint64_t delay = RETRY_MIN_USEC << MIN(r->tries, 9U);

        r->tries++;
        route_schedule(r, r->appeared ? RETRY_MIN_USEC : MIN(delay, RETRY_MAX_USEC));
}

/* A socket made over and over gets no more than ten tries a second. */
static void on_appeared(void *userdata)
{
        struct qmp_route *r = userdata;
        uint64_t since = route_now(r) - r->tried_usec;

        r->appeared = true;
        r->tries = MIN(r->tries, STALE_TRIES_MAX / 2);
        if (r->phase != PHASE_WAITING)
                return;
        route_schedule(r, since >= RETRY_MIN_USEC ? 0 : RETRY_MIN_USEC - since);
}

static void route_watch(struct qmp_route *r)
{
        int e;

        if (r->watch)
                return;
        e = socket_watch_new(r->event, r->path, on_appeared, r, &r->watch);
        if (e < 0)
                (void) log_warning_errno(e, "Guest %s: cannot watch for %s, looking now and then", r->guest,
                                         r->path);
}

/* Lets go of the connection, and takes the nodes back from its QEMU. */
static void route_drop(struct qmp_route *r)
{
        r->phase = PHASE_WAITING;
        (void) sd_event_source_set_enabled(r->ping, SD_EVENT_OFF);
        if (r->nodes)
                r->nodes = qmp_nodes_free(r->nodes);
        r->qmp = qmp_free(r->qmp);
}

/* The guest hears first: it has the input taken away before anything else. */
static void route_lost(struct qmp_route *r, enum route_link link, const char *reason)
{
        if (r->phase == PHASE_UP && route_now(r) - r->tried_usec > STEADY_USEC)
                r->tries = 0;
        r->phase = PHASE_WAITING;
        route_tell(r, link, reason);
        route_drop(r);
        route_watch(r);
        route_schedule_retry(r);
}

static void on_closed(int error, const char *reason, void *userdata)
{
        struct qmp_route *r = userdata;

        if (error == -ETIMEDOUT)
                route_lost(r, ROUTE_CONNECTING, reason);
        else if (error == -ECONNRESET)
                route_lost(r, ROUTE_ABSENT, reason);
        else
                route_lost(r, ROUTE_FAILED, reason);
}

/* What "status" of query-status says, as a sentence; the words are ours. */
static const char *stopped_text(const char *status)
{
        static const struct {
                const char *status, *text;
        } texts[] = {
                { "shutdown", "the guest has shut down" },
                { "prelaunch", "the guest has not been started" },
                { "inmigrate", "the guest waits for a migration" },
                { "postmigrate", "the guest has migrated away" },
                { "suspended", "the guest is suspended" },
                { "guest-panicked", "the guest has panicked" },
                { "io-error", "the guest is stopped by an I/O error" },
                { "internal-error", "the guest is stopped by an error inside QEMU" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (streq(status, texts[i].status))
                        return texts[i].text;
        return "the guest is paused";
}

static void route_status(struct qmp_route *r, struct json_object *result)
{
        struct json_object *running, *status;
        const char *s = "";

        if (!result || !json_object_object_get_ex(result, "running", &running))
                return;
        if (json_object_object_get_ex(result, "status", &status) && json_object_is_type(status, json_type_string))
                s = json_object_get_string(status);
        r->route.events->running(json_object_get_boolean(running), stopped_text(s), r->route.userdata);
}

static void on_pong(struct json_object *result, const char *error, void *userdata)
{
        route_status(userdata, result);
}

static void route_arm_ping(struct qmp_route *r)
{
        bool on = r->active && r->phase == PHASE_UP;

        if (on)
                (void) sd_event_source_set_time_relative(r->ping, r->timeout_usec / 2);
        (void) sd_event_source_set_enabled(r->ping, on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_ping(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct qmp_route *r = userdata;

        if (qmp_is_idle(r->qmp))
                (void) qmp_call(r->qmp, "query-status", NULL, on_pong, r);
        route_arm_ping(r);
        return 0;
}

static void on_event(const char *name, void *userdata)
{
        struct qmp_route *r = userdata;

        if (r->phase != PHASE_UP)
                return;
        r->shut_down |= streq(name, "SHUTDOWN");
        r->shut_down &= !streq(name, "RESUME");
        if (streq(name, "STOP") && !r->shut_down)
                r->route.events->running(false, "the guest is paused", r->route.userdata);
        else if (streq(name, "SHUTDOWN"))
                r->route.events->running(false, "the guest has shut down", r->route.userdata);
        else if (streq(name, "RESUME"))
                r->route.events->running(true, "", r->route.userdata);
        /* RESET: QEMU keeps its objects, the guest finds its keyboard again. */
}

static void on_nodes_done(const char *error, void *userdata)
{
        struct qmp_route *r = userdata;

        if (error)
                r->route.events->failed(error, r->route.userdata);
        else if (r->attaching)
                r->route.events->attached(r->route.userdata);
        else
                r->route.events->detached(r->route.userdata);
}

static void on_answers(bool answers, void *userdata)
{
        struct qmp_route *r = userdata;

        if (r->phase == PHASE_UP && !qmp_nodes_is_busy(r->nodes))
                r->route.events->answers(answers, r->route.userdata);
        else if (!answers)
                route_lost(r, ROUTE_CONNECTING, "QEMU does not answer");
}

static void on_first_status(struct json_object *result, const char *error, void *userdata)
{
        struct qmp_route *r = userdata;

        if (error) {
                route_lost(r, ROUTE_FAILED, "QEMU does not tell its status");
                return;
        }
        r->phase = PHASE_UP;
        r->shut_down = false;
        r->unclean = false;
        r->watch = socket_watch_free(r->watch);
        r->nodes = qmp_nodes_new(r->qmp, r->guest, r->peer.uid, r->grab_toggle, on_nodes_done, r);
        route_status(r, result);
        route_tell(r, ROUTE_UP, "");
        route_arm_ping(r);
}

static void on_ready(void *userdata)
{
        struct qmp_route *r = userdata;

        (void) qmp_call(r->qmp, "query-status", NULL, on_first_status, r);
}

static const struct qmp_handler qmp_handler = {
        .ready = on_ready,
        .event = on_event,
        .answers = on_answers,
        .closed = on_closed,
};

/* No connection: says why, and whether another try can go better by itself. */
static void route_connect_failed(struct qmp_route *r, int error)
{
        _autofree_ char *reason = NULL;
        enum route_link link = ROUTE_FAILED;
        bool retry = true;

        switch (error) {
        case -ENOENT:
        case -ENOTDIR:
                link = ROUTE_ABSENT;
                reason = xasprintf("QEMU is not running: there is no socket %s", r->path);
                retry = false;
                break;
        case -ECONNREFUSED:
                link = ROUTE_ABSENT;
                reason = xasprintf("QEMU is not running: nothing listens on %s", r->path);
                retry = r->tries < STALE_TRIES_MAX;
                break;
        case -EAGAIN:
                link = ROUTE_CONNECTING;
                reason = xstrdup("others are waiting already: another program may be using this QMP socket");
                break;
        default:
                reason = xasprintf("cannot connect to %s: %s", r->path, strerror(-error));
        }
        route_tell(r, link, reason);
        if (retry || !r->watch)
                route_schedule_retry(r);
}

/* Whether that process may be given the guest's nodes. */
static bool route_accepts_peer(struct qmp_route *r)
{
        _autofree_ char *reason = NULL;
        uid_t uid;

        if (!r->user || (peer_resolve_user(r->user, &uid) >= 0 && uid == r->peer.uid)) {
                if (r->peer.uid == 0)
                        log_warning("Guest %s: its QEMU (process %d) runs as root", r->guest, (int) r->peer.pid);
                return true;
        }
        reason = xasprintf("%s is served by process %d of user %u, but the configuration wants user %s", r->path,
                           (int) r->peer.pid, r->peer.uid, r->user);
        route_tell(r, ROUTE_FAILED, reason);
        return false;
}

static void route_connect(struct qmp_route *r)
{
        int fd, e;

        r->tried_usec = route_now(r);
        r->appeared = false;
        r->peer = (struct peer){ 0 };
        fd = peer_connect(r->path, &r->peer);
        if (fd < 0) {
                route_connect_failed(r, fd);
                return;
        }
        if (!route_accepts_peer(r)) { /* who listens on a socket never changes */
                (void) safe_close(fd);
                if (!r->watch)
                        route_schedule_retry(r);
                return;
        }
        e = qmp_new(r->event, fd, r->timeout_usec, &qmp_handler, r, &r->qmp);
        if (e < 0) {
                route_connect_failed(r, e);
                return;
        }
        r->phase = PHASE_CONNECTING;
        if (r->tries <= 1) /* while it goes wrong again and again, why is better to read */
                route_tell(r, ROUTE_CONNECTING, "waiting for QEMU's greeting");
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        route_connect(userdata);
        return 0;
}

static struct qmp_route *from_route(struct route *route)
{
        return (struct qmp_route *) route; /* its first member */
}

static void qmp_route_start(struct route *route)
{
        struct qmp_route *r = from_route(route);

        route_watch(r);
        route_connect(r);
}

static void qmp_route_attach(struct route *route, const struct route_nodes *nodes)
{
        struct qmp_route *r = from_route(route);

        r->attaching = true;
        qmp_nodes_attach(r->nodes, nodes);
}

static void qmp_route_detach(struct route *route)
{
        struct qmp_route *r = from_route(route);

        r->attaching = false;
        if (qmp_answers(r->qmp))
                qmp_nodes_detach(r->nodes);
        else
                route_lost(r, ROUTE_CONNECTING, "QEMU does not answer");
}

static bool qmp_route_holds(struct route *route, const struct route_nodes *nodes)
{
        return qmp_nodes_holds(from_route(route)->nodes, nodes);
}

static void qmp_route_set_active(struct route *route, bool active)
{
        struct qmp_route *r = from_route(route);

        if (r->active == active)
                return;
        r->active = active;
        route_arm_ping(r);
}

static void qmp_route_set_timeout(struct route *route, unsigned timeout_ms)
{
        struct qmp_route *r = from_route(route);

        r->timeout_usec = timeout_ms * MSEC_USEC;
        if (r->qmp)
                qmp_set_timeout(r->qmp, r->timeout_usec);
}

static struct route *qmp_route_free(struct route *route)
{
        struct qmp_route *r = from_route(route);

        if (r->ping)
                route_drop(r);
        route_reclaim(r);
        socket_watch_free(r->watch);
        sd_event_source_disable_unref(r->retry);
        sd_event_source_disable_unref(r->ping);
        sd_event_unref(r->event);
        free(r->path);
        free(r->user);
        free(r);
        return NULL;
}

static void qmp_route_describe(struct route *route, struct route_info *ret)
{
        *ret = (struct route_info){ .name = "qmp", .why = "", .domain = "", .uuid = "",
                                      .grab_toggle = from_route(route)->grab_toggle };
}

static void qmp_route_ignore(struct route *route)
{
}

static bool qmp_route_check(struct route *route)
{
        return false;
}

static const struct route_ops qmp_route_ops = {
        .start = qmp_route_start,
        .attach = qmp_route_attach,
        .detach = qmp_route_detach,
        .holds = qmp_route_holds,
        .set_active = qmp_route_set_active,
        .set_timeout = qmp_route_set_timeout,
        .describe = qmp_route_describe,
        .refresh = qmp_route_ignore,
        .check = qmp_route_check,
        .node_gone = qmp_route_ignore,
        .free = qmp_route_free,
};

static int route_add_timer(struct qmp_route *r, sd_event_source **ret, sd_event_time_handler_t fn)
{
        int e;

        e = sd_event_add_time_relative(r->event, ret, CLOCK_MONOTONIC, RETRY_MAX_USEC, 0, fn, r);
        if (e < 0)
                return e;
        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

struct route *qmp_route_new(sd_event *event, const struct guest_config *config, const struct route_events *events,
                            void *userdata)
{
        struct qmp_route *r = xnew0(struct qmp_route, 1);

        r->route = (struct route){ .ops = &qmp_route_ops, .events = events, .userdata = userdata };
        memcpy(r->guest, config->name, sizeof(r->guest));
        r->path = xstrdup(config->qmp);
        r->user = xstrdup(config->user);
        r->grab_toggle = config->grab_toggle;
        r->timeout_usec = config->timeout_ms * MSEC_USEC;
        r->unclean = true;
        r->event = sd_event_ref(event);
        if (route_add_timer(r, &r->retry, on_retry) < 0 || route_add_timer(r, &r->ping, on_ping) < 0) {
                (void) qmp_route_free(&r->route);
                return NULL;
        }
        return &r->route;
}
