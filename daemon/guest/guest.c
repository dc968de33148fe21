/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/guest.h"

#include <time.h>

#include "common/log.h"
#include "daemon/guest/libvirt-route.h"
#include "daemon/guest/qmp-route.h"
#include "daemon/guest/readiness.h"
#include "daemon/guest/route.h"

/*
 *             link up      link else  nodes known  attached   failed  detached  stops   runs   answers not/again
 * ABSENT      [a]          [b]        -            -          -       -         -       -      -
 * CONNECTING  [a]          [b]        -            -          -       -         -       -      -
 * WAITING     -            [b]        ATTACHING    -          -       -         -       -      -
 * ATTACHING   -            [b]        -            [c]        FAILED  -         -       -      -
 * READY       -            [b]        [d]          -          -       -         PAUSED  -      HUNG/-
 * PAUSED      -            [b]        [d]          -          -       -         -       READY  HUNG/-
 * HUNG        -            [b]        [d]          -          -       -         -       -      -/[c]
 * DETACHING   -            [b]        -            -          FAILED  [e]       -       -      -
 * DETACHED    -            [b]        -            -          -       -         -       -      -
 * FAILED      [a]          [b]        WAITING      -          -       -         -       -      -
 *
 * [a] WAITING, or DETACHING if the user wants this QEMU to be left alone: what
 *     an earlier life has left there is taken away
 * [b] ABSENT, CONNECTING or FAILED, as the route says
 * [c] READY, or PAUSED if the guest does not run
 * [d] DETACHING if these are not the devices that are attached: attached anew
 * [e] WAITING, or DETACHED if the user wants it so
 *
 * Entering DETACHING tells vfio-inputd first and waits for its reply, so that
 * no key is sent to a guest that is about to let go; then the route detaches.
 * A request to attach leads from DETACHED and FAILED to WAITING, one to detach
 * from every state in which the link is up to DETACHING. What somebody else
 * has taken away from QEMU is DETACHED, as if the user had asked us for it.
 *
 * FAILED with the link up is tried again a few times, then left to the user, to
 * new nodes and to the next QEMU.
 */

#define SECOND_USEC 1000000ULL
#define REQUEST_TIMEOUT_USEC (10 * SECOND_USEC)
#define REMOVE_TIMEOUT_USEC (1500 * 1000ULL) /* all of it fits into the two seconds of a stop */
#define ATTACH_TRIES_MAX 5U

enum request {
        REQUEST_NONE, /* nobody waits */
        REQUEST_ATTACH,
        REQUEST_DETACH,
};

struct guest {
        char name[TARGET_NAME_MAX + 1];
        struct guest_config config; /* owned */
        bool configured; /* by the file, which vfio-inputd reads too */

        enum guest_state state;
        char *reason; /* never NULL */
        enum route_link link;
        pid_t pid;
        bool running;
        char *stopped; /* why it does not run; or NULL */

        bool wanted; /* attached, as far as the user is concerned */
        pid_t unwanted_pid; /* the QEMU that the user wants to be left alone */
        bool withheld; /* no nodes until vfio-inputd is back */
        bool started; /* attached and running once, since the link came up */
        bool told; /* this life knows how the guest is */
        bool removing;
        bool taking; /* while DETACHING: the route is at work */
        bool gone; /* and said so */
        unsigned n_failed;
        unsigned attached_serial; /* of the target whose nodes are attached */
        struct route_nodes attached_nodes;

        struct readiness *readiness; /* owned; what vfio-inputd was told */
        unsigned toggle_serial; /* of the target whose hotkeys were told */
        bool asked_to_add; /* vfio-inputd has no such target, and was asked to make it */

        enum request request;
        guest_done_fn done;
        void *done_userdata;

        void (*checked)(void *userdata); /* whom to call when the layers were looked at; or NULL */
        void *checked_userdata;

        sd_event_source *retry; /* owned; FAILED: the next try */
        sd_event_source *limit; /* owned; of the request, or of the removal */

        struct route *route; /* owned */
        struct inputd *inputd; /* borrowed */
        const struct guest_handler *handler;
        void *userdata;
};

static const struct {
        const char *name;
        enum log_level level;
} states[GUEST_STATE_MAX_] = {
        [GUEST_ABSENT] = { "absent", LOG_LEVEL_INFO },
        [GUEST_CONNECTING] = { "connecting", LOG_LEVEL_DEBUG },
        [GUEST_WAITING] = { "attaching", LOG_LEVEL_DEBUG },
        [GUEST_ATTACHING] = { "attaching", LOG_LEVEL_DEBUG },
        [GUEST_READY] = { "ready", LOG_LEVEL_INFO },
        [GUEST_PAUSED] = { "paused", LOG_LEVEL_INFO },
        [GUEST_HUNG] = { "hung", LOG_LEVEL_WARNING },
        [GUEST_DETACHING] = { "detaching", LOG_LEVEL_DEBUG },
        [GUEST_DETACHED] = { "detached", LOG_LEVEL_INFO },
        [GUEST_FAILED] = { "failed", LOG_LEVEL_WARNING },
};

const char *guest_state_to_string(enum guest_state state)
{
        return states[state].name;
}

const char *guest_name(const struct guest *g)
{
        return g->name;
}

enum guest_state guest_state(const struct guest *g)
{
        return g->state;
}

const char *guest_reason(const struct guest *g)
{
        return g->reason;
}

void guest_describe(const struct guest *g, struct route_info *ret)
{
        g->route->ops->describe(g->route, ret);
}

pid_t guest_pid(const struct guest *g)
{
        return g->pid;
}

bool guest_is_adopted_of_another(const struct guest *g, const char *domain)
{
        return !g->configured && !streq_null(g->config.domain, domain);
}

static bool guest_is_attached(const struct guest *g)
{
        return g->state == GUEST_READY || g->state == GUEST_PAUSED || g->state == GUEST_HUNG;
}

static void arm(sd_event_source *timer, uint64_t usec)
{
        (void) sd_event_source_set_time_relative(timer, usec);
        (void) sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void guest_finish(struct guest *g, enum guest_result result, const char *reason)
{
        if (g->request == REQUEST_NONE)
                return;
        g->request = REQUEST_NONE;
        (void) sd_event_source_set_enabled(g->limit, SD_EVENT_OFF);
        g->done(result, result == GUEST_OK ? "" : reason, g->done_userdata);
}

/* Answers a request to attach as soon as the state tells how it went. */
static void guest_check_attach(struct guest *g)
{
        switch (g->state) {
        case GUEST_READY:
        case GUEST_PAUSED:
        case GUEST_HUNG:
                guest_finish(g, GUEST_OK, "");
                break;
        case GUEST_ABSENT:
        case GUEST_CONNECTING:
                guest_finish(g, GUEST_NOT_READY, g->reason);
                break;
        case GUEST_FAILED:
                guest_finish(g, g->link == ROUTE_UP ? GUEST_REFUSED : GUEST_NOT_READY, g->reason);
                break;
        case GUEST_WAITING:
                if (!inputd_is_present(g->inputd))
                        guest_finish(g, GUEST_NOT_READY, g->reason);
                break;
        case GUEST_ATTACHING:
        case GUEST_DETACHING:
        case GUEST_DETACHED:
        case GUEST_STATE_MAX_:
                break;
        }
}

static void guest_check_detach(struct guest *g)
{
        switch (g->state) {
        case GUEST_ABSENT:
        case GUEST_DETACHED:
                guest_finish(g, GUEST_OK, "");
                break;
        case GUEST_CONNECTING:
                guest_finish(g, GUEST_TIMED_OUT, g->reason);
                break;
        case GUEST_FAILED:
                guest_finish(g, GUEST_REFUSED, g->reason);
                break;
        case GUEST_WAITING:
        case GUEST_ATTACHING:
        case GUEST_READY:
        case GUEST_PAUSED:
        case GUEST_HUNG:
        case GUEST_DETACHING:
        case GUEST_STATE_MAX_:
                break;
        }
}

static void guest_check_gone(struct guest *g)
{
        if (!g->removing || g->gone)
                return;
        if (g->link == ROUTE_UP && g->state != GUEST_DETACHED && g->state != GUEST_FAILED)
                return;
        g->gone = true;
        g->handler->gone(g, g->userdata);
}

static void guest_take(struct guest *g)
{
        g->taking = true;
        g->route->ops->detach(g->route);
}

static void on_told(void *userdata)
{
        struct guest *g = userdata;

        if (g->state == GUEST_DETACHING && !g->taking)
                guest_take(g);
}

/* Whether the state says anything about the guest. After our own restart it may
 * well be attached and active: that is found out first. */
static bool guest_is_known(const struct guest *g)
{
        switch (g->state) {
        case GUEST_CONNECTING:
        case GUEST_WAITING:
        case GUEST_ATTACHING:
                return g->told;
        case GUEST_ABSENT:
        case GUEST_READY:
        case GUEST_PAUSED:
        case GUEST_HUNG:
        case GUEST_DETACHING:
        case GUEST_DETACHED:
        case GUEST_FAILED:
        case GUEST_STATE_MAX_:
                break;
        }
        return true;
}

/* A guest that reads nodes of vfio-inputd's former life is not ready yet. */
static void guest_tell(struct guest *g)
{
        const struct inputd_target *t = inputd_find(g->inputd, g->name);
        bool current = t && g->attached_serial == t->serial;

        if (!guest_is_known(g))
                return;
        g->told = true;
        if (g->state == GUEST_PAUSED)
                readiness_tell(g->readiness, INPUTD_STOPPED, g->reason);
        else if (g->state != GUEST_READY)
                readiness_tell(g->readiness, INPUTD_NOT_READY, g->reason);
        else if (!current)
                readiness_tell(g->readiness, INPUTD_NOT_READY, "vfio-inputd has just started");
        else
                readiness_tell(g->readiness, INPUTD_READY, "");
}

/* The only door to another state. */
static void guest_set_state(struct guest *g, enum guest_state state, const char *reason)
{
        if (g->state == state && streq(g->reason, reason))
                return;
        log_full(states[state].level, 0, "Guest %s: %s%s%s", g->name, states[state].name, *reason ? ": " : "",
                 reason);
        /* The second thing said of a link that is not up is that it fails. */
        g->told |= state == GUEST_CONNECTING && g->state == GUEST_CONNECTING;
        g->state = state;
        reason = xstrdup(reason);
        free(g->reason);
        g->reason = (char *) reason;
        (void) sd_event_source_set_enabled(g->retry, SD_EVENT_OFF);
        guest_tell(g);
        if (g->request == REQUEST_ATTACH)
                guest_check_attach(g);
        else if (g->request == REQUEST_DETACH)
                guest_check_detach(g);
        g->handler->changed(g, g->userdata);
        guest_check_gone(g);
}

static void guest_enter_detaching(struct guest *g, const char *reason)
{
        g->taking = false;
        guest_set_state(g, GUEST_DETACHING, reason);
        if (!readiness_is_pending(g->readiness))
                guest_take(g);
}

/* Attaches, as soon as there are nodes to attach. */
static void guest_enter_waiting(struct guest *g)
{
        const struct inputd_target *t = inputd_find(g->inputd, g->name);

        if (g->withheld) {
                guest_set_state(g, GUEST_WAITING, "vfio-inputd is stopping");
                return;
        }
        if (!t || !t->has_nodes) {
                guest_set_state(g, GUEST_WAITING,
                                inputd_is_present(g->inputd) ? "vfio-inputd has no nodes for this guest yet"
                                                             : "vfio-inputd is not running");
                return;
        }
        g->attached_serial = t->serial;
        g->attached_nodes = t->nodes;
        guest_set_state(g, GUEST_ATTACHING, "its nodes are being attached");
        g->route->ops->attach(g->route, &g->attached_nodes);
}

/* The first time in the life of its QEMU, unless we only have been away. */
static void guest_check_focus(struct guest *g, bool was_told)
{
        if (g->started)
                return;
        g->started = true;
        if (g->config.focus_on_start && was_told)
                inputd_switch(g->inputd, g->name);
}

static void guest_enter_attached(struct guest *g)
{
        bool was_told = g->told;

        if (g->running) {
                guest_set_state(g, GUEST_READY, "");
                guest_check_focus(g, was_told);
        }
        else
                guest_set_state(g, GUEST_PAUSED, g->stopped ?: "the guest is paused");
}

static void guest_enter_failed(struct guest *g, const char *reason)
{
        bool again = g->state == GUEST_ATTACHING && !g->removing && g->n_failed < ATTACH_TRIES_MAX;

        guest_set_state(g, GUEST_FAILED, reason);
        if (again)
                arm(g->retry, SECOND_USEC << g->n_failed++);
}

static void guest_on_link_up(struct guest *g, pid_t pid)
{
        if (pid == 0 || pid != g->unwanted_pid)
                g->wanted = true;
        g->started = false;
        g->n_failed = 0;
        if (g->wanted && !g->removing)
                guest_enter_waiting(g);
        else
                guest_enter_detaching(g, "detached on request");
}

static void on_link(enum route_link link, const char *reason, pid_t pid, void *userdata)
{
        struct guest *g = userdata;

        g->link = link;
        g->pid = pid;
        if (link != ROUTE_UP) {
                g->running = false;
                free(g->stopped);
                g->stopped = NULL;
        }
        switch (link) {
        case ROUTE_ABSENT:
                guest_set_state(g, GUEST_ABSENT, reason);
                break;
        case ROUTE_CONNECTING:
                guest_set_state(g, GUEST_CONNECTING, reason);
                break;
        case ROUTE_FAILED:
                guest_set_state(g, GUEST_FAILED, reason);
                break;
        case ROUTE_UP:
                guest_on_link_up(g, pid);
                break;
        }
}

/* Whether the devices attached are those that vfio-inputd has now. */
static void guest_check_nodes(struct guest *g)
{
        const struct inputd_target *t = inputd_find(g->inputd, g->name);

        if (!t || !t->has_nodes)
                return;
        if (route_nodes_equal(&t->nodes, &g->attached_nodes)) {
                if (t->serial != g->attached_serial && g->route->ops->holds(g->route, &t->nodes))
                        g->attached_serial = t->serial;
                if (t->serial == g->attached_serial)
                        return;
        }
        guest_enter_detaching(g, "vfio-inputd has made new nodes");
}

/* QEMU's own hotkey, which must not fire. Before vfio-inputd hears that the guest
 * is ready; of a QEMU without libvirt it knows it from the same file. */
static void guest_tell_grab_toggle(struct guest *g)
{
        struct route_info info;

        guest_describe(g, &info);
        if (!g->config.qmp && info.grab_toggle >= 0 && inputd_find(g->inputd, g->name))
                inputd_set_grab_toggle(g->inputd, g->name, info.grab_toggle);
}

/* vfio-inputd knows the settings of guests that are in the file. */
static void guest_tell_hotkeys(struct guest *g, const struct inputd_target *t)
{
        if (!t || t->serial == g->toggle_serial)
                return;
        g->toggle_serial = t->serial;
        if (!g->configured)
                inputd_set_toggle(g->inputd, g->name, &g->config.toggle);
        guest_tell_grab_toggle(g);
}

static void on_attached(void *userdata)
{
        struct guest *g = userdata;

        if (g->state != GUEST_ATTACHING)
                return;
        g->n_failed = 0;
        guest_tell_grab_toggle(g);
        guest_enter_attached(g);
        guest_check_nodes(g);
}

static void on_failed(const char *reason, void *userdata)
{
        struct guest *g = userdata;

        if (g->state == GUEST_ATTACHING || (g->state == GUEST_DETACHING && g->taking))
                guest_enter_failed(g, reason);
}

static void on_detached(void *userdata)
{
        struct guest *g = userdata;

        if (g->state != GUEST_DETACHING)
                return;
        if (g->wanted && !g->removing)
                guest_enter_waiting(g);
        else
                guest_set_state(g, GUEST_DETACHED, g->removing ? g->reason : "detached on request");
}

static void on_running(bool running, const char *reason, void *userdata)
{
        struct guest *g = userdata;

        free(g->stopped);
        g->stopped = running ? NULL : xstrdup(reason);
        g->running = running;
        if (g->state == GUEST_READY || g->state == GUEST_PAUSED)
                guest_enter_attached(g);
}

static void on_answers(bool answers, void *userdata)
{
        struct guest *g = userdata;

        if (answers && g->state == GUEST_HUNG)
                guest_enter_attached(g);
        else if (!answers && guest_is_attached(g))
                guest_set_state(g, GUEST_HUNG, "QEMU does not answer");
}

/* By virsh detach-device, say: not ours to undo. */
static void on_taken(const char *reason, void *userdata)
{
        struct guest *g = userdata;

        if (!guest_is_attached(g))
                return;
        g->wanted = false;
        g->unwanted_pid = g->pid;
        guest_set_state(g, GUEST_DETACHED, reason);
}

static void on_described(void *userdata)
{
        struct guest *g = userdata;
        void (*checked)(void *userdata) = TAKE_PTR(g->checked);

        if (checked)
                checked(g->checked_userdata);
        g->handler->changed(g, g->userdata);
}

static const struct route_events route_events = {
        .link = on_link,
        .attached = on_attached,
        .failed = on_failed,
        .detached = on_detached,
        .running = on_running,
        .answers = on_answers,
        .taken = on_taken,
        .described = on_described,
};

void guest_check(struct guest *g, void (*done)(void *userdata), void *userdata)
{
        if (g->checked || !g->route->ops->check(g->route)) {
                done(userdata);
                return;
        }
        g->checked = done;
        g->checked_userdata = userdata;
}

void guest_domains_changed(struct guest *g)
{
        g->route->ops->refresh(g->route);
}

void guest_node_gone(struct guest *g)
{
        g->route->ops->node_gone(g->route);
}

static void guest_begin(struct guest *g, enum request request, guest_done_fn done, void *userdata)
{
        g->request = request;
        g->done = done;
        g->done_userdata = userdata;
        arm(g->limit, REQUEST_TIMEOUT_USEC);
}

void guest_attach(struct guest *g, guest_done_fn done, void *userdata)
{
        if (g->request != REQUEST_NONE || g->state == GUEST_DETACHING || g->removing) {
                done(GUEST_BUSY, "another request for this guest is under way", userdata);
                return;
        }
        g->wanted = true;
        guest_begin(g, REQUEST_ATTACH, done, userdata);
        if (g->state == GUEST_DETACHED || (g->state == GUEST_FAILED && g->link == ROUTE_UP)) {
                g->n_failed = 0;
                guest_enter_waiting(g);
        }
        guest_check_attach(g);
}

void guest_detach(struct guest *g, guest_done_fn done, void *userdata)
{
        if (g->request != REQUEST_NONE || g->removing) {
                done(GUEST_BUSY, "another request for this guest is under way", userdata);
                return;
        }
        if (g->link != ROUTE_UP) {
                done(GUEST_NOT_READY, g->reason, userdata);
                return;
        }
        g->wanted = false;
        g->unwanted_pid = g->pid;
        guest_begin(g, REQUEST_DETACH, done, userdata);
        if (g->state == GUEST_DETACHED)
                guest_check_detach(g);
        else if (g->state != GUEST_DETACHING)
                guest_enter_detaching(g, "detached on request");
}

void guest_withhold(struct guest *g, const char *reason)
{
        g->withheld = true;
        if (guest_is_attached(g) || g->state == GUEST_ATTACHING)
                guest_enter_detaching(g, reason);
}

bool guest_holds_nodes(const struct guest *g)
{
        return guest_is_attached(g) || g->state == GUEST_ATTACHING || g->state == GUEST_DETACHING;
}

void guest_remove(struct guest *g, const char *reason)
{
        if (g->removing)
                return;
        g->removing = true;
        guest_finish(g, GUEST_REFUSED, reason);
        arm(g->limit, REMOVE_TIMEOUT_USEC);
        if (g->link == ROUTE_UP && g->state != GUEST_DETACHED && g->state != GUEST_DETACHING)
                guest_enter_detaching(g, reason);
        else
                guest_check_gone(g);
}

void guest_inputd_changed(struct guest *g)
{
        const struct inputd_target *t = inputd_find(g->inputd, g->name);

        if (!inputd_is_present(g->inputd))
                g->withheld = false;
        if (!t && inputd_is_present(g->inputd) && !g->asked_to_add && !g->removing)
                inputd_add_guest(g->inputd, g->name);
        g->asked_to_add = !t && inputd_is_present(g->inputd);
        guest_tell_hotkeys(g, t);
        guest_tell(g);

        switch (g->state) {
        case GUEST_WAITING:
                guest_enter_waiting(g);
                break;
        case GUEST_READY:
        case GUEST_PAUSED:
        case GUEST_HUNG:
                guest_check_nodes(g);
                guest_tell(g);
                break;
        case GUEST_DETACHING:
                if (!readiness_is_pending(g->readiness) && !g->taking)
                        guest_take(g);
                break;
        case GUEST_FAILED:
                if (g->link == ROUTE_UP && !g->removing && t && t->has_nodes && t->serial != g->attached_serial)
                        guest_enter_waiting(g);
                break;
        case GUEST_ABSENT:
        case GUEST_CONNECTING:
        case GUEST_ATTACHING:
        case GUEST_DETACHED:
        case GUEST_STATE_MAX_:
                break;
        }
        g->route->ops->set_active(g->route, inputd_is_active(g->inputd, g->name));
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct guest *g = userdata;

        if (g->state == GUEST_FAILED && g->link == ROUTE_UP && g->wanted)
                guest_enter_waiting(g);
        return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct guest *g = userdata;

        guest_finish(g, GUEST_TIMED_OUT, *g->reason ? g->reason : "it takes too long");
        if (g->removing && !g->gone) {
                log_warning("Guest %s: QEMU does not let go of its nodes in time", g->name);
                g->gone = true;
                g->handler->gone(g, g->userdata);
        }
        return 0;
}

/* Whether only such settings differ as a guest can take over while it runs. */
static bool guest_can_become(const struct guest *g, const struct guest_config *config)
{
        struct guest_config same;
        bool equal;

        guest_config_copy(&same, config);
        same.timeout_ms = g->config.timeout_ms;
        same.focus_on_start = g->config.focus_on_start;
        same.toggle = g->config.toggle;
        equal = guest_config_equal(&same, &g->config);
        guest_config_clear(&same);
        return equal;
}

bool guest_reconfigure(struct guest *g, const struct guest_config *config, bool configured)
{
        if (configured != g->configured || !guest_can_become(g, config))
                return false;
        if (!hotkey_equal(&config->toggle, &g->config.toggle))
                g->toggle_serial = 0;
        guest_config_clear(&g->config);
        guest_config_copy(&g->config, config);
        g->route->ops->set_timeout(g->route, config->timeout_ms);
        guest_tell_hotkeys(g, inputd_find(g->inputd, g->name));
        return true;
}

static int guest_add_timer(struct guest *g, sd_event *event, sd_event_source **ret, sd_event_time_handler_t fn)
{
        int r;

        r = sd_event_add_time_relative(event, ret, CLOCK_MONOTONIC, SECOND_USEC, 0, fn, g);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

struct guest *guest_new(const struct guest_context *context, const struct guest_config *config, bool configured)
{
        _cleanup_(guest_freep) struct guest *g = xnew0(struct guest, 1);

        memcpy(g->name, config->name, sizeof(g->name));
        guest_config_copy(&g->config, config);
        g->configured = configured;
        g->reason = xstrdup("");
        g->wanted = true;
        g->inputd = context->inputd;
        g->readiness = readiness_new(g->inputd, g->name, on_told, g);
        g->handler = context->handler;
        g->userdata = context->userdata;
        if (guest_add_timer(g, context->event, &g->retry, on_retry) < 0 ||
            guest_add_timer(g, context->event, &g->limit, on_limit) < 0)
                return NULL;
        if (config->qmp)
                g->route = qmp_route_new(context->event, config, &route_events, g);
        else
                g->route = libvirt_route_new(context->event, config, context->domains, context->records,
                                             &route_events, g);
        return g->route ? TAKE_PTR(g) : NULL;
}

struct guest *guest_free(struct guest *g)
{
        if (!g)
                return NULL;
        if (g->checked)
                g->checked(g->checked_userdata);
        route_free(g->route);
        readiness_free(g->readiness);
        sd_event_source_disable_unref(g->retry);
        sd_event_source_disable_unref(g->limit);
        free(g->reason);
        free(g->stopped);
        guest_config_clear(&g->config);
        free(g);
        return NULL;
}

void guest_start(struct guest *g)
{
        g->route->ops->start(g->route);
}
